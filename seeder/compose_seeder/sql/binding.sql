-- What the ledger knows the application's tables by, brought up to the catalog. {…} are conditions of this file.

-- name: oid
-- The table that a name of a manifest leads to.
SELECT to_regclass(%(relation)s)::oid::bigint;

-- name: may_ask_system_identifier
SELECT has_function_privilege('pg_control_system()', 'EXECUTE');

-- name: system_identifier
SELECT system_identifier FROM pg_control_system();

-- name: is_restored
-- True where the ledger's own table is not the one that it was written as: a backup was restored, into this cluster or
-- another one. Null where the ledger has not noted it yet, or notes less than is known now.
SELECT CASE WHEN f.ledger_oid IS NULL OR f.system_identifier IS NULL AND %(system)s::bigint IS NOT NULL THEN NULL
       ELSE f.ledger_oid <> 'compose_init.record'::regclass OR coalesce(f.system_identifier <> %(system)s, false) END
FROM compose_init.format f;

-- name: note_origin
UPDATE compose_init.format
SET ledger_oid = 'compose_init.record'::regclass, system_identifier = coalesce(%(system)s, system_identifier);

-- name: is_bound
-- True where each table and column that the ledger knows has its name still, and no table has a column more; and while
-- migrations run, where the manifest names no other table.
SELECT NOT EXISTS (
    SELECT FROM compose_init.before_migration b
    JOIN compose_init.dataset d ON d.id = b.dataset_id
    WHERE to_regclass(d.written_as) <> b.table_oid)
  AND NOT EXISTS (SELECT FROM compose_init.dataset WHERE written_as IS NOT NULL AND target_id IS NULL)
  AND NOT EXISTS (
    SELECT FROM compose_init.target t
    LEFT JOIN pg_class c ON c.oid = t.oid
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.relname, n.nspname) IS DISTINCT FROM (t.table_name, t.schema_name))
  AND NOT EXISTS (
    SELECT FROM compose_init.target_column k
    JOIN compose_init.target t ON t.id = k.target_id
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
    WHERE a.attname IS DISTINCT FROM k.name)
  AND NOT EXISTS (
    SELECT FROM compose_init.target t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE NOT EXISTS (SELECT FROM compose_init.target_column k WHERE k.target_id = t.id AND k.number = a.attnum));

-- name: forget_targets
-- Tables that are not there any more: nothing of what was applied to them is anywhere.
WITH targets AS (DELETE FROM compose_init.target t WHERE NOT EXISTS ({table}) RETURNING id),
  columns AS (DELETE FROM compose_init.target_column WHERE target_id IN (SELECT id FROM targets)),
  datasets AS (
    DELETE FROM compose_init.dataset
    WHERE target_id IN (SELECT id FROM targets) OR written_as IS NOT NULL AND target_id IS NULL
    RETURNING id),
  records AS (DELETE FROM compose_init.record WHERE dataset_id IN (SELECT id FROM datasets)),
  intents AS (DELETE FROM compose_init.intent WHERE dataset_id IN (SELECT id FROM datasets)),
  sources AS (DELETE FROM compose_init.source WHERE dataset_id IN (SELECT id FROM datasets))
DELETE FROM compose_init.phase
WHERE (name = 'seed' OR name LIKE 'seed:%%') AND EXISTS (SELECT FROM datasets);

-- name: table_of_oid
SELECT FROM pg_class c WHERE c.oid = t.oid

-- name: table_of_name
SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = t.table_name AND n.nspname = t.schema_name AND c.relkind IN ('r', 'p', 'v')

-- name: find_tables_by_name
UPDATE compose_init.target t SET oid = c.oid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = t.table_name AND n.nspname = t.schema_name AND c.oid <> t.oid;

-- name: find_columns_by_name
-- A column that is not there gets a number that no column has.
UPDATE compose_init.target_column k SET number = coalesce((
  SELECT a.attnum FROM compose_init.target t JOIN pg_attribute a ON a.attrelid = t.oid
  WHERE t.id = k.target_id AND a.attname = k.name AND a.attnum > 0), -k.number);

-- name: follow_replaced_tables
-- While migrations run: what the manifest names is another table now, which has been made since the first look and has the
-- key, as a copy or a view has it. Or the table is gone, and another one has its name. What stays of its records is decided
-- when the ledger is carried over.
WITH named AS (
  SELECT b.table_oid, c.oid, 1 AS preference
  FROM compose_init.before_migration b
  JOIN compose_init.dataset d ON d.id = b.dataset_id
  JOIN pg_class c ON c.oid = to_regclass(d.written_as) AND c.oid <> b.table_oid
  WHERE b.key <@ ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped)
    -- A rename leaves the rows that describe a table's columns as they were.
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND age(a.xmin) >= age(b.xmin))
    AND NOT EXISTS (SELECT FROM compose_init.dataset o
                    WHERE o.target_id = d.target_id AND to_regclass(o.written_as) = b.table_oid)
  UNION ALL
  SELECT b.table_oid, to_regclass(b.table_name), 2
  FROM compose_init.before_migration b
  WHERE to_regclass(b.table_name) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = b.table_oid)
), replacing AS (
  SELECT DISTINCT ON (f.oid) f.table_oid, f.oid
  FROM (SELECT DISTINCT ON (table_oid) table_oid, oid FROM named ORDER BY table_oid, preference) f
  ORDER BY f.oid
), replaced AS (
  UPDATE compose_init.target t SET oid = f.oid FROM replacing f
  WHERE t.oid = f.table_oid AND NOT EXISTS (SELECT FROM compose_init.target o WHERE o.oid = f.oid)
  RETURNING t.id
)
DELETE FROM compose_init.target_column WHERE target_id IN (SELECT id FROM replaced);

