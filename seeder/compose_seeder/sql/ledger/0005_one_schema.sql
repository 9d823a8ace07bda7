-- Format 5. Until format 4 migrating made its tables and seeding made its own, each when it was first needed:
-- what is missing is made as format 4 had it. Then the columns get the names that the code uses. Nothing is
-- rewritten: a rename changes the catalog alone.

CREATE TABLE IF NOT EXISTS compose_init.format (
  version integer PRIMARY KEY,
  salt bigint NOT NULL DEFAULT hashtextextended(gen_random_uuid()::text, 0)
);
INSERT INTO compose_init.format (version) SELECT 4 WHERE NOT EXISTS (SELECT FROM compose_init.format);
CREATE TABLE IF NOT EXISTS compose_init.phase (
  name text PRIMARY KEY,
  inputs jsonb NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS compose_init.run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  version text NOT NULL,
  outcome text NOT NULL,
  exit_code integer NOT NULL,
  report jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS compose_init.revision (
  revision text PRIMARY KEY,
  parents text[] NOT NULL,
  depends_on text[] NOT NULL,
  message text NOT NULL,
  image_version text NOT NULL,
  git_revision text NOT NULL,
  breaks_older_images boolean NOT NULL,
  adopted boolean NOT NULL,
  applied_at timestamptz,
  seconds double precision
);
DO $$ BEGIN
  IF to_regproc('compose_init.current_revisions') IS NULL THEN
    CREATE FUNCTION compose_init.current_revisions() RETURNS text[] LANGUAGE sql STABLE
      AS 'SELECT ARRAY[]::text[]';
  END IF;
END $$;
CREATE TABLE IF NOT EXISTS compose_init.dataset (
  name text PRIMARY KEY,
  number integer GENERATED ALWAYS AS IDENTITY UNIQUE,
  target text NOT NULL,
  fingerprint text NOT NULL,
  records bigint NOT NULL,
  fields text[] NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS compose_init.record (
  dataset integer NOT NULL,
  id bigint NOT NULL,
  desired bigint[] NOT NULL,
  observed bigint[],
  shape jsonb,
  PRIMARY KEY (dataset, id)
) WITH (fillfactor = 90);
CREATE TABLE IF NOT EXISTS compose_init.intent (
  dataset integer NOT NULL,
  id bigint NOT NULL,
  desired bigint[] NOT NULL,
  shape jsonb,
  PRIMARY KEY (dataset, id)
);
CREATE TABLE IF NOT EXISTS compose_init.source (
  dataset integer NOT NULL,
  batch integer NOT NULL,
  digests bytea NOT NULL,
  ids bytea NOT NULL,
  PRIMARY KEY (dataset, batch)
);
ALTER TABLE compose_init.source ALTER digests SET STORAGE EXTERNAL, ALTER ids SET STORAGE EXTERNAL;

ALTER TABLE compose_init.dataset RENAME number TO id;
ALTER TABLE compose_init.dataset RENAME CONSTRAINT dataset_number_key TO dataset_id_key;
ALTER SEQUENCE compose_init.dataset_number_seq RENAME TO dataset_id_seq;
ALTER TABLE compose_init.record RENAME dataset TO dataset_id;
ALTER TABLE compose_init.record RENAME shape TO structure;
ALTER TABLE compose_init.intent RENAME dataset TO dataset_id;
ALTER TABLE compose_init.intent RENAME shape TO structure;
ALTER TABLE compose_init.source RENAME dataset TO dataset_id;

UPDATE compose_init.format SET version = 5;
