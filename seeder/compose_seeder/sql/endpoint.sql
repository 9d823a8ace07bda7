-- An endpoint as a target: both sides come over HTTP and are compared in PostgreSQL.

-- name: raw
CREATE TEMP TABLE raw (position integer, key jsonb, document jsonb, shape jsonb);
CREATE TEMP TABLE raw_live (key jsonb, document jsonb);

-- name: desired
CREATE TEMP TABLE desired AS
SELECT r.position, pg_temp.hash(r.key) AS id, r.key, r.document, h.hashes, r.shape
FROM pg_temp.raw r
CROSS JOIN LATERAL (
  SELECT array_agg(pg_temp.hash(r.document -> field) ORDER BY n) AS hashes
  FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS f (field, n)
) h;

-- name: live
CREATE TEMP TABLE live AS
SELECT pg_temp.hash(r.key) AS id, r.key, r.document, h.hashes
FROM pg_temp.raw_live r
CROSS JOIN LATERAL (
  SELECT array_agg(pg_temp.hash(r.document -> field) ORDER BY n) AS hashes
  FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS f (field, n)
) h
WHERE pg_temp.hash(r.key) IN (SELECT id FROM pg_temp.desired UNION ALL SELECT id FROM pg_temp.applied);

-- name: changed
-- Records whose seed is not what was last applied.
SELECT d.position
FROM pg_temp.desired d
LEFT JOIN pg_temp.applied a ON a.id = d.id
WHERE a.desired IS DISTINCT FROM d.hashes;

-- name: begun
-- Whether a killed run was about to send something.
SELECT EXISTS (SELECT FROM pg_temp.applied WHERE intended IS NOT NULL);

-- name: gone
-- Records that the file no longer holds, and how they were nested.
SELECT a.id, a.shape FROM pg_temp.applied a
WHERE NOT EXISTS (SELECT FROM pg_temp.desired d WHERE d.id = a.id);

-- name: ids
SELECT pg_temp.hash(key) FROM unnest(%(keys)s::jsonb[]) WITH ORDINALITY AS k (key, n) ORDER BY n;

-- name: writes
SELECT position, key, action, fields FROM pg_temp.plan
WHERE action IN ('create', 'update') ORDER BY position;

-- name: deletes
SELECT id, key FROM pg_temp.plan WHERE action = 'delete' ORDER BY key::text;

-- name: since
-- Changes with each run that applied the dataset as a whole, and not with one that broke off.
SELECT applied_at FROM compose_init.dataset WHERE id = %(dataset)s;

-- name: ids_of
SELECT id FROM pg_temp.plan WHERE position = ANY (%(positions)s);

-- name: intended
-- Of the records that are looked at again: those that were about to be sent.
CREATE TEMP TABLE applied AS
SELECT i.id, NULL::bigint[] AS desired, NULL::bigint[] AS observed, i.structure AS shape, i.desired AS intended
FROM compose_init.intent i WHERE i.dataset_id = %(dataset)s AND i.id IN (SELECT id FROM pg_temp.open);

-- name: found
SELECT position FROM pg_temp.plan WHERE position = ANY (%(positions)s) AND action <> 'create';
