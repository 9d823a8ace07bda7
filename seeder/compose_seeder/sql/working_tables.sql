-- The working tables: temporary, of one session, and empty at the beginning of each comparison.
--
--   the file ─▶ source_records ─▶ desired ┐
--                  └ deferred_references  │
--   the ledger ─▶ applied ────────────────┼─▶ plan ─▶ the target, the ledger
--      └ ids_to_compare                   │    └─▶ written_rows
--   the target ─▶ fetched_records ─▶ live ┘
--
-- A record is known by its `id`, the hash of its key. `hashes` are in the order of the dataset's fields; null where
-- the file does not name the field, or the target does not show it. `position` is a record's place in the file, from 0.

-- name: source_records
-- The file's records as they are written there, references resolved; not typed yet.
CREATE TEMP TABLE source_records (
  position integer,
  field_set integer,  -- tables: the number of the set of fields that the record names
  key jsonb,          -- endpoints: the values of the key, as an array
  document jsonb,     -- field -> value
  structure jsonb     -- endpoints: field -> its tree, see targets/endpoint/value_trees.py
);

-- name: deferred_references
-- Tables: references to records that are not there yet.
CREATE TEMP TABLE deferred_references (
  position integer,      -- of the record that refers
  name text,             -- the field that gets the id
  value jsonb,           -- the natural key that it refers to
  in_this_file boolean,  -- false: in a plan, an earlier dataset creates the record
  parent integer,        -- the position of the new record that it refers to
  parents integer NOT NULL DEFAULT 0  -- how many new records have the natural key
);

-- name: fetched_records
-- Endpoints: the API's records as it shows them, reduced to the fields that the file names.
CREATE TEMP TABLE fetched_records (
  key jsonb,       -- the values of the key, as an array
  document jsonb,  -- field -> value
  decided jsonb,   -- as in live
  structure jsonb  -- as in live
);

-- name: desired
-- What the file says, as the target would show it.
CREATE TEMP TABLE desired (
  position integer,
  id bigint,
  key jsonb,         -- the values of the key, as an array
  document jsonb,    -- field -> value
  hashes bigint[],
  structure jsonb    -- endpoints: as in source_records
);

-- name: live
-- What the target holds now, of the records that the file or the ledger names.
CREATE TEMP TABLE live (
  id bigint,
  key jsonb,         -- the values of the key, as an array
  document jsonb,    -- field -> value
  hashes bigint[],
  decided jsonb,     -- endpoints: field -> what targets/endpoint/decisions.py has decided, where hashes cannot tell
  structure jsonb    -- endpoints: field -> its tree as the ledger gets it, of the fields that were decided
);

-- name: applied
-- What this tool last wrote, or was about to.
CREATE TEMP TABLE applied (
  id bigint,
  desired bigint[],   -- hashes of what was written; 0 where the value is somebody else's
  observed bigint[],  -- hashes of what the target then showed, where that was another value
  structure jsonb,    -- endpoints: as in source_records
  shown jsonb,        -- endpoints: field -> its tree as the API showed it after the write
  intended bigint[],  -- endpoints: hashes of what a run was about to send
  intended_structure jsonb,  -- endpoints: the trees of that
  fate text           -- endpoints: null, or why the record was never seen: unseen, just sent, unconfirmed; see diff.sql
);

-- name: ids_to_compare
-- The records of the ledger that a comparison is about, where it is not about all; an id may be there twice.
CREATE TEMP TABLE ids_to_compare (id bigint);

-- name: plan
-- What is to be done, record by record.
CREATE TEMP TABLE plan (
  position integer,    -- null for a record that left the file
  id bigint,
  key jsonb,           -- the values of the key, as an array
  action text,         -- create, update, none, delete, deleted, kept, in_use, released, postponed; see diff.sql
  in_target boolean,
  fields jsonb,        -- field -> {live, desired, outcome, write, stop}, of the fields that differ
  hashes bigint[],     -- what the ledger will say was written
  observed bigint[],   -- what it will say that the target showed
  structure jsonb,     -- endpoints: as in source_records
  why text,            -- the reason that a record which left the file is not deleted
  moved_to text        -- the dataset whose file has the record now
);

