-- What the role may do with a table.

-- name: hiding_policies
-- The policies that may hide rows from this role, where no unique index would tell that a row has the key already.
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

-- name: missing_privileges
-- The role, the privileges that it lacks, and the policies of row-level security where they apply to it.
SELECT current_user::text,
       array_agg(p.name ORDER BY p.n) FILTER (WHERE NOT
         CASE p.name WHEN 'DELETE' THEN has_table_privilege(c.oid, p.name)
                     ELSE has_any_column_privilege(c.oid, p.name) END),
       bool_or(row_security_active(c.oid)),
       (SELECT coalesce(string_agg(polname, ', ' ORDER BY polname), 'none') FROM pg_policy WHERE polrelid = c.oid)
FROM pg_class c
CROSS JOIN unnest(%(needed)s::text[]) WITH ORDINALITY AS p (name, n)
WHERE c.oid = to_regclass(%(table)s) GROUP BY c.oid;
