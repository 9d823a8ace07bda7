-- The statements that read and write the digests of sources; the table is described in ledger/schema.sql.

-- name: forget_source
-- Where the file has become shorter.
DELETE FROM compose_init.source WHERE dataset_id = %(dataset)s AND batch >= %(batches)s;

-- name: source
SELECT digests, ids FROM compose_init.source WHERE dataset_id = %(dataset)s ORDER BY batch;

-- name: record_source
-- What has not changed keeps its place in TOAST, and is not written.
INSERT INTO compose_init.source AS s (dataset_id, batch, digests, ids)
VALUES (%(dataset)s, %(batch)s, %(digests)s, %(ids)s)
ON CONFLICT (dataset_id, batch) DO UPDATE
SET digests = CASE WHEN s.digests = excluded.digests THEN s.digests ELSE excluded.digests END,
    ids = CASE WHEN s.ids = excluded.ids THEN s.ids ELSE excluded.ids END
WHERE (s.digests, s.ids) <> (excluded.digests, excluded.ids);

-- name: ids_of_records
SELECT coalesce(string_agg(int8send(id), ''), '') FROM compose_init.record WHERE dataset_id = %(dataset)s;
