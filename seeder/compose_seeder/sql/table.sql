-- A table as a target. {…} are identifiers and types from the catalog.

-- name: columns
WITH RECURSIVE base AS (
  SELECT oid, typname, typbasetype, typcategory, oid AS of FROM pg_type
  WHERE oid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = to_regclass(%(table)s))
  UNION ALL
  SELECT t.oid, t.typname, t.typbasetype, t.typcategory, base.of
  FROM base JOIN pg_type t ON t.oid = base.typbasetype
)
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
       a.attgenerated <> '' OR c.relkind = 'v' AND pg_relation_is_updatable(c.oid, false) & 4 = 4
         AND NOT pg_column_is_updatable(c.oid, a.attnum, false),
       base.typname, base.typcategory,
       coalesce((SELECT format(' COLLATE %%I.%%I', n.nspname, l.collname)
                 FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                 WHERE l.oid = a.attcollation AND NOT l.collisdeterministic), '')
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND (
  c.relkind IN ('r', 'p') OR c.relkind = 'v' AND pg_relation_is_updatable(c.oid, true) & 12 = 12)  -- UPDATE and INSERT
JOIN base ON base.of = a.atttypid AND base.typbasetype = 0
WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: hash_defaults
SELECT ARRAY[{hashes}]::bigint[] FROM (SELECT {defaults}) AS p;

-- name: tables
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)
  AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace);

-- name: kind
SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%(table)s);

-- name: check_key_type
-- Fails where the type has no equality that an index could use: not only `=`, which compares the areas of boxes.
SELECT DISTINCT k FROM (SELECT NULL::{type}) AS t (k);

-- name: find_references
-- Values are read as the column's type, as those of records are.
SELECT v.n, to_jsonb(t.{take})::text
FROM jsonb_array_elements(%(values)s::jsonb) WITH ORDINALITY AS v (value, n)
CROSS JOIN LATERAL jsonb_to_record(jsonb_build_object({name}, v.value)) AS p ({match} {type})
JOIN {table} t ON t.{match} = p.{match};

-- name: hash_references
-- The hashes of values as a key's: equal where the column's type says equal.
SELECT v.n, {hash}
FROM jsonb_array_elements(%(values)s::jsonb) WITH ORDINALITY AS v (value, n)
CROSS JOIN LATERAL jsonb_to_record(jsonb_build_object({name}, v.value)) AS p ({match} {type});

-- name: hash_created_keys
SELECT DISTINCT unnest(ARRAY[{hashes}]::bigint[])
FROM pg_temp.source_records r
JOIN pg_temp.plan c ON c.position = r.position AND c.action = 'create'
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed});

-- name: copy_source_records
COPY pg_temp.source_records (position, field_set, document) FROM STDIN;

-- name: copy_deferred_references
COPY pg_temp.deferred_references (position, name, value, in_this_file) FROM STDIN;

-- name: fill_desired
-- The named fields alone, read by PostgreSQL as the columns' types, and back as canonical jsonb.
INSERT INTO pg_temp.desired (position, id, key, document, hashes)
SELECT r.position, {id}, jsonb_build_array({key}), to_jsonb(d.*), ARRAY[{hashes}]::bigint[]
FROM pg_temp.source_records r
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
CROSS JOIN LATERAL (SELECT {fields}) AS d
WHERE r.field_set = %(field_set)s;

-- name: fill_live
INSERT INTO pg_temp.live (id, key, document, hashes)
SELECT {id} AS id, jsonb_build_array({key}) AS key, to_jsonb(d.*) AS document,
       ARRAY[{hashes}]::bigint[] AS hashes
FROM {table} t
CROSS JOIN LATERAL (SELECT {fields} OFFSET 0) AS d
WHERE {condition};

-- name: rows_by_id
-- The rows that the file or the ledger names; all of the table is read for it.
{id} IN (SELECT id FROM pg_temp.desired UNION ALL SELECT id FROM pg_temp.applied)

-- name: rows_by_key
-- The rows that the file names; by an index, where there is one.
({key}) IN (SELECT {wanted} FROM pg_temp.source_records r CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed}))

-- name: rows_of_removed_records
-- The rows that the ledger names, and the file does not.
{id} IN (SELECT id FROM pg_temp.applied EXCEPT SELECT id FROM pg_temp.desired)

-- name: estimate_records
-- Two booleans: the records are few compared with the rows of the table; the ledger names records that the file does not.
SELECT c.reltuples > 20 * (SELECT count(*) FROM pg_temp.source_records),
       EXISTS (SELECT id FROM pg_temp.applied EXCEPT SELECT id FROM pg_temp.desired)
FROM pg_class c WHERE c.oid = to_regclass(%(table)s);

-- name: insert
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {fields}
FROM pg_temp.plan w
JOIN pg_temp.source_records r ON r.position = w.position
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
WHERE w.action = 'create' AND r.field_set = {field_set} AND {some} AND {after}
ORDER BY w.position

-- name: written_fields
SELECT DISTINCT f.key FROM pg_temp.plan w CROSS JOIN LATERAL jsonb_each(w.fields) f
WHERE w.action = 'update' AND f.value ? 'write' ORDER BY f.key;

-- name: update
UPDATE {table} t SET {assignments}
FROM pg_temp.plan w
JOIN pg_temp.source_records r ON r.position = w.position
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
WHERE w.action = 'update' AND {match} AND {some} AND {after}

-- name: some_positions
w.position IN (SELECT unnest({positions}::int[]))

-- name: delete
DELETE FROM {table} t USING pg_temp.plan w
WHERE w.action = 'delete' AND {id} = w.id AND (%(ids)s::bigint[] IS NULL OR w.id = ANY (%(ids)s));

