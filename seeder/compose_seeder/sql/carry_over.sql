-- The seeded tables before the first pending revision and after the last, and the ledger carried over. {…} are from the
-- catalog; the tables of the ledger are described in ledger/schema.sql.

-- name: is_open
SELECT EXISTS (SELECT FROM compose_init.before_migration);

-- name: is_seeded
SELECT EXISTS (SELECT FROM compose_init.record) OR EXISTS (SELECT FROM compose_init.before_migration);

-- name: seeded_tables
-- The datasets of tables that own a record.
SELECT d.name, t.oid::bigint
FROM compose_init.dataset d JOIN compose_init.target t ON t.id = d.target_id
WHERE d.key IS NOT NULL AND EXISTS (SELECT FROM compose_init.record r WHERE r.dataset_id = d.id)
ORDER BY d.id;

-- name: table_name
SELECT c.oid::regclass::text FROM pg_class c WHERE c.oid = %(oid)s::oid;

-- name: column_numbers
SELECT a.attname, a.attnum, coalesce(k.hashed_as, a.attname)
FROM pg_attribute a
LEFT JOIN compose_init.target t ON t.oid = a.attrelid
LEFT JOIN compose_init.target_column k ON k.target_id = t.id AND k.number = a.attnum
WHERE a.attrelid = %(oid)s::oid AND a.attnum > 0 AND NOT a.attisdropped;

-- name: has_type
SELECT to_regtype(%(type)s) IS NOT NULL;

-- name: has_values
SELECT {values} FROM {table} t;

-- name: note_table
INSERT INTO compose_init.before_migration (dataset_id, table_oid, table_name, fields, key, columns)
VALUES (%(dataset)s, %(oid)s, %(name)s, %(fields)s, %(key)s, %(columns)s);

-- name: note_edits
-- A column that is not there shows nothing, and nobody has edited it.
INSERT INTO compose_init.edit_before_migration (dataset_id, id, shown)
SELECT DISTINCT ON (a.id) {dataset}, a.id, l.hashes
FROM compose_init.record a
LEFT JOIN (SELECT {id} AS id, ARRAY[{hashes}]::bigint[] AS hashes FROM {rows} t) l ON l.id = a.id
WHERE a.dataset_id = {dataset} AND {applied} AND (l.id IS NULL OR EXISTS (
  SELECT FROM unnest(a.desired, a.observed, l.hashes) AS e (was, seen, shown)
  WHERE shown <> coalesce(was, seen) AND shown IS DISTINCT FROM seen))
ORDER BY a.id;

-- name: shown_columns
SELECT DISTINCT s.name FROM compose_init.record r CROSS JOIN LATERAL jsonb_object_keys(r.shown) AS s (name)
WHERE r.dataset_id = %(dataset)s;

-- name: shown_now
-- What the rows show of columns, as record.shown has it.
SELECT {id} AS id, jsonb_object(ARRAY[{names}]::text[], ARRAY[{hashes}]::text[]) AS shown FROM {table} t

-- name: note_filled
-- Before the revisions: where a column that no record names is not as it was after the write, somebody has filled it. From
-- now on 0 says so.
UPDATE compose_init.record r SET shown = r.shown || f.edited
FROM (
  SELECT a.id, (SELECT jsonb_object_agg(s.key, '0') FROM jsonb_each_text(a.shown) s
                WHERE n.shown ->> s.key <> s.value) AS edited
  FROM compose_init.record a JOIN ({shown_now}) n ON n.id = a.id
  WHERE a.dataset_id = {dataset} AND a.shown IS NOT NULL
) f
WHERE r.dataset_id = {dataset} AND r.id = f.id AND f.edited IS NOT NULL;

