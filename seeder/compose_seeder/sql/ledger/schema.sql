-- The ledger: compose-init's own tables, schema compose_init of the application's database. Format 6.
--
-- A new database gets this file; an older ledger gets the files NNNN_*.sql that lead up to the same schema.
-- A change here is a new NNNN_*.sql, a new number in `format` below, and the same number in ledger_schema.py.
--
-- An image that was rolled back meets the ledger of a newer one, and must still be able to tell that the
-- database is ahead. What it reads for that keeps its name and meaning in every later format:
-- format.version, phase (name, inputs), revision, dataset (name, fingerprint, target_id, written_as),
-- target (id, oid).
--
-- No table holds values of records, only salted hashes: seeds may hold secrets.

-- One row.
CREATE TABLE compose_init.format (
  version integer PRIMARY KEY,    -- of this schema
  salt bigint NOT NULL            -- of every hash below: the hashes tell nothing outside this database
    DEFAULT hashtextextended(gen_random_uuid()::text, 0),
  ledger_oid oid,                 -- of the table record below, when it was last seen: a restored backup makes another one
  system_identifier bigint        -- of the cluster, as pg_control_system() says it; null where the role may not ask
);
INSERT INTO compose_init.format (version) VALUES (6);

-- The phases that the last run completed; a run that finds the same inputs again has nothing to do.
CREATE TABLE compose_init.phase (
  name text NOT NULL,             -- migrate, roles, seed, or seed:NAME:NAME for a run of some datasets
  inputs jsonb NOT NULL,          -- the fingerprint of each input, by its name or location
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  version_table text NOT NULL,    -- of the history that was migrated with it; '' where there is not exactly one
  PRIMARY KEY (version_table, name)
);

-- The runs that did something.
CREATE TABLE compose_init.run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  version text NOT NULL,          -- of compose-init
  outcome text NOT NULL,          -- as in the report
  exit_code integer NOT NULL,
  report jsonb NOT NULL           -- as --output json prints it
);

-- The histories of revisions. Several may share a database, with equal ids; each is its version table.
CREATE TABLE compose_init.history (
  version_table text PRIMARY KEY, -- schema.name, quoted as in SQL
  table_oid oid NOT NULL          -- a version table that is renamed or moved keeps its revisions
);

-- The Alembic revisions that are applied. Each row is written in the transaction that applies its revision.
CREATE TABLE compose_init.revision (
  revision text NOT NULL,         -- Alembic's id
  parents text[] NOT NULL,        -- down_revision
  depends_on text[] NOT NULL,     -- revisions of other branches that had to be applied before
  message text NOT NULL,          -- the first line of the file's docstring
  image_version text NOT NULL,    -- of the image that applied it; '' where unknown
  git_revision text NOT NULL,     -- of the same image
  breaks_older_images boolean NOT NULL, -- the revision's marker: images without this revision must not run
  adopted boolean NOT NULL,       -- it was applied before compose-init came, or by another tool
  applied_at timestamptz,         -- null for an adopted revision
  seconds double precision,       -- that it took; null for an adopted revision
  version_table text NOT NULL,    -- of its history
  PRIMARY KEY (version_table, revision)
);

