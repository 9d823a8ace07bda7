-- References of records to others of the same file that are not there yet.

-- name: deferred_names
SELECT DISTINCT name FROM pg_temp.deferred_references ORDER BY name;

-- name: show_in_desired
-- 0 is the hash of no value: what is live differs from it.
UPDATE pg_temp.desired d
SET hashes[%(n)s::int] = 0, document = jsonb_set(d.document, ARRAY[%(name)s::text], w.value)
FROM pg_temp.deferred_references w WHERE w.name = %(name)s AND d.position = w.position;

-- name: deferred_values
SELECT DISTINCT value::text FROM pg_temp.deferred_references WHERE name = %(name)s AND in_this_file;

-- name: read_as_type
-- Fails where the column's type does not take one of the values.
SELECT count(p.{match}) FROM unnest(%(values)s::text[]) AS v (value)
CROSS JOIN LATERAL jsonb_to_record(jsonb_build_object({name}, v.value::jsonb)) AS p ({match} {type});

-- name: find_parents
-- The new records whose values are equal as the column's type has it.
UPDATE pg_temp.deferred_references w SET parent = f.parent, parents = f.parents
FROM (
  SELECT v.given, min(r.position) AS parent, count(*) AS parents
  FROM unnest(%(given)s::text[], %(values)s::text[]) AS v (given, value)
  CROSS JOIN LATERAL jsonb_to_record(jsonb_build_object({name}, v.value::jsonb)) AS p ({match} {type})
  CROSS JOIN (pg_temp.source_records r JOIN pg_temp.plan c ON c.position = r.position AND c.action = 'create'
              CROSS JOIN LATERAL jsonb_to_record(r.document) AS t ({match} {type}))
  WHERE t.{match} = p.{match}
  GROUP BY v.given
) f
WHERE w.name = %(name)s AND w.in_this_file AND w.value::text = f.given;

-- name: unresolved_references
-- References that would be written, and lead to no record or to several.
SELECT w.position, w.value #>> '{}', w.parents
FROM pg_temp.deferred_references w
JOIN pg_temp.plan c ON c.position = w.position
WHERE w.name = %(name)s AND w.in_this_file AND (c.action = 'create' OR c.fields -> %(name)s::text ? 'write')
  AND w.parents <> 1 ORDER BY w.position;

-- name: records_without_id
-- Records that are created, and whether a reference to them is deferred: all get an id, for one INSERT of all.
SELECT r.position, r.position IN (SELECT parent FROM pg_temp.deferred_references WHERE parent IS NOT NULL)
FROM pg_temp.source_records r JOIN pg_temp.plan p ON p.position = r.position AND p.action = 'create'
WHERE coalesce(r.document -> %(take)s::text, 'null') = 'null'
ORDER BY r.position;

-- name: default_expression
SELECT CASE WHEN a.attidentity <> '' THEN format('nextval(%%L::regclass)', pg_get_serial_sequence(%(table)s, %(column)s))
            ELSE pg_get_expr(f.adbin, f.adrelid) END
FROM pg_attribute a
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum AND a.attgenerated = ''
WHERE a.attrelid = to_regclass(%(table)s) AND a.attname = %(column)s;

-- name: allocate_ids
-- OFFSET 0: the default is evaluated once for each record.
UPDATE pg_temp.source_records r SET document = r.document || jsonb_build_object({take}, d.id), field_set = s.wide
FROM (SELECT u.position, {default} AS id FROM unnest(%(positions)s::int[]) AS u (position) OFFSET 0) d,
     unnest(%(narrow)s::int[], %(wide)s::int[]) AS s (narrow, wide)
WHERE r.position = d.position AND r.field_set = s.narrow;

-- name: insert_ids
UPDATE pg_temp.source_records r SET document = r.document || jsonb_build_object(w.name, p.document -> %(take)s::text)
FROM pg_temp.deferred_references w
JOIN pg_temp.source_records p ON p.position = w.parent
WHERE w.name = %(name)s AND r.position = w.position;

-- name: hash_ids
UPDATE pg_temp.desired d SET hashes[%(n)s::int] = h.hash
FROM pg_temp.deferred_references w
JOIN pg_temp.source_records r ON r.position = w.position
CROSS JOIN LATERAL (SELECT {hash} AS hash FROM jsonb_to_record(r.document) AS p ({name} {type})) h
WHERE w.name = %(name)s AND d.position = w.position;

-- name: copy_hashes_to_plan
UPDATE pg_temp.plan p SET hashes[%(n)s::int] = d.hashes[%(n)s::int]
FROM pg_temp.deferred_references w JOIN pg_temp.desired d ON d.position = w.position
WHERE w.name = %(name)s AND p.position = w.position AND (p.action = 'create' OR p.fields -> %(name)s::text ? 'write');

-- name: edges
SELECT position, parent FROM pg_temp.deferred_references WHERE position <> parent;
