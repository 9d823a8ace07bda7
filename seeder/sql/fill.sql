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
INSERT INTO compose_init.record (dataset, id, desired)
SELECT %(dataset)s, {id}, ARRAY[{hashes}]::bigint[] FROM {rows} t;

-- name: recorded
SELECT coalesce(sum(records), 0) FROM compose_init.dataset;

-- name: without_index
-- An index that is built at once costs half of one that takes row after row.
ALTER TABLE compose_init.record DROP CONSTRAINT record_pkey;

-- name: with_index
ALTER TABLE compose_init.record ADD CONSTRAINT record_pkey PRIMARY KEY (dataset, id);

-- name: ids
-- Of some keys, in their order; where a row lies in the table says nothing about that.
SELECT string_agg(int8send({id}), '' ORDER BY t.n)
FROM (SELECT k.n, {typed} FROM unnest({texts}) WITH ORDINALITY AS k ({names}, n)) t;

-- name: edited
-- Of the records that were applied, those that the table does not show so; one that it shows twice as well.
SELECT coalesce(array_agg(a.id) FILTER (WHERE l.hashes IS NULL OR
  CASE WHEN l.hashes = a.desired THEN false
       ELSE EXISTS (SELECT FROM unnest(a.desired, l.hashes) AS e (was, shown)
                    WHERE was IS NOT NULL AND was IS DISTINCT FROM shown) END), '{{}}')
  || CASE WHEN count(*) = (SELECT count(*) FROM compose_init.record WHERE dataset = {dataset}) THEN '{{}}'
     ELSE (SELECT coalesce(array_agg(t.id), '{{}}')
           FROM (SELECT {id} AS id FROM {table} t GROUP BY 1 HAVING count(*) > 1) t) END
FROM compose_init.record a
LEFT JOIN (SELECT {id} AS id, ARRAY[{hashes}]::bigint[] AS hashes FROM {rows} t) l ON l.id = a.id
WHERE a.dataset = {dataset};
