-- Revisions, and the sessions that migrate. The table is described in compose_seeder/sql/ledger/schema.sql.
-- Statements that SQLAlchemy's text() takes have parameters with a colon; for a cast they write CAST.

-- name: record_revisions
-- One text value, which every driver passes as it is; PostgreSQL does the typing.
INSERT INTO compose_init.revision AS r
SELECT n.revision, n.parents, n.depends_on, n.message, n.image_version, n.git_revision,
       n.breaks_older_images, n.adopted, CASE WHEN n.adopted THEN NULL ELSE clock_timestamp() END, n.seconds
FROM jsonb_to_recordset(CAST(CAST({rows} AS text) AS jsonb)) AS n (
  revision text, parents text[], depends_on text[], message text, image_version text, git_revision text,
  breaks_older_images boolean, adopted boolean, seconds double precision)
ON CONFLICT (revision) DO UPDATE SET
  parents = excluded.parents, depends_on = excluded.depends_on, message = excluded.message,
  image_version = excluded.image_version, git_revision = excluded.git_revision,
  breaks_older_images = excluded.breaks_older_images, adopted = excluded.adopted,
  applied_at = excluded.applied_at, seconds = excluded.seconds;

-- name: forget_revisions
DELETE FROM compose_init.revision WHERE revision = ANY (%(revisions)s);

-- name: revisions
SELECT revision, message, parents || depends_on AS before, image_version, git_revision, applied_at::text,
       seconds, adopted, breaks_older_images
FROM compose_init.revision ORDER BY applied_at NULLS FIRST, revision;

-- name: allow_role
-- The role that env.py connects as writes the revisions.
GRANT USAGE ON SCHEMA compose_init TO {role};
GRANT SELECT, INSERT, UPDATE ON compose_init.revision TO {role};

-- name: follow_version_table
-- A function with a text body depends on no table: the application may drop or move its own.
CREATE OR REPLACE FUNCTION compose_init.current_revisions() RETURNS text[] LANGUAGE sql STABLE AS {body};

-- name: schema_of_table
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:name);

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
