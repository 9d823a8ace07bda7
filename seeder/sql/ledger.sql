-- The tool's own tables. A record's `hashes` hold, by field, what this tool last wrote: the hash of
-- the desired value, or [desired, observed] where the target showed another value right after the
-- write; null where a field was seen and is not ours. Never the values: seeds may hold secrets.

-- name: exists
SELECT to_regclass('compose_init.record') IS NOT NULL AS present;

-- name: create
CREATE SCHEMA IF NOT EXISTS compose_init;
CREATE TABLE IF NOT EXISTS compose_init.format (version integer PRIMARY KEY);
INSERT INTO compose_init.format SELECT 1 WHERE NOT EXISTS (SELECT FROM compose_init.format);
CREATE TABLE IF NOT EXISTS compose_init.dataset (
  name text PRIMARY KEY,
  target text NOT NULL,
  fingerprint text NOT NULL,
  records bigint NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS compose_init.record (
  dataset text NOT NULL,
  key jsonb NOT NULL,
  digest text,
  hashes jsonb NOT NULL,
  PRIMARY KEY (dataset, key)
);

-- name: format
SELECT version FROM compose_init.format;

-- name: dataset
SELECT target, fingerprint, records FROM compose_init.dataset WHERE name = %(name)s;

-- name: record_dataset
INSERT INTO compose_init.dataset (name, target, fingerprint, records)
VALUES (%(name)s, %(target)s, %(fingerprint)s, %(records)s)
ON CONFLICT (name) DO UPDATE
SET target = excluded.target, fingerprint = excluded.fingerprint, records = excluded.records,
    applied_at = clock_timestamp();

-- name: forget_dataset
DELETE FROM compose_init.record WHERE dataset = %(name)s;

-- name: forget_fingerprint
UPDATE compose_init.dataset SET fingerprint = '' WHERE name = %(name)s AND fingerprint <> '';

-- name: applied
CREATE TEMP VIEW applied AS
SELECT key, digest, hashes FROM compose_init.record WHERE dataset = {name};

-- name: nothing_applied
CREATE TEMP VIEW applied AS
SELECT NULL::jsonb AS key, NULL::text AS digest, NULL::jsonb AS hashes WHERE false;

-- name: record_applied
-- What the plan says about every record, or about those that need no write, into the ledger.
INSERT INTO compose_init.record AS r (dataset, key, digest, hashes)
SELECT %(dataset)s, p.key, p.digest, p.hashes
FROM pg_temp.plan p
WHERE p.hashes IS NOT NULL AND (NOT %(unwritten_only)s OR p.action = 'none')
ON CONFLICT (dataset, key) DO UPDATE SET digest = excluded.digest, hashes = excluded.hashes
WHERE (r.digest, r.hashes) IS DISTINCT FROM (excluded.digest, excluded.hashes);

-- name: record_observed
-- Records of an endpoint that were written, each with what the API was seen to hold after it.
INSERT INTO compose_init.record AS r (dataset, key, digest, hashes)
SELECT %(dataset)s, p.key, p.digest, p.hashes || coalesce((
    SELECT jsonb_object_agg(f, jsonb_build_array(p.hashes -> f, pg_temp.hash(o.document -> f)))
    FROM jsonb_object_keys(o.document) AS f
    WHERE jsonb_typeof(p.hashes -> f) = 'string' AND p.hashes ->> f <> pg_temp.hash(o.document -> f)
  ), '{}')
FROM unnest(%(positions)s::int[], %(observed)s::jsonb[]) AS o (position, document)
JOIN pg_temp.plan p ON p.position = o.position
ON CONFLICT (dataset, key) DO UPDATE SET digest = excluded.digest, hashes = excluded.hashes;

-- name: forget_gone
-- Records that the file no longer holds: no longer owned.
DELETE FROM compose_init.record r
USING pg_temp.plan p
WHERE r.dataset = %(dataset)s AND r.key = p.key AND p.position IS NULL;
