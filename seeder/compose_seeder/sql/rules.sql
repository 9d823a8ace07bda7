-- What a table asks of its rows, and which records of a plan would break it. {…} are from the catalog.

-- name: rules
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
  AND coalesce(to_jsonb(c) ->> 'conenforced', 'true') = 'true'  -- PostgreSQL 18 has some that are not
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

-- name: required
-- The columns that are NOT NULL, and whether they have a value where nobody gives one.
SELECT a.attname, a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull;

-- name: changed_before
-- Whether triggers may change rows before their rules are looked at: those that are new, those that are updated.
SELECT coalesce(bool_or(tgtype & 4 <> 0), false), coalesce(bool_or(tgtype & 16 <> 0), false)
FROM pg_trigger
WHERE (tgrelid = to_regclass(%(table)s)
       OR tgrelid IN (SELECT relid FROM pg_partition_tree(to_regclass(%(table)s))))
  AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 3 = 3;

-- name: new
SELECT w.position, b.broken, sum(cardinality(b.broken)) OVER ()
FROM pg_temp.plan w
JOIN pg_temp.raw r ON r.position = w.position
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
CROSS JOIN LATERAL (
  SELECT array_remove(ARRAY[{broken}]::int[], NULL) AS broken FROM (SELECT {fields}) AS new
) b
WHERE w.action = 'create' AND r.shape = %(shape)s AND b.broken <> '{{}}'
ORDER BY w.position LIMIT %(limit)s;

-- name: updated
SELECT w.position, b.broken, sum(cardinality(b.broken)) OVER ()
FROM pg_temp.plan w
JOIN pg_temp.raw r ON r.position = w.position
CROSS JOIN LATERAL jsonb_to_record(r.document) AS p ({typed})
JOIN {table} t ON {match}
CROSS JOIN LATERAL (
  SELECT array_remove(ARRAY[{broken}]::int[], NULL) AS broken FROM (SELECT {fields}) AS new
) b
WHERE w.action = 'update' AND b.broken <> '{{}}'
ORDER BY w.position LIMIT %(limit)s;

-- name: holder
-- The row that has a record's values in some columns already.
SELECT jsonb_build_array({key}) FROM {table} t
JOIN jsonb_to_record(%(document)s::jsonb) AS p ({typed}) ON {same} LIMIT 1;

-- name: holder_in_file
-- The first record before it that has the same values there.
SELECT min(r.position) FROM pg_temp.raw r
CROSS JOIN LATERAL jsonb_to_record(r.document) AS t ({typed})
JOIN jsonb_to_record(%(document)s::jsonb) AS p ({typed}) ON {same}
WHERE r.position < %(position)s;

-- name: misfits_function
-- For one record: [field, SQLSTATE, message, constraint] of each field that its column does not take.
CREATE OR REPLACE FUNCTION pg_temp.misfits(document jsonb) RETURNS jsonb LANGUAGE plpgsql AS {body};

-- name: misfits_body
DECLARE
  faults jsonb := '[]';
  message text;
  constraint_name text;
BEGIN
  {fields}
  RETURN faults;
END

-- name: misfits_field
  IF document ? {name} THEN
    BEGIN
      PERFORM count(row_to_json(p.*)) FROM jsonb_to_record(document) AS p ({typed});
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, constraint_name = CONSTRAINT_NAME;
      faults := faults || jsonb_build_array(jsonb_build_array({name}, SQLSTATE, message, constraint_name));
    END;
  END IF;

-- name: misfits
SELECT r.position, m.found, sum(jsonb_array_length(m.found)) OVER ()
FROM pg_temp.raw r CROSS JOIN LATERAL (SELECT pg_temp.misfits(r.document) AS found OFFSET 0) m
WHERE m.found <> '[]'
ORDER BY r.position LIMIT %(limit)s;

-- name: labels
-- The values of an enum, or of the enum that an array has.
SELECT e.enumlabel FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_enum e ON e.enumtypid IN (t.oid, t.typelem, t.typbasetype)
WHERE a.attrelid = to_regclass(%(table)s) AND a.attname = %(column)s
ORDER BY e.enumsortorder;

-- name: domain_rule
-- Of the column's own domain first: a domain may be made of another, and names are not unique.
SELECT pg_get_constraintdef(oid) FROM pg_constraint
WHERE contypid <> 0 AND conname = %(name)s
ORDER BY contypid = to_regtype(%(type)s) DESC NULLS LAST LIMIT 1;

-- name: hides
-- The policies that may hide rows from this role, where no unique index would tell that one has the key already.
SELECT current_user::text, coalesce(string_agg(p.polname, ', ' ORDER BY p.polname), 'none')
FROM pg_class c
LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polcmd IN ('r', '*') AND EXISTS (
  SELECT FROM unnest(p.polroles) AS r (oid) WHERE CASE r.oid WHEN 0 THEN true ELSE pg_has_role(r.oid, 'USAGE') END)
WHERE c.oid = to_regclass(%(table)s) AND row_security_active(c.oid) AND NOT EXISTS (
  SELECT FROM pg_index i
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND NOT 0 = ANY (i.indkey)
    AND (SELECT bool_and(a.attname = ANY (%(key)s)) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])))
GROUP BY c.oid
HAVING coalesce(bool_or(NOT p.polpermissive), false)
    OR NOT coalesce(bool_or(p.polpermissive AND pg_get_expr(p.polqual, p.polrelid) = 'true'), false);

-- name: lacking
SELECT current_user::text,
       array_agg(p.name ORDER BY p.n) FILTER (WHERE NOT
         CASE p.name WHEN 'DELETE' THEN has_table_privilege(c.oid, p.name)
                     ELSE has_any_column_privilege(c.oid, p.name) END),
       bool_or(row_security_active(c.oid)),
       (SELECT coalesce(string_agg(polname, ', ' ORDER BY polname), 'none') FROM pg_policy WHERE polrelid = c.oid)
FROM pg_class c
CROSS JOIN unnest(%(needed)s::text[]) WITH ORDINALITY AS p (name, n)
WHERE c.oid = to_regclass(%(table)s) GROUP BY c.oid;
