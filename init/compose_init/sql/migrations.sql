-- Revisions, and the sessions that migrate. The table is described in compose_seeder/sql/ledger/schema.sql.
-- Statements that SQLAlchemy's text() takes have parameters with a colon; for a cast they write CAST.

-- name: record_revisions
-- One text value, which every driver passes as it is; PostgreSQL does the typing.
INSERT INTO compose_init.revision AS r
SELECT n.revision, n.parents, n.depends_on, n.message, n.image_version, n.git_revision,
       n.breaks_older_images, n.adopted, CASE WHEN n.adopted THEN NULL ELSE clock_timestamp() END, n.seconds,
       n.version_table
FROM jsonb_to_recordset(CAST(CAST({rows} AS text) AS jsonb)) AS n (
  revision text, parents text[], depends_on text[], message text, image_version text, git_revision text,
  breaks_older_images boolean, adopted boolean, seconds double precision, version_table text)
ON CONFLICT (version_table, revision) DO UPDATE SET
  parents = excluded.parents, depends_on = excluded.depends_on, message = excluded.message,
  image_version = excluded.image_version, git_revision = excluded.git_revision,
  breaks_older_images = excluded.breaks_older_images, adopted = excluded.adopted,
  applied_at = excluded.applied_at, seconds = excluded.seconds;

-- name: forget_revisions
DELETE FROM compose_init.revision WHERE version_table = %(version_table)s AND revision = ANY (%(revisions)s);

-- name: revisions
SELECT revision, message, parents || depends_on AS before, image_version, git_revision, applied_at::text,
       seconds, adopted, breaks_older_images
-- A ledger of an earlier format has one history, and no name for it.
FROM compose_init.revision r
WHERE coalesce(to_jsonb(r)->>'version_table', %(version_table)s) = %(version_table)s
ORDER BY applied_at NULLS FIRST, revision;

-- name: allow_role
-- The role that env.py connects as writes the revisions.
GRANT USAGE ON SCHEMA compose_init TO {role};
GRANT SELECT, INSERT, UPDATE ON compose_init.revision TO {role};

-- name: remember_history
-- A version table that was renamed or moved keeps its revisions: it has the same oid, and its old name is nobody's.
WITH renamed AS (
  SELECT h.version_table FROM compose_init.history h
  WHERE h.table_oid = %(oid)s AND h.version_table <> %(name)s AND to_regclass(h.version_table) IS NULL
    AND NOT EXISTS (SELECT FROM compose_init.history WHERE version_table = %(name)s)
), moved AS (
  UPDATE compose_init.revision r SET version_table = %(name)s FROM renamed o WHERE r.version_table = o.version_table
), forgotten AS (
  DELETE FROM compose_init.phase p USING renamed o WHERE p.version_table = o.version_table
), removed AS (
  DELETE FROM compose_init.history h USING renamed o WHERE h.version_table = o.version_table
)
INSERT INTO compose_init.history AS h VALUES (%(name)s, %(oid)s)
ON CONFLICT (version_table) DO UPDATE SET table_oid = excluded.table_oid WHERE h.table_oid <> excluded.table_oid;

-- name: version_table
-- As it will be called, where it is not there yet.
SELECT f.schema, f.name, format('%I.%I', f.schema, f.name), CAST(w.oid AS bigint)
FROM (SELECT to_regclass(:quoted) AS oid) AS w
LEFT JOIN pg_class c ON c.oid = w.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT coalesce(n.nspname, CAST(:schema AS name), current_schema()) AS schema,
                           coalesce(c.relname, CAST(:name AS name)) AS name) AS f;

-- name: snapshot
SELECT CAST(pg_current_snapshot() AS text);

-- name: committed_since
-- The objects whose rows in the catalog are newer than a snapshot. A row's xmin has 32 of its transaction's 64 bits; the
-- snapshot's own end is near enough to tell the others. What a transaction did up to the last revision that it
-- recorded in the ledger is that revision's.
WITH since AS (
  SELECT CAST(%(snapshot)s AS pg_snapshot) AS snapshot,
         pg_snapshot_xmax(CAST(%(snapshot)s AS pg_snapshot))::text::bigint AS newest
), row_of AS (
  SELECT 'pg_class'::regclass AS class, oid AS object, xmin, cmin FROM pg_class
  WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'i', 'I') AND relnamespace <> 'pg_toast'::regnamespace
  UNION ALL SELECT 'pg_class'::regclass, attrelid, xmin, cmin FROM pg_attribute WHERE attnum > 0
    AND attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f'))
  UNION ALL SELECT 'pg_constraint'::regclass, oid, xmin, cmin FROM pg_constraint WHERE conrelid <> 0 AND contype <> 'n'
  UNION ALL SELECT 'pg_type'::regclass, oid, xmin, cmin FROM pg_type WHERE typtype IN ('e', 'd', 'r')
  UNION ALL SELECT 'pg_type'::regclass, enumtypid, xmin, cmin FROM pg_enum
  UNION ALL SELECT 'pg_proc'::regclass, oid, xmin, cmin FROM pg_proc
  UNION ALL SELECT 'pg_trigger'::regclass, oid, xmin, cmin FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT 'pg_policy'::regclass, oid, xmin, cmin FROM pg_policy
  UNION ALL SELECT 'pg_namespace'::regclass, oid, xmin, cmin FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT 'pg_extension'::regclass, oid, xmin, cmin FROM pg_extension
)
SELECT DISTINCT i.type || ' ' || i.identity
FROM since s, row_of r
CROSS JOIN LATERAL (SELECT (r.xmin::text::bigint - s.newest %% 4294967296) AS distance) AS d
CROSS JOIN LATERAL (SELECT s.newest + d.distance + CASE WHEN d.distance < -2147483648 THEN 4294967296
                                                        WHEN d.distance > 2147483648 THEN -4294967296 ELSE 0 END AS id) AS x
CROSS JOIN LATERAL pg_identify_object(r.class, r.object, 0) AS i
WHERE r.xmin::text::bigint >= 3 AND x.id > 0 AND NOT pg_visible_in_snapshot(x.id::text::xid8, s.snapshot)
  AND coalesce(i.schema, '') <> 'compose_init' AND i.identity <> 'compose_init'
  AND coalesce(i.schema, '') !~ '^pg_' AND i.identity !~ '(^| on )pg_(temp|toast)' -- temporary tables of any session
  AND NOT EXISTS (SELECT FROM compose_init.revision v
                  WHERE v.xmin = r.xmin AND r.cmin::text::bigint <= v.cmin::text::bigint)
ORDER BY 1;

-- name: session
-- Two sessions lead to the same database where the first two values are equal.
SELECT current_database(), extract(epoch FROM pg_postmaster_start_time()),
       pg_backend_pid(), current_user, session_user;

-- name: invalid_indexes
-- A partitioned index (relkind I) is not valid until all its parts are attached: a build left nothing there.
SELECT n.nspname, c.relname,
  EXISTS (SELECT FROM pg_locks l WHERE l.relation = i.indrelid AND l.pid <> pg_backend_pid()
          AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND {condition};