-- name: deletes
SELECT id, key FROM pg_temp.plan WHERE action = 'delete' ORDER BY key::text;

-- name: may_rewrite_rows
-- True where a row may differ from what was written: by a trigger, a rule, or a policy that hides it.
SELECT c.relhasrules OR row_security_active(c.oid) OR EXISTS (
  SELECT FROM pg_trigger g
  WHERE (g.tgrelid = c.oid OR g.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))
    AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 20 <> 0)
FROM pg_class c WHERE c.oid = to_regclass(%(table)s);

-- name: fill_written_rows
INSERT INTO pg_temp.written_rows (id, hashes)
SELECT {id}, ARRAY[{hashes}]::bigint[] FROM {table} t
WHERE {id} IN (SELECT id FROM pg_temp.plan WHERE action IN ('create', 'update'));

-- name: missing_rows
SELECT p.position FROM pg_temp.plan p
WHERE p.action IN ('create', 'update') AND NOT EXISTS (SELECT FROM pg_temp.written_rows s WHERE s.id = p.id)
ORDER BY p.position;

-- name: record_rewritten_values
-- Where a written field shows another value, that value is the observed one: nobody edited it by hand.
UPDATE pg_temp.plan p SET observed = (
  SELECT CASE WHEN count(e.seen) > 0 THEN array_agg(e.seen ORDER BY e.n) END FROM (
    SELECT f.n, CASE
      WHEN f.desired IS NULL THEN f.seen
      WHEN f.hash IS NULL OR f.shown = f.hash THEN NULL
      WHEN f.once AND p.action = 'update' OR p.fields -> f.name ->> 'outcome' IN ('drift', 'conflict')
           AND NOT p.fields -> f.name ? 'write' THEN f.seen
      ELSE f.shown END AS seen
    FROM unnest(%(fields)s::text[], %(once)s::boolean[], d.hashes, p.hashes, p.observed, s.hashes) WITH ORDINALITY
      AS f (name, once, desired, hash, seen, shown, n)
  ) e
)
FROM pg_temp.written_rows s, pg_temp.desired d WHERE s.id = p.id AND d.position = p.position;

-- name: rewritten_fields
-- Of the records that were just written: which fields show another value.
SELECT p.position, array_agg(f.name ORDER BY f.n)
FROM pg_temp.plan p
JOIN pg_temp.written_rows s ON s.id = p.id
CROSS JOIN LATERAL unnest(%(fields)s::text[], p.observed, s.hashes) WITH ORDINALITY AS f (name, seen, shown, n)
WHERE f.seen = f.shown AND (p.action = 'create' OR p.fields -> f.name ? 'write')
GROUP BY p.position ORDER BY p.position;

-- name: positions_by_action
SELECT position FROM pg_temp.plan WHERE action = %(action)s ORDER BY position;

-- name: field_sets
SELECT DISTINCT field_set FROM pg_temp.source_records WHERE position = ANY (%(positions)s);

-- name: read_as_jsonb
-- Fails where jsonb cannot hold one of the texts.
SELECT count(t::jsonb) FROM unnest(%(texts)s::text[]) AS u (t);

-- name: sequence
-- The column's own, or the one that its default takes numbers from; and the ids after which it has a next number.
SELECT q.seqrelid::regclass::text, q.seqincrement > 0, has_sequence_privilege(q.seqrelid, 'SELECT'),
       least(q.seqmin - least(q.seqincrement::numeric, 0), q.seqmax)::bigint,
       greatest(q.seqmax - greatest(q.seqincrement::numeric, 0), q.seqmin)::bigint
FROM pg_sequence q WHERE q.seqrelid = coalesce(pg_get_serial_sequence(%(table)s, %(column)s)::regclass::oid, (
  SELECT s.oid
  FROM pg_attribute a
  JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
  WHERE a.attrelid = to_regclass(%(table)s) AND a.attname = %(column)s LIMIT 1
));

-- name: table_of_rows
-- The table that has the rows: the table itself, or of a view the one table that has a column of this name, where the
-- role may read it.
SELECT coalesce(min(d.refobjid::regclass::text) FILTER (WHERE c.relkind = 'v'), c.oid::regclass::text)
FROM pg_class c
LEFT JOIN (pg_rewrite r
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attname = %(column)s
) ON r.ev_class = c.oid AND d.refobjid <> c.oid
WHERE c.oid = to_regclass(%(table)s)
GROUP BY c.oid HAVING count(DISTINCT d.refobjid) <= 1 AND bool_and(has_table_privilege(coalesce(d.refobjid, c.oid), 'SELECT'));

-- name: furthest_id
SELECT {furthest}({column})::bigint FROM {table} WHERE {column} BETWEEN %(lowest)s AND %(highest)s;

-- name: sequence_state
SELECT last_value, is_called FROM {sequence}

-- name: visible_sequence_state
-- What a role with USAGE alone is told.
SELECT coalesce(pg_sequence_last_value(q.seqrelid), q.seqstart), pg_sequence_last_value(q.seqrelid) IS NOT NULL

-- name: advance_sequence
-- To the last of its own numbers up to the id, so that its numbers stay the same ones; never against its direction.
SELECT setval(q.seqrelid, (s.last_value + n.steps * q.seqincrement)::bigint)
FROM pg_sequence q
CROSS JOIN LATERAL ({state}) AS s (last_value, is_called)
CROSS JOIN LATERAL (SELECT div(%(id)s::numeric - s.last_value, q.seqincrement) AS steps) AS n
WHERE q.seqrelid = %(sequence)s::regclass AND n.steps >= s.is_called::int
  AND CASE WHEN q.seqincrement > 0 THEN %(id)s >= s.last_value ELSE %(id)s <= s.last_value END;
