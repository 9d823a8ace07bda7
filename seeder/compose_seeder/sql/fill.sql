-- Into an empty table, directly.

-- name: copy
COPY {table} ({columns}) FROM STDIN (FORMAT csv, DELIMITER E'\t', NULL '');

-- name: empty
-- A plain table that has never held a row, and no trigger or rule that may change or refuse rows, before or after
-- they are there.
SELECT c.relkind = 'r' AND NOT c.relrowsecurity AND NOT c.relhasrules AND NOT c.relhassubclass
       AND pg_relation_size(c.oid) = 0
       AND NOT EXISTS (SELECT FROM pg_trigger t
                       WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 4 = 4)
FROM pg_class c WHERE c.oid = to_regclass(%(table)s);

-- name: ledger
INSERT INTO compose_init.record (dataset_id, id, desired)
SELECT %(dataset)s, {id}, ARRAY[{hashes}]::bigint[] FROM {rows} t;

-- name: recorded
SELECT coalesce(sum(records), 0) FROM compose_init.dataset;

-- name: without_index
-- An index that is built at once costs half of one that takes row after row.
ALTER TABLE compose_init.record DROP CONSTRAINT record_pkey;

-- name: with_index
ALTER TABLE compose_init.record ADD CONSTRAINT record_pkey PRIMARY KEY (dataset_id, id);

-- name: ids
-- Of some keys, in their order; where a row lies in the table says nothing about that.
SELECT string_agg(int8send({id}), '' ORDER BY t.n)
FROM (SELECT k.n, {typed} FROM unnest({texts}) WITH ORDINALITY AS k ({names}, n)) t;

-- name: alike
-- Whether groups can tell which records were edited: their sample names every field, and was shown as it was written,
-- and the table holds little else. Where that is a wrong guess, it costs time.
SELECT c.reltuples - %(records)s < %(few)s AND NOT EXISTS (
  SELECT FROM (SELECT desired, observed FROM compose_init.record WHERE dataset_id = %(dataset)s LIMIT 100) s
  WHERE observed IS NOT NULL OR array_position(desired, NULL) IS NOT NULL OR array_position(desired, 0) IS NOT NULL)
FROM pg_class c WHERE c.oid = to_regclass(%(table)s);

-- name: groups
-- Groups of records, by the last bits of their ids, that are not as they were applied: told by one digest of each, which
-- needs no join of rows. A digest has each row's hashes, and each row's with its id, or two rows could change places.
SELECT coalesce(array_agg(number), '{{}}')
FROM (
  SELECT id & {last} AS number, bit_xor(hash # hashint8extended(hash, id)) AS digest, count(*) AS rows
  FROM (SELECT {id} AS id, {hash} AS hash FROM {rows} t OFFSET 0) t GROUP BY 1
) l
FULL JOIN (
  SELECT id & {last} AS number, bit_xor(hash # hashint8extended(hash, id)) AS digest, count(*) AS rows
  FROM (SELECT id, {desired} AS hash FROM compose_init.record WHERE dataset_id = {dataset} OFFSET 0) r GROUP BY 1
) a USING (number)
WHERE l.digest IS DISTINCT FROM a.digest OR l.rows IS DISTINCT FROM a.rows;

-- name: edited
-- Of the records that were applied, those that the table does not show so; one that it shows twice as well.
SELECT coalesce(array_agg(a.id) FILTER (WHERE l.hashes IS NULL OR
  CASE WHEN l.hashes = a.desired THEN false
       ELSE EXISTS (SELECT FROM unnest(a.desired, l.hashes) AS e (was, shown)
                    WHERE was IS NOT NULL AND was IS DISTINCT FROM shown) END), '{{}}')
  || CASE WHEN count(*) = (SELECT count(*) FROM compose_init.record a WHERE a.dataset_id = {dataset} AND {applied}) THEN '{{}}'
     ELSE (SELECT coalesce(array_agg(t.id), '{{}}')
           FROM (SELECT {id} AS id FROM {table} t GROUP BY 1 HAVING count(*) > 1) t) END
FROM compose_init.record a
LEFT JOIN (SELECT {id} AS id, ARRAY[{hashes}]::bigint[] AS hashes FROM {rows} t) l ON l.id = a.id
WHERE a.dataset_id = {dataset} AND {applied};
