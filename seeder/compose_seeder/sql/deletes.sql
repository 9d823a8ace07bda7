-- What else a delete would take with it: values of others in the row, and rows that refer to it. {…} are from the catalog.

-- name: planned_deletes
SELECT count(*) FROM pg_temp.plan WHERE action = 'delete';

-- name: fill_rows
INSERT INTO pg_temp.rows_to_change (id, relation, row)
SELECT p.id, t.tableoid, t.ctid
FROM pg_temp.plan p JOIN {table} t ON {id} = p.id
WHERE p.action = 'delete';

-- name: add_planned_rows
INSERT INTO pg_temp.rows_to_change (relation, row, columns)
SELECT (r ->> 0)::oid, (r ->> 1)::tid,
       CASE WHEN jsonb_typeof(r -> 2) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(r -> 2)) END
FROM jsonb_array_elements(%(rows)s::jsonb) AS u (r);

-- name: rows_that_a_plan_changes
SELECT t.tableoid, t.ctid::text, CASE WHEN p.action = 'update' THEN ARRAY(
         SELECT f.key FROM jsonb_each(p.fields) f WHERE f.value ? 'write') END
FROM pg_temp.plan p JOIN {table} t ON {id} = p.id
WHERE p.action IN ('delete', 'update');

-- name: keep_filled
-- A row with somebody's value in a column that its record does not name.
UPDATE pg_temp.plan p SET action = 'kept', why = 'edited by hand: ' || array_to_string(f.filled, ', ')
FROM (
  SELECT r.id, {filled} AS filled
  FROM pg_temp.rows_to_change r
  JOIN {table} t ON t.ctid = r.row AND t.tableoid = r.relation
  LEFT JOIN pg_temp.applied a ON a.id = r.id
  WHERE r.id IS NOT NULL
) f
WHERE f.id = p.id AND p.action = 'delete' AND f.filled <> '{{}}';

-- name: forget_kept
DELETE FROM pg_temp.rows_to_change r USING pg_temp.plan p WHERE p.id = r.id AND p.action <> 'delete';

-- name: foreign_keys
-- The foreign keys that lead to rows of a table: to itself, to what it is a partition of, and to its partitions and the
-- tables that inherit from it. Of partitions, the catalog repeats the constraints: conparentid leads to the first.
WITH RECURSIVE below AS (
  SELECT to_regclass(%(table)s)::oid AS oid
  UNION SELECT i.inhrelid FROM pg_inherits i JOIN below ON below.oid = i.inhparent
), around AS (
  SELECT oid FROM below
  UNION SELECT relid FROM pg_partition_ancestors(to_regclass(%(table)s))
), changing AS (
  SELECT unnest(%(changing)s::oid[]) AS oid
  UNION SELECT i.inhrelid FROM pg_inherits i JOIN changing ON changing.oid = i.inhparent
)
SELECT c.conrelid::regclass::text, CASE r.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || c.conrelid::regclass,
       CASE g.relkind WHEN 'p' THEN ARRAY(SELECT relid::oid FROM pg_partition_tree(c.confrelid))
                      ELSE ARRAY[c.confrelid] END,
       k.columns, k.condition, c.confdeltype::text,
       has_schema_privilege(r.relnamespace, 'USAGE') AND has_table_privilege(r.oid, 'SELECT')
         AND NOT row_security_active(r.oid),
       %(changing)s::oid[] IS NULL OR EXISTS (
         SELECT FROM changing
         WHERE changing.oid = r.oid OR changing.oid IN (SELECT relid FROM pg_partition_tree(r.oid)))
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_class g ON g.oid = c.confrelid
CROSS JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY u.n) AS columns,
         string_agg(format('t.%%I OPERATOR(%%I.%%s) o.%%I', b.attname, s.nspname, e.oprname, a.attname), ' AND ') AS condition
  FROM unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS u (referring, referred, operator, n)
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.referring
  JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = u.referred
  JOIN pg_operator e ON e.oid = u.operator
  JOIN pg_namespace s ON s.oid = e.oprnamespace
) k
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid IN (SELECT oid FROM around)
  AND coalesce(to_jsonb(c) ->> 'conenforced', 'true') = 'true'  -- PostgreSQL 18 has NOT ENFORCED
ORDER BY 1, c.conname;

-- name: fill_references
INSERT INTO pg_temp.references_to_deletes (id, holder, number, rows)
SELECT r.id, h.id, %(number)s, count(*)
FROM pg_temp.rows_to_change r
JOIN {table} t ON t.ctid = r.row AND t.tableoid = r.relation
JOIN {referring} o ON {condition}
LEFT JOIN pg_temp.rows_to_change h ON h.relation = o.tableoid AND h.row = o.ctid
WHERE r.id IS NOT NULL AND r.relation = ANY (%(relations)s::oid[])
  AND h.id IS DISTINCT FROM r.id
  AND (h.relation IS NULL OR h.id IS NOT NULL OR NOT coalesce(h.columns && %(columns)s::text[], true))
GROUP BY r.id, h.id;

-- name: fill_unseen_references
INSERT INTO pg_temp.references_to_deletes (id, number)
SELECT id, %(number)s FROM pg_temp.rows_to_change WHERE id IS NOT NULL AND relation = ANY (%(relations)s::oid[]);

-- name: keep_referred
-- A record is in use where a row that stays refers to it, which may be the row of another record that is in use.
WITH RECURSIVE in_use AS (
  SELECT id FROM pg_temp.references_to_deletes WHERE holder IS NULL
  UNION SELECT r.id FROM in_use u JOIN pg_temp.references_to_deletes r ON r.holder = u.id
), reasons AS (
  SELECT r.id, r.number, sum(r.rows) AS rows
  FROM pg_temp.references_to_deletes r
  WHERE r.id IN (SELECT id FROM in_use) AND (r.holder IS NULL OR r.holder IN (SELECT id FROM in_use))
  GROUP BY r.id, r.number
)
UPDATE pg_temp.plan p SET action = CASE WHEN f.may_change THEN 'postponed' ELSE 'in_use' END, why = f.why
FROM (
  SELECT s.id, bool_or(k.may_change) AS may_change, string_agg(
           replace(CASE WHEN s.rows IS NULL THEN k.unseen WHEN s.rows = 1 THEN k.one ELSE k.many END, '{n}', coalesce(s.rows::text, '')),
           '; ' ORDER BY s.number) AS why
  FROM reasons s
  JOIN unnest(%(may_change)s::boolean[], %(unseen)s::text[], %(one)s::text[], %(many)s::text[])
    WITH ORDINALITY AS k (may_change, unseen, one, many, number) ON k.number = s.number
  GROUP BY s.id
) f
WHERE f.id = p.id AND p.action = 'delete';
