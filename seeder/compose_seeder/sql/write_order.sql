-- The order in which rows are written, where PostgreSQL checks a constraint row by row or statement by statement. {…} are
-- from the catalog.

-- name: refers_to_itself
-- True where a foreign key leads to the table itself, and statements about it can be parts of one WITH, as rules forbid.
SELECT NOT t.relhasrules AND EXISTS (
  SELECT FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = t.oid
    AND (c.confrelid = t.oid OR c.confrelid IN (SELECT relid FROM pg_partition_ancestors(t.oid))))
FROM pg_class t WHERE t.oid = to_regclass(%(table)s);

-- name: unique_indexes
-- The unique indexes that are checked row by row: what they are about, as SQL; the columns; and those that may be null for
-- a while, where null is distinct and no foreign key refers to the index.
SELECT ARRAY(SELECT pg_get_indexdef(x.indexrelid, n, true) FROM generate_series(1, x.indnkeyatts) AS n),
       coalesce(pg_get_expr(x.indpred, x.indrelid), 'true'),
       CASE WHEN x.indexprs IS NULL AND x.indpred IS NULL THEN k.columns END,
       CASE WHEN coalesce(to_jsonb(x) ->> 'indnullsnotdistinct', 'false') = 'false'
             AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f' AND c.conindid = x.indexrelid)
            THEN coalesce(k.nullable, '{}') ELSE '{}' END
FROM pg_index x
CROSS JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY u.n) AS columns,
         array_agg(a.attname::text ORDER BY u.n) FILTER (WHERE NOT a.attnotnull AND a.attgenerated = '') AS nullable
  FROM (
    SELECT number, n FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS i (number, n) WHERE n <= x.indnkeyatts
    UNION ALL  -- columns within expressions
    SELECT d.refobjsubid, NULL FROM pg_depend d
    WHERE x.indexprs IS NOT NULL AND x.indpred IS NULL AND d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid AND d.refobjsubid > 0
  ) u
  JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.number
) k
WHERE x.indrelid = to_regclass(%(table)s) AND x.indisunique AND x.indimmediate;

-- name: takers
-- Pairs of updated records: the first is to have the values that the second has now, and gives up.
WITH changed AS (
  SELECT w.position, old.k AS old, new.k AS new
  FROM pg_temp.plan w
  JOIN pg_temp.source_records r ON r.position = w.position
  CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
  JOIN {table} t ON {match}
  LEFT JOIN LATERAL (SELECT ROW({values}) AS k FROM (SELECT {before}) AS u WHERE {predicate} AND ROW({values}) IS NOT NULL) old ON true
  LEFT JOIN LATERAL (SELECT ROW({values}) AS k FROM (SELECT {afterwards}) AS u WHERE {predicate} AND ROW({values}) IS NOT NULL) new ON true
  WHERE w.action = 'update'
)
SELECT n.position, o.position
FROM changed n JOIN changed o ON o.old = n.new AND o.position <> n.position AND o.new IS DISTINCT FROM o.old;

-- name: set_to_null
-- For a while, so that the values are free; in records that give the column another value afterwards.
UPDATE {table} t SET {column} = NULL
FROM pg_temp.plan w
JOIN pg_temp.source_records r ON r.position = w.position
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
WHERE w.action = 'update' AND {match} AND {some} AND w.fields -> {field} ? 'write';
