-- The rows of a table that are not as they were applied. {…} are from the catalog.

-- name: fields_of_groups
-- The fields by which groups can tell which records were edited: a sample of the records names each of them and was shown as
-- it was written, and names no other field. Null where groups cannot tell, or where the table holds much else. A wrong guess
-- costs time alone.
SELECT CASE WHEN bool_and(f.is_as_written OR NOT f.is_written)
             AND (SELECT c.reltuples - %(records)s < %(few)s FROM pg_class c WHERE c.oid = to_regclass(%(table)s))
            THEN array_agg(f.name ORDER BY f.n) FILTER (WHERE f.is_written) END
FROM (
  SELECT f.name, f.n, count(f.was) > 0 AS is_written,
         bool_and(f.was IS NOT NULL AND f.was <> 0 AND f.seen IS NULL) AS is_as_written
  FROM (SELECT desired, observed FROM compose_init.record WHERE dataset_id = %(dataset)s LIMIT 100) s
  CROSS JOIN LATERAL unnest(%(fields)s::text[], s.desired, s.observed) WITH ORDINALITY AS f (name, was, seen, n)
  GROUP BY f.name, f.n
) f;

-- name: modified_groups
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

-- name: modified_rows
-- The applied records that the table does not show as they were applied, or shows more than once. A column that was dropped
-- is not shown.
SELECT coalesce(array_agg(a.id) FILTER (WHERE l.hashes IS NULL OR
  CASE WHEN l.hashes = a.desired THEN false
       ELSE EXISTS (SELECT FROM unnest(a.desired, l.hashes) AS e (was, shown)
                    WHERE was <> shown) END), '{{}}')
  || CASE WHEN count(*) = (SELECT count(*) FROM compose_init.record a WHERE a.dataset_id = {dataset} AND {applied}) THEN '{{}}'
     ELSE (SELECT coalesce(array_agg(t.id), '{{}}')
           FROM (SELECT {id} AS id FROM {table} t GROUP BY 1 HAVING count(*) > 1) t) END
FROM compose_init.record a
LEFT JOIN (SELECT {id} AS id, ARRAY[{hashes}]::bigint[] AS hashes FROM {rows} t) l ON l.id = a.id
WHERE a.dataset_id = {dataset} AND {applied};
