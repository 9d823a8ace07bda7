-- Desired, applied and live to a plan: one comparison for tables and endpoints, of hashes, field by
-- field. Values are read only to show the fields that differ.
--
--   pg_temp.desired  what the seed file says, typed by the target ┐
--   pg_temp.applied  what this tool last wrote, or was about to    ├─▶ pg_temp.plan
--   pg_temp.live     what the target holds now                     ┘
--
-- The columns are described in working_tables.sql. `action` is create, update, none, delete, deleted (by hand, and
-- left so), released (left the file, and stays in the target), kept (the same, since it was edited by hand), in_use
-- (the same, since rows of others refer to it; still owned) or postponed
-- (deleted after later datasets). unconfirmed: it was sent, and nobody can tell whether it is there, so that it is not
-- sent again. `fields` holds, for each field that differs, {live, desired, outcome:
-- update | drift | conflict | unconfirmed | unseen}, with `write` where a run writes it, `stop` where drift stops the
-- run, and `members` for the parts of a nested value: the same by path.

-- name: repeated_keys_in_target
-- Keys that the target holds more than once, of those that the file or the ledger names.
SELECT min(l.key::text)::jsonb, count(*) AS rows
FROM pg_temp.live l
GROUP BY l.id HAVING count(*) > 1
ORDER BY 1 LIMIT 20;

-- name: repeated_keys_in_file
-- Records whose keys are one in the target's types; of each key the first ones.
SELECT (array_agg(d.position ORDER BY d.position))[:20] AS positions
FROM pg_temp.desired d GROUP BY d.id HAVING count(*) > 1 ORDER BY 1 LIMIT 20;

-- name: keys_of_unchanged_records
-- Keys of records that were applied and that the file still has word for word. Of compared records, those
-- without an id to compare are few: the ledger is asked for these alone.
WITH additional AS MATERIALIZED (
  SELECT d.key, d.position, d.id FROM pg_temp.desired d
  WHERE NOT EXISTS (SELECT FROM pg_temp.ids_to_compare o WHERE o.id = d.id)
)
SELECT d.key, d.position FROM additional d
JOIN compose_init.record r ON r.dataset_id = %(dataset)s AND r.id = d.id
ORDER BY d.position LIMIT 20;

