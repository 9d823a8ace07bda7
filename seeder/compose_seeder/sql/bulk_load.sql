-- The first run into an empty table. {…} are from the catalog.

-- name: copy_rows
COPY {table} ({columns}) FROM STDIN (FORMAT csv, DELIMITER E'\t', NULL '');

-- name: can_bulk_load
-- A plain table that has never held a row, without triggers or rules that may change or refuse rows.
SELECT c.relkind = 'r' AND NOT c.relrowsecurity AND NOT c.relhasrules AND NOT c.relhassubclass
       AND pg_relation_size(c.oid) = 0
       AND NOT EXISTS (SELECT FROM pg_trigger t
                       WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 4 = 4)
FROM pg_class c WHERE c.oid = to_regclass(%(table)s);

-- name: record_rows
INSERT INTO compose_init.record (dataset_id, id, desired, shown)
SELECT %(dataset)s, {id}, ARRAY[{hashes}]::bigint[], {shown} FROM {rows} t;

-- name: count_recorded
SELECT coalesce(sum(records), 0) FROM compose_init.dataset;

-- name: drop_index
-- An index that is built at once costs half of an index that is filled row by row.
ALTER TABLE compose_init.record DROP CONSTRAINT record_pkey;

-- name: create_index
ALTER TABLE compose_init.record ADD CONSTRAINT record_pkey PRIMARY KEY (dataset_id, id);

-- name: hash_keys
-- The ids of some keys, in their order; the place of a row in the table says nothing about its order.
SELECT string_agg(int8send({id}), '' ORDER BY t.n)
FROM (SELECT k.n, {typed} FROM unnest({texts}) WITH ORDINALITY AS k ({names}, n)) t;
