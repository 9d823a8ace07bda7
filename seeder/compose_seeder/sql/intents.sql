-- The statements that write what is sent to endpoints; the tables are described in ledger/schema.sql.

-- name: intend
-- Before anything is sent: what is about to be sent. The values of a record that is being adopted are somebody else's
-- until the API has accepted the seed's.
INSERT INTO compose_init.intent (dataset_id, id, desired, structure, creates)
SELECT %(dataset)s, p.id, (
    SELECT array_agg(CASE WHEN r.id IS NULL AND p.fields -> f.name ->> 'outcome' = 'drift' THEN 0 ELSE f.hash END
                     ORDER BY f.n)
    FROM unnest(%(fields)s::text[], p.hashes) WITH ORDINALITY AS f (name, hash, n)
  ), p.structure, p.action = 'create'
FROM pg_temp.plan p
LEFT JOIN compose_init.record r ON r.dataset_id = %(dataset)s AND r.id = p.id
WHERE p.position = ANY (%(positions)s)
ON CONFLICT (dataset_id, id) DO UPDATE
SET desired = excluded.desired, structure = excluded.structure, creates = excluded.creates,
    sent_at = excluded.sent_at, is_shown = false, others = NULL;

-- name: record_observed
-- Records of an endpoint that were written, each with what the API was seen to hold after it.
INSERT INTO compose_init.record AS r (dataset_id, id, desired, observed, structure, shown)
SELECT %(dataset)s, p.id, p.hashes, (
    SELECT CASE WHEN count(s.seen) > 0 THEN array_agg(s.seen ORDER BY s.n) END FROM (SELECT f.n,
      CASE WHEN NOT o.document ? f.field OR f.hash IS NULL OR f.hash = 0 THEN f.seen
           WHEN pg_temp.hash(o.document -> f.field) = f.hash THEN NULL
           ELSE pg_temp.hash(o.document -> f.field) END AS seen
    FROM unnest(%(fields)s::text[], p.hashes, p.observed) WITH ORDINALITY AS f (field, hash, seen, n)) s
  ), p.structure, o.shown
FROM unnest(%(positions)s::int[], %(observed)s::jsonb[], %(shown)s::jsonb[]) AS o (position, document, shown)
JOIN pg_temp.plan p ON p.position = o.position
ON CONFLICT (dataset_id, id) DO UPDATE
SET desired = excluded.desired, observed = excluded.observed, structure = excluded.structure, shown = excluded.shown;

-- name: forget_intended
DELETE FROM compose_init.intent i USING pg_temp.plan p
WHERE i.dataset_id = %(dataset)s AND i.id = p.id AND p.position = ANY (%(positions)s);

-- name: forget_seen
-- What the API shows, and needs no update, is no longer about to be there.
DELETE FROM compose_init.intent i USING pg_temp.plan p
WHERE i.dataset_id = %(dataset)s AND i.id = p.id AND p.in_target AND p.action <> 'update';

-- name: record_unconfirmed
-- Records that were sent and are not there, each with the live records that it may be.
UPDATE compose_init.intent i SET others = translate(u.others::text, '[]', '{}')::bigint[], is_shown = i.is_shown OR u.is_shown
FROM unnest(%(positions)s::int[], %(others)s::jsonb[], %(shown)s::boolean[]) AS u (position, others, is_shown)
JOIN pg_temp.plan p ON p.position = u.position
WHERE i.dataset_id = %(dataset)s AND i.id = p.id;

-- name: record_others
UPDATE compose_init.dataset SET others = %(ids)s WHERE id = %(dataset)s;