-- name: carry_shown
-- After the revisions: whatever such a column has now that nobody had filled before, it has of the migration.
UPDATE compose_init.record r SET shown = f.shown
FROM (
  SELECT a.id, (SELECT jsonb_object_agg(m.now, CASE WHEN a.shown ->> m.before = '0' THEN '0' ELSE n.shown ->> m.now END)
                FROM unnest(%(before)s::text[], %(now)s::text[]) AS m (before, now)
                WHERE a.shown ? m.before) AS shown
  FROM compose_init.record a JOIN ({shown_now}) n ON n.id = a.id
  WHERE a.dataset_id = {dataset} AND a.shown IS NOT NULL
) f
WHERE r.dataset_id = {dataset} AND r.id = f.id AND r.shown IS DISTINCT FROM f.shown;

-- name: tables_before
-- A table that was dropped is not in the ledger any more.
SELECT d.name, t.oid::bigint, b.table_oid::bigint, b.table_name, b.fields, b.key, b.columns
FROM compose_init.before_migration b
JOIN compose_init.dataset d ON d.id = b.dataset_id
JOIN compose_init.target t ON t.id = d.target_id
ORDER BY b.dataset_id;

-- name: rows_by_key
SELECT {id} AS former_id, {id} AS id, ARRAY[{hashes}]::bigint[] AS hashes FROM {rows} t

-- name: rows_by_former_key
-- The key's columns have changed: the former id is that of the values as the former columns had them. Of rows that now have
-- the same key, one counts.
SELECT DISTINCT ON ({id}) {former_id} AS former_id, {id} AS id, ARRAY[{hashes}]::bigint[] AS hashes
FROM {rows} t CROSS JOIN LATERAL (SELECT {former_key}) f
ORDER BY {id}

-- name: carry_over
-- The records of one dataset, with new hashes where the migration has changed a value or a column; those whose rows are
-- gone are forgotten, except the ones that somebody had deleted before; `keeps_rows` says whether that is known still.
WITH now AS ({now}), carried AS (
  SELECT a.id AS former_id, coalesce(n.id, a.id) AS id,
         n.id IS NULL AND NOT ({keeps_rows} AND e.id IS NOT NULL AND e.shown IS NULL) AS is_gone,
         ARRAY[{desired}]::bigint[] AS desired, ARRAY[{observed}]::bigint[] AS observed
  FROM compose_init.record a
  LEFT JOIN compose_init.edit_before_migration e ON e.dataset_id = {dataset} AND e.id = a.id
  LEFT JOIN now n ON n.former_id = a.id
  WHERE a.dataset_id = {dataset} AND {records}
), gone AS (
  DELETE FROM compose_init.record r USING carried c
  WHERE r.dataset_id = {dataset} AND r.id = c.former_id AND c.is_gone RETURNING r.id
), changed AS (
  UPDATE compose_init.record r
  SET id = c.id, desired = c.desired, observed = CASE WHEN array_remove(c.observed, NULL) <> '{{}}' THEN c.observed END
  FROM carried c
  WHERE r.dataset_id = {dataset} AND r.id = c.former_id AND NOT c.is_gone
    AND (r.id, r.desired, coalesce(r.observed, array_fill(NULL::bigint, ARRAY[cardinality(c.observed)])))
        IS DISTINCT FROM (c.id, c.desired, c.observed)
  RETURNING r.id
)
SELECT (SELECT count(*) FROM changed), coalesce(array_agg(id), '{{}}') FROM gone;

-- name: is_copy
-- Another table with all records that were there before is a copy, and a record that it lacks was deleted by somebody.
(SELECT coalesce(bool_and(k.former_id IS NOT NULL), false)
 FROM compose_init.record w
 LEFT JOIN compose_init.edit_before_migration e ON e.dataset_id = w.dataset_id AND e.id = w.id
 LEFT JOIN now k ON k.former_id = w.id
 WHERE w.dataset_id = {dataset} AND (e.id IS NULL OR e.shown IS NOT NULL))

-- name: write_carried
UPDATE compose_init.dataset SET fields = %(fields)s, key = %(key)s, fingerprint = '' WHERE id = %(dataset)s;

-- name: close
DELETE FROM compose_init.edit_before_migration;
DELETE FROM compose_init.before_migration;
