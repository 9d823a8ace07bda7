-- Hashes of an earlier version in the ledger, computed again. {…} are from the catalog.

-- name: rehash
-- Where a value still has the hash that the ledger holds, both are known; any other hash stays, and equals nothing.
UPDATE compose_init.record r SET id = n.id,
  desired = (SELECT array_agg(CASE WHEN e.hash = e.old THEN e.new ELSE e.hash END ORDER BY e.n)
             FROM unnest(r.desired, n.old, n.new) WITH ORDINALITY AS e (hash, old, new, n)),
  observed = CASE WHEN r.observed IS NOT NULL THEN
             (SELECT array_agg(CASE WHEN e.hash = e.old THEN e.new ELSE e.hash END ORDER BY e.n)
              FROM unnest(r.observed, n.old, n.new) WITH ORDINALITY AS e (hash, old, new, n)) END
FROM (SELECT {old_id} AS old_id, {id} AS id, ARRAY[{old}]::bigint[] AS old, ARRAY[{new}]::bigint[] AS new FROM {values}) n
WHERE r.dataset_id = {dataset} AND {match} AND (n.old_id <> n.id OR n.old <> n.new);

-- name: rows
{table} t

-- name: matches_row
r.id = n.old_id

-- name: records
pg_temp.source_records r CROSS JOIN LATERAL jsonb_to_record(r.document) AS t ({typed}) WHERE r.field_set = {number}

-- name: matches_record
-- By rows it may have its new id already.
r.id IN (n.old_id, n.id)

-- name: session
SELECT name, setting FROM pg_settings WHERE name = ANY (%(names)s);

-- name: set_session
-- Until the transaction ends.
SELECT set_config(s.name, s.setting, true) FROM unnest(%(names)s::text[], %(settings)s::text[]) AS s (name, setting);