-- name: plan
INSERT INTO pg_temp.plan (position, id, key, action, in_target, fields, hashes, observed, structure, why)
WITH compared AS (
  SELECT d.position, coalesce(d.id, a.id) AS id, coalesce(d.key, l.key) AS key,
         d.document AS desired, l.document AS live, d.hashes AS desired_hashes, l.hashes AS live_hashes,
         a.desired AS applied_hashes, a.observed AS observed_hashes, a.intended AS intended_hashes,
         coalesce(a.structure, '{}') || d.structure || coalesce(l.structure, '{}') AS structure, l.decided, a.fate,
         CASE WHEN %(is_table)s THEN a.shown END AS shown,  -- of columns that the record did not name
         -- Deleted by hand can only be what was there once.
         a.desired IS NOT NULL AND a.fate IS NULL AS was_seen,
         d.id IS NOT NULL AS in_file, l.id IS NOT NULL AS in_target, a.id IS NOT NULL AS owned
  FROM pg_temp.desired d
  FULL JOIN pg_temp.applied a ON a.id = d.id
  LEFT JOIN pg_temp.live l ON l.id = coalesce(d.id, a.id)
), classified AS (
  SELECT c.*, f.fields, f.hashes, f.observed, coalesce(f.writes, false) AS writes, e.edited
  FROM compared c
  LEFT JOIN LATERAL (
    SELECT string_agg(e.field, ', ' ORDER BY e.n) AS edited
    FROM unnest(%(fields)s::text[], coalesce(c.applied_hashes, c.intended_hashes), c.observed_hashes, c.live_hashes)
      WITH ORDINALITY AS e (field, applied_hash, observed_hash, live_hash, n)
    WHERE e.live_hash NOT IN (coalesce(e.observed_hash, e.applied_hash), e.applied_hash)
  ) e ON NOT c.in_file AND c.in_target
  LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(e.field, jsonb_build_object(
               'live', c.live -> e.field, 'desired', c.desired -> e.field, 'outcome', o.outcome)
             || CASE WHEN d.field ? 'members' THEN jsonb_build_object('members', d.field -> 'members') ELSE '{}' END
             || CASE WHEN w.write THEN '{"write": true}'::jsonb ELSE '{}' END
             || CASE WHEN e.on_drift = 'fail' AND (o.outcome IN ('drift', 'conflict') OR d.field ? 'edited')
                     THEN '{"stop": true}'::jsonb ELSE '{}' END)
             FILTER (WHERE o.outcome IS NOT NULL) AS fields,
           bool_or(w.write) AS writes,
           array_agg(CASE
             -- A value that was adopted and differed was never owned, and prune does not delete it.
             WHEN e.only_once AND NOT c.owned
               THEN CASE e.desired_hash = e.live_hash WHEN true THEN e.desired_hash WHEN false THEN 0 END
             -- A field that the file does not name for now is still known as it was applied.
             WHEN e.only_once OR e.desired_hash IS NULL THEN b.applied_hash
             WHEN d.field ->> 'applied' = 'desired' THEN e.desired_hash
             WHEN d.field IS NOT NULL THEN CASE WHEN w.write THEN 0 ELSE coalesce(b.applied_hash, 0) END
             WHEN w.write OR o.outcome IS NULL THEN e.desired_hash
             ELSE coalesce(b.applied_hash, 0) END ORDER BY e.n) AS hashes,
           array_agg(CASE
             WHEN e.only_once OR e.desired_hash IS NULL THEN e.observed_hash
             WHEN w.write THEN NULL
             WHEN o.outcome IS NOT NULL THEN CASE WHEN b.is_as_written THEN e.live_hash ELSE e.observed_hash END
             -- Not shown: what the target showed for just this value right after the write still holds.
             WHEN e.live_hash IS NULL AND e.applied_hash = e.desired_hash THEN e.observed_hash
             END ORDER BY e.n) AS observed
    FROM unnest(%(fields)s::text[], %(on_drift)s::text[], %(once)s::boolean[], %(defaults)s::bigint[],
                c.desired_hashes, c.live_hashes, c.applied_hashes, c.observed_hashes, c.intended_hashes) WITH ORDINALITY
      AS e (field, on_drift, only_once, default_hash, desired_hash, live_hash, applied_hash, observed_hash, intended_hash, n)
    CROSS JOIN LATERAL (
      SELECT CASE WHEN c.applied_hashes IS NULL THEN e.intended_hash ELSE e.applied_hash END AS applied_hash,
             -- A record that this run has just created is what the API made of it. Of one that a killed run was about
             -- to create, nobody can tell who changed it since. A record that was adopted is somebody else's: 0 was
             -- intended where its value differed.
             CASE WHEN c.applied_hashes IS NULL
                  THEN e.intended_hash <> 0 AND (c.fate = 'just sent' OR e.live_hash = e.intended_hash)
                  -- A list may be late: it may show what was written only after the write was read back.
                  ELSE e.live_hash IN (e.observed_hash, e.applied_hash) END IS TRUE AS is_as_written
    ) b
    CROSS JOIN LATERAL (SELECT CASE WHEN NOT e.only_once THEN c.decided -> e.field END AS field) d
    CROSS JOIN LATERAL (
      SELECT CASE
        WHEN d.field IS NOT NULL THEN d.field ->> 'outcome'
        WHEN e.only_once OR e.desired_hash IS NULL OR e.desired_hash = e.live_hash THEN NULL
        -- The target does not show this field: the ledger is all there is to go by.
        WHEN e.live_hash IS NULL THEN CASE WHEN e.applied_hash = e.desired_hash THEN NULL ELSE 'update' END
        WHEN NOT c.owned THEN 'drift'
        -- New to an owned record: written where nobody has chosen a value; else that is somebody else's.
        WHEN b.applied_hash IS NULL THEN
          CASE WHEN c.live -> e.field = 'null' OR e.live_hash IN (e.default_hash, e.observed_hash)
               OR e.live_hash = (c.shown ->> e.field)::bigint THEN 'update' ELSE 'drift' END
        WHEN b.applied_hash = 0 THEN 'drift'  -- seen before, and somebody else's
        WHEN b.is_as_written THEN CASE WHEN b.applied_hash = e.desired_hash THEN 'unconfirmed' ELSE 'update' END
        WHEN e.live_hash = e.intended_hash THEN 'update'  -- written by a killed run
        WHEN b.applied_hash = e.desired_hash THEN 'drift'
        ELSE 'conflict' END AS outcome
    ) o
    CROSS JOIN LATERAL (
      SELECT coalesce((d.field ->> 'write')::boolean, o.outcome = 'update'
        OR e.on_drift = 'overwrite' AND o.outcome IN ('drift', 'conflict'), false) AS write
    ) w
  ) f ON c.in_file AND c.in_target
      AND (c.desired_hashes <> c.live_hashes OR c.applied_hashes IS DISTINCT FROM c.desired_hashes)
)
SELECT position, id, key,
  CASE
    WHEN NOT in_file THEN CASE
      WHEN NOT in_target OR NOT %(prune)s THEN 'released'
      WHEN edited IS NOT NULL THEN 'kept'
      ELSE 'delete' END
    WHEN NOT in_target AND fate = 'unconfirmed' THEN 'unconfirmed'
    WHEN NOT in_target AND NOT was_seen THEN 'create'
    WHEN NOT in_target THEN CASE %(deleted)s WHEN 'overwrite' THEN 'create' ELSE 'deleted' END
    WHEN writes THEN 'update'
    ELSE 'none'
  END AS action,
  in_target,
  coalesce(fields, '{}') AS fields,
  CASE
    WHEN NOT in_file THEN NULL
    WHEN NOT in_target AND (fate = 'unconfirmed' OR was_seen AND %(deleted)s <> 'overwrite') THEN NULL
    WHEN hashes IS NULL THEN desired_hashes
    ELSE hashes
  END AS hashes,
  CASE WHEN array_remove(observed, NULL) <> '{}' THEN observed END AS observed,
  structure,
  'edited by hand: ' || edited
