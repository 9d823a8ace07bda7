-- An endpoint as a target: both sides come over HTTP and are compared in PostgreSQL.

-- name: copy_source_records
COPY pg_temp.source_records (position, key, document, structure) FROM STDIN;

-- name: copy_fetched_records
COPY pg_temp.fetched_records (key, document, decided, structure) FROM STDIN;

-- name: fill_desired
INSERT INTO pg_temp.desired (position, id, key, document, hashes, structure)
SELECT r.position, pg_temp.hash(r.key), r.key, r.document, h.hashes, r.structure
FROM pg_temp.source_records r
CROSS JOIN LATERAL (
  SELECT array_agg(pg_temp.hash(r.document -> field) ORDER BY n) AS hashes
  FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS f (field, n)
) h;

-- name: fill_live
INSERT INTO pg_temp.live (id, key, document, hashes, decided, structure)
SELECT pg_temp.hash(r.key), r.key, r.document, h.hashes, r.decided, r.structure
FROM pg_temp.fetched_records r
CROSS JOIN LATERAL (
  SELECT array_agg(pg_temp.hash(r.document -> field) ORDER BY n) AS hashes
  FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS f (field, n)
) h
WHERE pg_temp.hash(r.key) IN (SELECT id FROM pg_temp.desired UNION ALL SELECT id FROM pg_temp.applied);

-- name: changed_positions
-- Records whose seed is not what was last applied.
SELECT d.position
FROM pg_temp.desired d
LEFT JOIN pg_temp.applied a ON a.id = d.id
WHERE EXISTS (SELECT FROM unnest(d.hashes, a.desired) AS e (desired, applied)
              WHERE desired IS NOT NULL AND applied IS DISTINCT FROM desired);

-- name: has_intents
-- True where an earlier run sent something, or was about to, that nobody has seen since.
SELECT EXISTS (SELECT FROM pg_temp.applied WHERE intended IS NOT NULL);

-- name: open_seconds
-- How long what earlier runs sent may still be under way: until the API shows it. Null where nothing is under way.
WITH shown AS (
  SELECT pg_temp.hash(s.key) AS id, s.document
  FROM unnest(%(keys)s::jsonb[], %(documents)s::jsonb[]) AS s (key, document)
)
SELECT extract(epoch FROM max(i.sent_at) + make_interval(secs => %(seconds)s) - clock_timestamp())::float
FROM compose_init.intent i
JOIN compose_init.dataset t ON t.id = i.dataset_id
LEFT JOIN shown s ON s.id = i.id
WHERE t.id = %(dataset)s AND i.others IS NULL
  AND (i.creates AND s.id IS NULL OR NOT i.creates AND EXISTS (
    SELECT FROM unnest(t.fields, i.desired) AS f (name, hash)
    WHERE f.hash <> 0 AND s.document ? f.name AND pg_temp.hash(s.document -> f.name) <> f.hash));

-- name: unseen_records
-- What earlier runs sent, and the API does not show.
SELECT i.id, d.position, i.others, i.is_shown, i.sent_at::text
FROM compose_init.intent i JOIN pg_temp.desired d ON d.id = i.id
WHERE i.dataset_id = %(dataset)s AND NOT i.id = ANY (%(shown)s);

-- name: known_ids
-- The records that are no other name of one that was sent: those that were there before, and those that were sent
-- themselves, although the file may not name them any more.
SELECT coalesce(others, '{}')
  || ARRAY(SELECT id FROM compose_init.intent WHERE dataset_id = %(dataset)s)
  || ARRAY(SELECT id FROM compose_init.record WHERE dataset_id = %(dataset)s)
FROM compose_init.dataset WHERE id = %(dataset)s;

-- name: mark_unconfirmed
UPDATE pg_temp.applied SET fate = 'unconfirmed' WHERE id = ANY (%(ids)s);

-- name: removed_records
-- The records that the file no longer holds, with their trees.
SELECT a.id, coalesce(a.structure, a.intended_structure), a.shown FROM pg_temp.applied a
WHERE NOT EXISTS (SELECT FROM pg_temp.desired d WHERE d.id = a.id);

-- name: known_records
-- What the ledger knows of the records of the file.
SELECT d.position, d.hashes, a.desired, a.observed, a.structure, a.shown, a.intended, a.intended_structure, a.fate
FROM pg_temp.desired d JOIN pg_temp.applied a ON a.id = d.id;

-- name: hash_keys
SELECT pg_temp.hash(key) FROM unnest(%(keys)s::jsonb[]) WITH ORDINALITY AS k (key, n) ORDER BY n;

-- name: writes
SELECT position, key, action, fields FROM pg_temp.plan
WHERE action IN ('create', 'update') ORDER BY position;

-- name: deletes
SELECT id, key FROM pg_temp.plan WHERE action = 'delete' ORDER BY key::text;

-- name: last_applied_at
-- Changes with each run that applied the whole dataset, and not with an interrupted run.
SELECT applied_at FROM compose_init.dataset WHERE id = %(dataset)s;

-- name: ids_at_positions
SELECT id FROM pg_temp.plan WHERE position = ANY (%(positions)s);

-- name: existing_positions
SELECT position FROM pg_temp.plan WHERE position = ANY (%(positions)s) AND action <> 'create';