-- name: follow_recreated_views
-- A view has no rows of its own: one that was dropped and created again, as for a column more, is the same target.
WITH recreated AS (
  UPDATE compose_init.target t SET oid = c.oid
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = t.table_name AND n.nspname = t.schema_name AND c.relkind = 'v'
    AND NOT EXISTS (SELECT FROM pg_class o WHERE o.oid = t.oid)
    AND NOT EXISTS (SELECT FROM compose_init.target o WHERE o.oid = c.oid)
  RETURNING t.id
)
DELETE FROM compose_init.target_column WHERE target_id IN (SELECT id FROM recreated);

-- name: bind_datasets
-- Datasets of a ledger that knew tables by their names alone.
WITH targets AS (
  INSERT INTO compose_init.target (oid, schema_name, table_name)
  SELECT DISTINCT c.oid, n.nspname, c.relname
  FROM compose_init.dataset d
  JOIN pg_class c ON c.oid = to_regclass(d.written_as)
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE d.target_id IS NULL AND NOT EXISTS (SELECT FROM compose_init.target t WHERE t.oid = c.oid)
  RETURNING id, oid
)
UPDATE compose_init.dataset d SET target_id = t.id
FROM (SELECT id, oid FROM targets UNION SELECT id, oid FROM compose_init.target) t
WHERE d.target_id IS NULL AND t.oid = to_regclass(d.written_as);

-- name: rename_fields
-- The catalog gives a dropped column a name that no column can have.
WITH renamed AS (
  SELECT k.target_id, k.name AS before,
         coalesce(a.attname, format('........pg.dropped.%%s........', -k.number)) AS after
  FROM compose_init.target_column k
  JOIN compose_init.target t ON t.id = k.target_id
  LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number AND a.attnum > 0
  WHERE a.attname IS DISTINCT FROM k.name
)
UPDATE compose_init.dataset d
SET fields = ARRAY(
      SELECT coalesce(r.after::text, f.name) FROM unnest(d.fields) WITH ORDINALITY AS f (name, n)
      LEFT JOIN renamed r ON r.target_id = d.target_id AND r.before = f.name ORDER BY f.n),
    key = CASE WHEN d.key IS NOT NULL THEN ARRAY(
      SELECT coalesce(r.after::text, f.name) FROM unnest(d.key) WITH ORDINALITY AS f (name, n)
      LEFT JOIN renamed r ON r.target_id = d.target_id AND r.before = f.name ORDER BY f.n) END
WHERE d.target_id IN (SELECT target_id FROM renamed);

-- name: rename_columns
UPDATE compose_init.target_column k SET name = a.attname
FROM compose_init.target t JOIN pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped
WHERE t.id = k.target_id AND a.attnum = k.number AND a.attnum > 0 AND a.attname <> k.name;

-- name: compare_again
-- Where a column was dropped, another one may have its name: no record's text tells any more that all of it was applied.
WITH datasets AS (
  UPDATE compose_init.dataset d SET fingerprint = ''
  FROM compose_init.target_column k JOIN compose_init.target t ON t.id = k.target_id
  WHERE d.target_id = k.target_id AND format('........pg.dropped.%%s........', abs(k.number)) = ANY (d.fields)
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = k.number AND NOT a.attisdropped)
  RETURNING d.id
), sources AS (
  UPDATE compose_init.source SET digests = decode(repeat('00', octet_length(digests)), 'hex')
  WHERE dataset_id IN (SELECT id FROM datasets)
)
DELETE FROM compose_init.phase
WHERE (name = 'seed' OR name LIKE 'seed:%%') AND EXISTS (SELECT FROM datasets);

-- name: forget_columns
DELETE FROM compose_init.target_column k
WHERE NOT EXISTS (
  SELECT FROM compose_init.target t JOIN pg_attribute a ON a.attrelid = t.oid
  WHERE t.id = k.target_id AND a.attnum = k.number AND a.attnum > 0 AND NOT a.attisdropped);

-- name: add_columns
-- Two columns of a table never have one salt: a new one may have the name that an older one had.
INSERT INTO compose_init.target_column (target_id, number, name, hashed_as)
SELECT t.id, a.attnum, a.attname, CASE
  WHEN EXISTS (SELECT FROM compose_init.target_column k WHERE k.target_id = t.id AND k.hashed_as = a.attname)
    THEN format('%%s %%s', a.attnum, a.attname)::name ELSE a.attname END
FROM compose_init.target t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE NOT EXISTS (SELECT FROM compose_init.target_column k WHERE k.target_id = t.id AND k.number = a.attnum);

-- name: rename_tables
UPDATE compose_init.target t SET schema_name = n.nspname, table_name = c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = t.oid AND (c.relname, n.nspname) <> (t.table_name, t.schema_name);
