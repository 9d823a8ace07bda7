-- Records that left a dataset's file, and that the file of another dataset of the same target has.

-- name: has_left
SELECT EXISTS (SELECT FROM pg_temp.plan WHERE position IS NULL);

-- name: copy_keys
COPY pg_temp.sibling_keys (document) FROM STDIN;

-- name: rows_that_moved
-- Found by the rows themselves: the two datasets may know them by different keys.
UPDATE pg_temp.plan w SET moved_to = %(sibling)s
WHERE w.position IS NULL AND w.moved_to IS NULL AND w.id IN (
  SELECT {id} FROM {table} t
  JOIN (SELECT p.* FROM pg_temp.sibling_keys s CROSS JOIN LATERAL jsonb_to_record(s.document) AS p ({typed})) k ON {match});

-- name: keys_that_moved
UPDATE pg_temp.plan w SET moved_to = %(sibling)s
WHERE w.position IS NULL AND w.moved_to IS NULL
  AND w.id IN (SELECT pg_temp.hash(s.document) FROM pg_temp.sibling_keys s);

-- name: release_moved
UPDATE pg_temp.plan SET action = 'released', why = NULL WHERE moved_to IS NOT NULL;

-- name: has_moved
SELECT FROM pg_temp.plan WHERE moved_to = %(sibling)s LIMIT 1;

-- name: add_sibling
-- A dataset that no run has seeded yet: it owns what comes to it.
INSERT INTO compose_init.dataset (name, target, fingerprint, records, fields, target_id, written_as, key, hash_version)
SELECT %(sibling)s, target, '', 0, fields, target_id, written_as, %(key)s, hash_version
FROM compose_init.dataset WHERE id = %(own)s
ON CONFLICT (name) DO NOTHING;

-- name: add_fields
UPDATE compose_init.dataset s
SET fields = s.fields || ARRAY(SELECT f FROM unnest(d.fields) AS f WHERE f <> ALL (s.fields))
FROM compose_init.dataset d
WHERE s.name = %(sibling)s AND d.id = %(own)s AND NOT s.fields @> d.fields;

-- name: hand_over
-- Where the sibling's records are of the same target, and their ids and hashes mean the same. Its file's digests get a place
-- for each of them that equals no text: the next run compares it.
WITH moved AS (
  INSERT INTO compose_init.record (dataset_id, id, desired, observed, structure, shown)
  SELECT s.id, a.id,
         (SELECT array_agg(a.desired[array_position(d.fields, f.name)] ORDER BY f.n)
          FROM unnest(s.fields) WITH ORDINALITY AS f (name, n)),
         (SELECT array_agg(a.observed[array_position(d.fields, f.name)] ORDER BY f.n)
          FROM unnest(s.fields) WITH ORDINALITY AS f (name, n)
          HAVING a.observed IS NOT NULL),
         a.structure, a.shown
  FROM pg_temp.plan p
  JOIN pg_temp.applied a ON a.id = p.id
  JOIN compose_init.dataset d ON d.id = %(own)s
  JOIN compose_init.dataset s ON s.name = %(sibling)s
  WHERE p.moved_to = %(sibling)s AND a.desired IS NOT NULL
    AND (s.target_id = d.target_id OR s.target_id IS NULL AND s.target = d.target)
    AND least(s.hash_version, d.hash_version) >= %(comparable)s
    AND ARRAY(SELECT unnest(s.key) ORDER BY 1) = ARRAY(SELECT unnest(d.key) ORDER BY 1)
  ON CONFLICT (dataset_id, id) DO NOTHING
  RETURNING dataset_id, id
)
INSERT INTO compose_init.source (dataset_id, batch, digests, ids)
SELECT dataset_id, coalesce((SELECT max(o.batch) + 1 FROM compose_init.source o WHERE o.dataset_id = m.dataset_id), 0),
       decode(repeat('00', 8 * count(*)::int), 'hex'), string_agg(int8send(id), '')
FROM moved m GROUP BY dataset_id;
