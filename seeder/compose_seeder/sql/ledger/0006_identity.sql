-- Format 6.

-- Several histories may share a database: each is its version table, which is called schema.name as SQL quotes it.
CREATE TABLE compose_init.history (
  version_table text PRIMARY KEY,
  table_oid oid NOT NULL
);
ALTER TABLE compose_init.revision ADD version_table text;
UPDATE compose_init.revision SET version_table = coalesce((
  SELECT format('%I.%I', n.parts[1], n.parts[2]) FROM pg_proc p, parse_ident(substring(p.prosrc FROM ' FROM (".*")$')) AS n (parts)
  WHERE p.pronamespace = 'compose_init'::regnamespace AND p.proname = 'current_revisions'), '');
INSERT INTO compose_init.history
SELECT DISTINCT version_table, to_regclass(version_table)::oid FROM compose_init.revision
WHERE version_table <> '' AND to_regclass(version_table) IS NOT NULL;
ALTER TABLE compose_init.revision ALTER version_table SET NOT NULL, DROP CONSTRAINT revision_pkey,
  ADD PRIMARY KEY (version_table, revision);
ALTER TABLE compose_init.phase ADD version_table text NOT NULL DEFAULT '';
ALTER TABLE compose_init.phase ALTER version_table DROP DEFAULT, DROP CONSTRAINT phase_pkey,
  ADD PRIMARY KEY (version_table, name);
DROP FUNCTION compose_init.current_revisions();
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

-- The key of each dataset: those fields whose hashes make the ids. A citext's are another hash, so its key stays unknown
-- until the next seeding.
ALTER TABLE compose_init.dataset ADD key text[];
WITH sample AS (
  SELECT d.id AS dataset_id, d.fields, s.id, s.desired
  FROM compose_init.dataset d
  CROSS JOIN LATERAL (SELECT * FROM compose_init.record r WHERE r.dataset_id = d.id LIMIT 20) s
), candidate AS (
  SELECT s.dataset_id, s.id, ARRAY[a.name] AS key, a.hash AS hash
  FROM sample s, unnest(s.fields, s.desired) AS a (name, hash)
  UNION ALL
  SELECT s.dataset_id, s.id, ARRAY[a.name, b.name], a.hash # b.hash
  FROM sample s, unnest(s.fields, s.desired) WITH ORDINALITY AS a (name, hash, n),
       unnest(s.fields, s.desired) WITH ORDINALITY AS b (name, hash, n)
  WHERE a.n < b.n
  UNION ALL
  SELECT s.dataset_id, s.id, ARRAY[a.name, b.name, c.name], a.hash # b.hash # c.hash
  FROM sample s, unnest(s.fields, s.desired) WITH ORDINALITY AS a (name, hash, n),
       unnest(s.fields, s.desired) WITH ORDINALITY AS b (name, hash, n),
       unnest(s.fields, s.desired) WITH ORDINALITY AS c (name, hash, n)
  WHERE a.n < b.n AND b.n < c.n
)
UPDATE compose_init.dataset d SET key = k.key
FROM (SELECT dataset_id, key FROM candidate GROUP BY 1, 2 HAVING bool_and(coalesce(hash = id, false))) k
WHERE k.dataset_id = d.id AND d.target LIKE 'table %';

-- How the hashes of each dataset were made: all of them in version 1.
ALTER TABLE compose_init.dataset ADD hash_version integer NOT NULL DEFAULT 1;

-- What a migration changes is no edit by hand.
CREATE TABLE compose_init.before_migration (
  dataset_id integer PRIMARY KEY,
  table_oid oid NOT NULL,
  table_name text NOT NULL,
  fields text[] NOT NULL,
  key text[] NOT NULL,
  columns jsonb NOT NULL
);
CREATE TABLE compose_init.edit_before_migration (
  dataset_id integer NOT NULL,
  id bigint NOT NULL,
  shown bigint[],
  PRIMARY KEY (dataset_id, id)
);

-- Tables are known by their oids and columns by their numbers, where format 5 had their names: the tables are looked up when
-- the ledger is next opened (binding.sql), by the names that the manifest had. Nothing is rewritten: columns without a
-- default change the catalog alone.
ALTER TABLE compose_init.format ADD ledger_oid oid, ADD system_identifier bigint;
ALTER TABLE compose_init.dataset ADD target_id integer, ADD written_as text;

CREATE TABLE compose_init.target (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  oid oid NOT NULL,
  schema_name name NOT NULL,
  table_name name NOT NULL,
  UNIQUE (oid) DEFERRABLE
);
CREATE TABLE compose_init.target_column (
  target_id integer NOT NULL,
  number smallint NOT NULL,
  name name NOT NULL,
  hashed_as name NOT NULL,
  PRIMARY KEY (target_id, number) DEFERRABLE
);

-- Each part of a name in double quotes: until now a name was read to the letter.
UPDATE compose_init.dataset SET written_as = (
  SELECT string_agg(CASE WHEN part[1] LIKE '"%' THEN part[1] ELSE '"' || part[1] || '"' END, '.' ORDER BY n)
  FROM regexp_matches(substr(target, 7), '"(?:[^"]|"")+"|[^".]+', 'g') WITH ORDINALITY AS p (part, n))
WHERE target LIKE 'table %';

-- What was sent to an endpoint stays in `intent` until the API has shown it; only then can it be deleted by hand. The
-- time of what an earlier format was about to send is the time of the upgrade.
ALTER TABLE compose_init.dataset ADD COLUMN others bigint[];
ALTER TABLE compose_init.intent ADD COLUMN sent_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE compose_init.intent ALTER COLUMN sent_at SET DEFAULT clock_timestamp();
ALTER TABLE compose_init.intent ADD COLUMN creates boolean NOT NULL DEFAULT true;
ALTER TABLE compose_init.intent ADD COLUMN is_shown boolean NOT NULL DEFAULT false;
ALTER TABLE compose_init.intent ADD COLUMN others bigint[];
UPDATE compose_init.intent i SET creates = false
WHERE EXISTS (SELECT FROM compose_init.record r WHERE (r.dataset_id, r.id) = (i.dataset_id, i.id));

-- What an API showed after a write, to tell its own members of nested values from those that people add.
ALTER TABLE compose_init.record ADD shown jsonb;

UPDATE compose_init.format SET version = 6;
