-- The constraints of a table, and the records of a plan that would violate them. {…} are from the catalog.

-- name: constraints
SELECT c.conname, c.contype::text, k.columns, pg_get_constraintdef(c.oid), pg_get_expr(c.conbin, c.conrelid),
       CASE WHEN c.contype = 'f' THEN c.confrelid::regclass::text END, f.columns,
       CASE WHEN c.contype = 'f' AND c.confrelid <> c.conrelid
            THEN has_table_privilege(c.confrelid, 'SELECT') AND NOT row_security_active(c.confrelid)
                 AND coalesce(to_jsonb(c) ->> 'conperiod', 'false') = 'false'
            ELSE c.contype = 'c' END
FROM pg_constraint c
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(a.attname::text ORDER BY u.n), '{}') AS columns
  FROM unnest(c.conkey) WITH ORDINALITY AS u (number, n)
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.number
) k
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(a.attname::text ORDER BY u.n), '{}') AS columns
  FROM unnest(c.confkey) WITH ORDINALITY AS u (number, n)
  JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = u.number
) f
WHERE c.conrelid = to_regclass(%(table)s) AND c.contype IN ('c', 'f')
  AND coalesce(to_jsonb(c) ->> 'conenforced', 'true') = 'true'  -- PostgreSQL 18 has NOT ENFORCED
UNION ALL
SELECT i.relname, CASE WHEN x.indisexclusion THEN 'x' ELSE 'u' END, k.columns,
       coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.oid)), NULL, NULL, '{}', false
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.conrelid = x.indrelid
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(a.attname::text ORDER BY u.n), '{}') AS columns
  FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS u (number, n)
  JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.number
  WHERE u.n <= x.indnkeyatts
) k
WHERE x.indrelid = to_regclass(%(table)s) AND (x.indisunique OR x.indisexclusion);

-- name: not_null_columns
-- The columns that are NOT NULL, and whether they have a default.
SELECT a.attname, a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull;

-- name: triggers_before
-- Two booleans, for INSERT and for UPDATE: triggers may change rows before their constraints are checked.
SELECT coalesce(bool_or(tgtype & 4 <> 0), false), coalesce(bool_or(tgtype & 16 <> 0), false)
FROM pg_trigger
WHERE (tgrelid = to_regclass(%(table)s)
       OR tgrelid IN (SELECT relid FROM pg_partition_tree(to_regclass(%(table)s))))
  AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 3 = 3;

-- name: violations_of_new_rows
SELECT w.position, b.violated, sum(cardinality(b.violated)) OVER ()
FROM pg_temp.plan w
JOIN pg_temp.source_records r ON r.position = w.position
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
CROSS JOIN LATERAL (
  SELECT array_remove(ARRAY[{violated}]::int[], NULL) AS violated FROM (SELECT {fields}) AS new
) b
WHERE w.action = 'create' AND r.field_set = %(field_set)s AND b.violated <> '{{}}'
ORDER BY w.position LIMIT %(limit)s;

-- name: violations_of_updated_rows
SELECT w.position, b.violated, sum(cardinality(b.violated)) OVER ()
FROM pg_temp.plan w
JOIN pg_temp.source_records r ON r.position = w.position
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
JOIN {table} t ON {match}
CROSS JOIN LATERAL (
  SELECT array_remove(ARRAY[{violated}]::int[], NULL) AS violated FROM (SELECT {fields}) AS new
) b
WHERE w.action = 'update' AND b.violated <> '{{}}'
ORDER BY w.position LIMIT %(limit)s;

-- name: conflicting_row
-- The row that has a record's values in some columns already, and whether the plan gives it others.
SELECT jsonb_build_array({key}), EXISTS (
  SELECT FROM pg_temp.plan w
  WHERE w.id = {id} AND w.action = 'update' AND jsonb_path_exists(w.fields, '$.*.write')
    AND w.fields ?| %(columns)s::text[])
FROM {table} t
JOIN jsonb_to_record(%(document)s::jsonb) AS p ({typed}) ON {equal} LIMIT 1;

-- name: conflicting_record
-- The first record before a record that has the same values there.
SELECT min(r.position) FROM pg_temp.source_records r
CROSS JOIN LATERAL jsonb_to_record(r.document) AS t ({typed})
JOIN jsonb_to_record(%(document)s::jsonb) AS p ({typed}) ON {equal}
WHERE r.position < %(position)s;
