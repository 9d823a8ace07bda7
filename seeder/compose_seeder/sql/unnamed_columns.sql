-- Columns that no record names. {…} are from the catalog.

-- name: defaults
-- The columns that the table does not compute itself, what an INSERT without the column gives, and whether other rows may
-- know the row by it. Null where that is not the same in each row, by a function that is not immutable such as now() or nextval(),
-- and where the table behind a view gives it.
SELECT a.attname, CASE
         WHEN c.relkind = 'v' AND d.adbin IS NULL THEN NULL
         WHEN a.attidentity <> '' OR b.tree::text ~ 'SQLVALUEFUNCTION|NEXTVALUEEXPR' OR EXISTS (
           SELECT FROM regexp_matches(b.tree::text, ':(?:opfuncid|funcid) (\d+)', 'g') AS m
           JOIN pg_proc f ON f.oid = m[1]::oid WHERE f.provolatile <> 'i') THEN NULL
         ELSE coalesce(pg_get_expr(b.tree, b.relation), quote_nullable(t.typdefault)) END,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey))
         OR EXISTS (SELECT FROM pg_constraint f WHERE f.confrelid = a.attrelid AND f.contype = 'f' AND a.attnum = ANY (f.confkey))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (SELECT coalesce(d.adbin, t.typdefaultbin) AS tree,
                           CASE WHEN d.adbin IS NULL THEN 0 ELSE a.attrelid END AS relation) b
WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum;

-- name: fill_edited_columns
INSERT INTO pg_temp.edited_columns (id, columns)
SELECT p.id, {filled} FROM pg_temp.plan p
JOIN {table} t ON {id} = p.id
LEFT JOIN pg_temp.applied a ON a.id = p.id
WHERE p.action = 'update';

-- name: record_shown
-- Of the rows just written, the columns that do not hold their default: a trigger has filled them, or each row has another
-- default. What somebody filled before an update is left as it is known.
UPDATE compose_init.record r SET shown = f.shown
FROM (
  SELECT p.id, jsonb_strip_nulls(jsonb_object(ARRAY[{names}]::text[], ARRAY[{hashes}]::text[]))
           - coalesce(e.columns, '{{}}')
           - ARRAY(SELECT f.name FROM unnest(%(fields)s::text[], p.hashes) AS f (name, hash) WHERE f.hash IS NOT NULL)
           || coalesce((SELECT jsonb_object_agg(s.key, s.value) FROM jsonb_each(a.shown) s
                        WHERE s.key = ANY (e.columns)), '{{}}') AS shown
  FROM pg_temp.plan p
  JOIN {table} t ON {id} = p.id
  LEFT JOIN pg_temp.applied a ON a.id = p.id
  LEFT JOIN pg_temp.edited_columns e ON e.id = p.id
  WHERE p.action = 'create' OR %(updated)s AND p.action = 'update'
) f
WHERE r.dataset_id = %(dataset)s AND r.id = f.id AND r.shown IS DISTINCT FROM f.shown;
