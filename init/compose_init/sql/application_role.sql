-- The application's role, as the catalog has it. `application_schemas` and `application_relations` are put into
-- the others.

-- name: application_schemas
-- What belongs to PostgreSQL itself or to an extension is not the application's.
  SELECT n.* FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')

-- name: application_relations
-- Not in here: partitions, which are reached through their table, and sequences of identity columns, which need no
-- privilege. The version table, whatever its name, is the table that has version_num and nothing else. What belongs
-- to a role that neither we nor the migrations are is another application's.
  WITH named AS ({application_schemas}), found AS (
    SELECT c.*, n.nspname, c.relkind = 'r' AND (
      SELECT array_agg(a.attname::text) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = ARRAY['version_num'] AS is_version
    FROM pg_class c JOIN named n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype = 'i' AND d.refclassid = 'pg_class'::regclass)))
  SELECT f.* FROM found f
  WHERE pg_has_role(current_user, f.relowner, 'MEMBER')
     OR f.relowner IN (SELECT v.relowner FROM found v WHERE v.is_version)
     OR f.relowner = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)

-- name: role
SELECT quote_ident(r.rolname), quote_ident(current_database()), quote_ident(current_user),
       r.rolcanlogin, r.rolsuper, r.rolcreatedb OR r.rolcreaterole,
       has_database_privilege(r.oid, d.oid, 'CONNECT'), has_database_privilege(r.oid, d.oid, 'CREATE'),
       d.datdba = r.oid
FROM pg_roles r, pg_database d WHERE r.rolname = %(role)s AND d.datname = current_database();

-- name: schemas
SELECT quote_ident(n.nspname), has_schema_privilege(r.oid, n.oid, 'USAGE'),
       has_schema_privilege(r.oid, n.oid, 'CREATE'), n.nspowner = r.oid
FROM ({application_schemas}) n, pg_roles r WHERE r.rolname = %(role)s ORDER BY 1;

-- name: relations
SELECT quote_ident(c.nspname), format('%%I.%%I', c.nspname, c.relname), c.relkind::text, c.is_version,
       c.relowner = r.oid, ARRAY(
         SELECT p FROM unnest(CASE c.relkind WHEN 'S' THEN ARRAY['USAGE'] ELSE
                ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] END) p
         WHERE CASE c.relkind WHEN 'S' THEN has_sequence_privilege(r.oid, c.oid, p)
               ELSE has_table_privilege(r.oid, c.oid, p) END)
FROM ({application_relations}) c, pg_roles r WHERE r.rolname = %(role)s
ORDER BY c.relkind = 'S', 2 -- a sequence goes with its table, where that gets another owner;

-- name: memberships
-- By a group that it is directly a member of, it is or may become the owner of something, or may write everything.
SELECT quote_ident(g.rolname), string_agg(quote_ident(o.rolname), ', ' ORDER BY o.rolname)
FROM pg_roles r JOIN pg_auth_members m ON m.member = r.oid JOIN pg_roles g ON g.oid = m.roleid, pg_roles o
WHERE r.rolname = %(role)s AND pg_has_role(g.oid, o.oid, 'MEMBER') AND (
  o.rolname IN (current_user, 'pg_write_all_data')
  OR o.oid IN (SELECT datdba FROM pg_database WHERE datname = current_database())
  OR o.oid IN (SELECT relowner FROM ({application_relations}) c))
GROUP BY g.rolname ORDER BY 1;