-- name: sibling_keys
-- The keys in the file of another dataset of the target, where records have left this one's file.
CREATE TEMP TABLE sibling_keys (
  document jsonb       -- tables: field -> value; endpoints: the values of the key, as an array
);

-- name: rows_to_change
-- Tables with rows to delete: these rows, and in a plan those that earlier comparisons of it would delete or update.
CREATE TEMP TABLE rows_to_change (
  id bigint,           -- of the record that left the file; null for a row of an earlier comparison
  relation oid,        -- the row's table or partition
  row tid,
  columns text[]       -- that an earlier comparison updates; null where it deletes the row
);

-- name: references_to_deletes
-- Tables with rows to delete: the rows that refer to them by foreign keys.
CREATE TEMP TABLE references_to_deletes (
  id bigint,           -- of the record to delete
  holder bigint,       -- id of the record whose row refers to it, if that is to be deleted as well; null for other rows
  number integer,      -- of the foreign key
  rows bigint          -- that refer to it; null where the role may not see them
);

-- name: edited_columns
-- Tables with triggers: the columns that no record names and that somebody had filled before an update.
CREATE TEMP TABLE edited_columns (
  id bigint,
  columns text[]
);

-- name: written_rows
-- Tables with triggers: what the table shows of the records that were just written.
CREATE TEMP TABLE written_rows (
  id bigint,
  hashes bigint[]
);

-- name: hash_function
-- The hash of a value of an endpoint.
CREATE FUNCTION pg_temp.hash(value jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT {hash} $$;

-- name: fill_applied
-- All records of a dataset, or some of them; `records` and `intents` are conditions.
INSERT INTO pg_temp.applied (id, desired, observed, structure, shown, intended, intended_structure, fate)
SELECT coalesce(r.id, i.id), r.desired, r.observed, r.structure, r.shown, i.desired, i.structure,
       CASE WHEN i.creates THEN {unseen} END
FROM (SELECT * FROM compose_init.record WHERE dataset_id = {dataset} AND {records}) r
FULL JOIN (SELECT * FROM compose_init.intent WHERE dataset_id = {dataset} AND {intents}) i ON i.id = r.id;

-- name: fill_applied_elsewhere
-- What other datasets applied of the records that the file has, in the order of this one's fields.
INSERT INTO pg_temp.applied (id, desired, observed, structure, shown)
SELECT DISTINCT ON (r.id) r.id,
       (SELECT array_agg(r.desired[array_position(d.fields, f.name)] ORDER BY f.n)
        FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS f (name, n)),
       (SELECT array_agg(r.observed[array_position(d.fields, f.name)] ORDER BY f.n)
        FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS f (name, n)),
       r.structure, r.shown
FROM compose_init.record r
JOIN compose_init.dataset d ON d.id = r.dataset_id
JOIN pg_temp.desired w ON w.id = r.id
WHERE r.dataset_id = ANY (%(datasets)s)
  AND NOT EXISTS (SELECT FROM pg_temp.applied a WHERE a.id = r.id)
  AND NOT EXISTS (SELECT FROM compose_init.record o WHERE o.dataset_id = %(own)s AND o.id = r.id)
  AND NOT EXISTS (SELECT FROM compose_init.intent i WHERE i.dataset_id = r.dataset_id AND i.id = r.id)
ORDER BY r.id, array_position(%(datasets)s::int[], r.dataset_id);

-- name: is_to_compare
id IN (SELECT id FROM pg_temp.ids_to_compare)

-- name: copy_ids
COPY pg_temp.ids_to_compare FROM STDIN;

-- name: analyze_ids
ANALYZE pg_temp.ids_to_compare;

-- name: reset
DISCARD TEMP;