-- The revisions in a version table; null where it is not there, or is another role's.
CREATE FUNCTION compose_init.current_revisions(version_table text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
  revisions text[];
BEGIN
  IF version_table <> '' AND has_table_privilege(to_regclass(version_table), 'SELECT') THEN
    EXECUTE format('SELECT array_agg(version_num::text ORDER BY version_num) FROM %s', to_regclass(version_table))
      INTO revisions;
  END IF;
  RETURN revisions;
END $$;

-- The datasets that were seeded.
CREATE TABLE compose_init.dataset (
  name text PRIMARY KEY,          -- as in the manifest
  id integer GENERATED ALWAYS AS IDENTITY UNIQUE, -- what the tables below call it
  target text NOT NULL,           -- "table NAME" or "endpoint PATH"
  fingerprint text NOT NULL,      -- of its inputs; '' while it is not completely applied
  records bigint NOT NULL,        -- how many records its source had
  fields text[] NOT NULL,         -- the order of the hashes in record.desired and record.observed
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  key text[],                     -- the fields of the key; null where an earlier format did not tell
  hash_version integer NOT NULL DEFAULT 1, -- how the hashes of its records were made: hashing.VERSION of that time
  target_id integer,              -- of the table; null for an endpoint
  written_as text,                -- the table's name in the manifest, as to_regclass() reads it; null for an endpoint
  others bigint[]                 -- of an endpoint: the ids of live records that no file names, before the last run sent
);

-- The tables that datasets fill. Its oid is the table; names are how people write it.
CREATE TABLE compose_init.target (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  oid oid NOT NULL,               -- as in pg_class
  schema_name name NOT NULL,      -- when it was last seen: by it a restored backup is found again
  table_name name NOT NULL,
  UNIQUE (oid) DEFERRABLE
);

-- The columns of these tables.
CREATE TABLE compose_init.target_column (
  target_id integer NOT NULL,
  number smallint NOT NULL,       -- as in pg_attribute
  name name NOT NULL,             -- when it was last seen; dataset.fields and dataset.key have it too
  hashed_as name NOT NULL,        -- in the salt of its hashes; no other column of the table has it, and no rename changes it
  PRIMARY KEY (target_id, number) DEFERRABLE
);

-- The records that compose-init wrote, or accepted as they were.
CREATE TABLE compose_init.record (
  dataset_id integer NOT NULL,
  id bigint NOT NULL,             -- the hash of the record's key
  desired bigint[] NOT NULL,      -- hash of each field as last written; null: never written, 0: owned by somebody else,
                                  -- 2: changed by a migration, so that nothing equals it
  observed bigint[],              -- hash of each field as the target showed it after the write, where it differed
  structure jsonb,                -- of an endpoint's record: each field as last written, a hash for each value in it
  shown jsonb,                    -- the same, as the API showed it after the write; 0 for somebody's edit. Of a table's
                                  -- record: hash of each column that it does not name, where a trigger had filled it or
                                  -- each row has another default; 0 for somebody's edit before a migration
  PRIMARY KEY (dataset_id, id)
) WITH (fillfactor = 90); -- a record that changes stays on its page, and the index as it is

-- The records that were about to be sent to an endpoint, and that the API has not shown since: what an interrupted run
-- may have written, and what the API has accepted and keeps from us. A record of which `record` has a row as well was
-- accepted.
CREATE TABLE compose_init.intent (
  dataset_id integer NOT NULL,
  id bigint NOT NULL,             -- as in record
  desired bigint[] NOT NULL,      -- as in record
  structure jsonb,                -- as in record
  sent_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- a request may be under way for some time after this
  creates boolean NOT NULL DEFAULT true, -- it was not there when it was sent: nobody has seen it yet
  is_shown boolean NOT NULL DEFAULT false, -- the answer to the request showed it, with more than was sent
  others bigint[],                -- ids of the live records that may be it, under another key; null: not looked for yet
  PRIMARY KEY (dataset_id, id)
);

-- The records of a source in the order of its file, some thousand to a row: the next run reads here which of them
-- have not changed.
CREATE TABLE compose_init.source (
  dataset_id integer NOT NULL,
  batch integer NOT NULL,         -- 0, 1, ...
  digests bytea NOT NULL,         -- of each record's text, 8 bytes each
  ids bytea NOT NULL,             -- record.id of each record, 8 bytes each, big-endian
  PRIMARY KEY (dataset_id, batch)
);
-- Hashes cannot be compressed.
ALTER TABLE compose_init.source ALTER digests SET STORAGE EXTERNAL, ALTER ids SET STORAGE EXTERNAL;

-- The seeded tables as they were before the first pending revision: from then until the ledger is carried over,
-- which is after the last revision, or when the next run begins.
CREATE TABLE compose_init.before_migration (
  dataset_id integer PRIMARY KEY,
  table_oid oid NOT NULL,
  table_name text NOT NULL,       -- schema-qualified and quoted, as far as the session needs it
  fields text[] NOT NULL,         -- as in dataset
  key text[] NOT NULL,            -- as in dataset
  columns jsonb NOT NULL          -- name -> {number, column, filled}, of every column
);

-- Of these tables, the records that were not as applied.
CREATE TABLE compose_init.edit_before_migration (
  dataset_id integer NOT NULL,
  id bigint NOT NULL,             -- as in record
  shown bigint[],                 -- hash of each field as the table showed it; null: the record was not there
  PRIMARY KEY (dataset_id, id)
);
