-- The types that a table's row is made of, as the catalog describes them. `parts_of_type` is put into `parts`.

-- name: parts_of_type
-- A vector of oids or numbers is no array here: it has a text of its own.
SELECT 'array' AS kind, '' AS name, t.typelem AS part, 1 AS place
WHERE t.typcategory = 'A' AND t.typtype = 'b' AND t.typlen = -1 AND t.typelem <> 0
UNION ALL SELECT 'domain', '', t.typbasetype, 1 WHERE t.typtype = 'd'
UNION ALL SELECT 'range', '', r.rngsubtype, 1 FROM pg_range r WHERE r.rngtypid = t.oid
UNION ALL SELECT 'multirange', '', r.rngtypid, 1 FROM pg_range r WHERE r.rngmultitypid = t.oid
UNION ALL SELECT 'composite', a.attname, a.atttypid, a.attnum FROM pg_attribute a
WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped

-- name: parts
-- A row for each type within a type, and one without a part for each type that has none. The row's own type is the first.
WITH RECURSIVE within AS (
  SELECT t.oid, t.typname, p.*, 1 AS depth
  FROM pg_class c JOIN pg_type t ON t.oid = c.reltype LEFT JOIN LATERAL ({parts_of_type}) p ON true
  WHERE c.oid = to_regclass(%(table)s)
  UNION
  SELECT t.oid, t.typname, p.*, w.depth + 1
  FROM within w JOIN pg_type t ON t.oid = w.part LEFT JOIN LATERAL ({parts_of_type}) p ON true
)
SELECT oid::bigint, typname, coalesce(kind, ''), coalesce(name, ''), part::bigint
FROM within
GROUP BY oid, typname, kind, name, part, place
ORDER BY min(depth), oid, place;