FROM classified;

-- name: spare_sibling_records
-- What another dataset of the manifest has in the same target stays; what that one wrote is no edit by hand.
UPDATE pg_temp.plan p SET action = 'released'
WHERE p.action IN ('delete', 'kept') AND EXISTS (
  SELECT FROM compose_init.record r
  JOIN compose_init.dataset d ON d.id = r.dataset_id
  JOIN compose_init.dataset own ON own.name = %(dataset)s
  WHERE r.id = p.id AND d.name = ANY (%(siblings)s)
    AND (d.target_id = own.target_id OR d.target_id IS NULL AND d.target = own.target));

-- name: counts
SELECT
  count(*) FILTER (WHERE action = 'create') AS created,
  count(*) FILTER (WHERE action = 'update') AS updated,
  count(*) FILTER (WHERE action = 'delete') AS deleted,
  count(*) FILTER (WHERE action IN ('none', 'deleted', 'unconfirmed')) AS unchanged,
  count(*) FILTER (WHERE action IN ('released', 'kept')) AS released,
  count(*) FILTER (WHERE action = 'deleted' OR in_target AND outcomes ? 'drift') AS drifted,
  count(*) FILTER (WHERE action IN ('kept', 'in_use') OR in_target AND outcomes ? 'conflict') AS conflicts,
  count(*) FILTER (WHERE action = 'unconfirmed' OR in_target AND outcomes ?| '{unconfirmed,unseen}') AS unconfirmed
FROM pg_temp.plan
CROSS JOIN LATERAL (
  SELECT jsonb_path_query_array(fields, '$.*.outcome') || jsonb_path_query_array(fields, '$.*.members.*.outcome')
    AS outcomes
) o;

-- name: changes
-- The records that need a word: what is deleted, what is written, and what is left and why; each in the file's order.
SELECT position, key, action, fields, why
FROM pg_temp.plan
WHERE action IN ('create', 'update', 'delete', 'deleted', 'kept', 'in_use', 'postponed', 'unconfirmed')
   OR action = 'none' AND fields <> '{}'
ORDER BY CASE WHEN action IN ('delete', 'postponed') THEN 0 WHEN action IN ('create', 'update') THEN 1 ELSE 2 END,
         position NULLS LAST
LIMIT %(limit)s;

-- name: count_differing
-- How many records need a word.
SELECT count(*) FROM pg_temp.plan WHERE action NOT IN ('none', 'released') OR action = 'none' AND fields <> '{}';

-- name: not_deleted
-- Records that left the file and stay, though `prune` would delete them.
SELECT position, key, action, fields, why FROM pg_temp.plan
WHERE action IN ('kept', 'in_use') ORDER BY key::text;

-- name: drift_that_stops
-- The records that somebody edited or deleted by hand, where that shall stop the run.
SELECT position, key, action, fields, why
FROM pg_temp.plan
WHERE action = 'deleted' AND %(deleted)s = 'fail'
   OR jsonb_path_exists(fields, '$.*.stop')
ORDER BY position
LIMIT %(limit)s;

-- name: postpone_deletes
-- What would be deleted stays for now, in the target and in the ledger.
UPDATE pg_temp.plan SET action = 'postponed' WHERE action = 'delete';

-- name: count_postponed
SELECT count(*) FROM pg_temp.plan WHERE action = 'postponed';

-- name: ids_to_compare_again
-- Records that left the file and are still owned.
SELECT id FROM pg_temp.plan WHERE action IN ('postponed', 'in_use');

-- name: fully_applied
-- In the file's order: the ids of its records, and of each record one byte, 1 where all that it says was applied.
SELECT coalesce(string_agg(int8send(d.id), '' ORDER BY d.position), ''),
       coalesce(string_agg(CASE
           WHEN p.hashes IS NOT DISTINCT FROM d.hashes THEN '\x01'
           WHEN EXISTS (SELECT FROM unnest(d.hashes, p.hashes) AS e (desired, applied)
                        WHERE desired IS NOT NULL AND applied IS DISTINCT FROM desired) THEN '\x00'
           ELSE '\x01' END::bytea, '' ORDER BY d.position), '')
FROM pg_temp.desired d JOIN pg_temp.plan p ON p.position = d.position;

-- name: created_positions
SELECT position FROM pg_temp.plan WHERE action = 'create';
