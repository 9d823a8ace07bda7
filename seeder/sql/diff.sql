-- Desired, applied and live to a plan: one comparison for tables and endpoints.
--
--   pg_temp.desired (position, key, document, missing)   what the seed file says, typed by the target
--   pg_temp.live    (key, document)                      what the target holds now
--   pg_temp.applied (key, digest, hashes)                what this tool last wrote
--       │
--       └─▶ pg_temp.plan (position, key, action, fields, digest, hashes)
--
-- `action` is create, update, none, deleted (by hand, and left so) or gone (from the file). `fields`
-- holds, for each field that differs, {live, desired, outcome: update | drift | conflict | unconfirmed}.

-- name: functions
CREATE OR REPLACE FUNCTION pg_temp.hash(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT left(md5(value::text), 16) $$;
CREATE OR REPLACE FUNCTION pg_temp.seen(desired jsonb, observed jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN desired::text = observed::text THEN to_jsonb(pg_temp.hash(desired))
              ELSE jsonb_build_array(pg_temp.hash(desired), pg_temp.hash(observed)) END
$$;

-- name: duplicates
-- Keys that the target holds more than once, of those that the file or the ledger names.
SELECT l.key, count(*) AS rows
FROM pg_temp.live l
WHERE EXISTS (SELECT FROM pg_temp.desired d WHERE d.key = l.key)
   OR EXISTS (SELECT FROM pg_temp.applied a WHERE a.key = l.key)
GROUP BY l.key HAVING count(*) > 1
ORDER BY l.key LIMIT 20;

-- name: same_key_in_file
-- Keys that differ in the file and are one key in the target's types.
SELECT d.key, array_agg(d.position ORDER BY d.position) AS positions
FROM pg_temp.desired d GROUP BY d.key HAVING count(*) > 1 ORDER BY d.key LIMIT 20;

-- name: plan
CREATE TEMP TABLE plan AS
WITH compared AS (
  SELECT d.position, coalesce(d.key, a.key) AS key, d.document AS desired, l.document AS live,
         d.key IS NOT NULL AS in_file, l.key IS NOT NULL AS in_target, a.key IS NOT NULL AS owned,
         a.digest AS old_digest, a.hashes AS old_hashes,
         md5(d.document::text) AS digest,
         l.document - d.missing = d.document AS equal
  FROM pg_temp.desired d
  FULL JOIN pg_temp.applied a ON a.key = d.key
  LEFT JOIN pg_temp.live l ON l.key = coalesce(d.key, a.key)
), classified AS (
  SELECT c.*, f.fields
  FROM compared c
  LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(field, detail) FILTER (WHERE detail IS NOT NULL) AS fields
    FROM (
      SELECT e.key AS field,
        CASE
          WHEN c.live ? e.key AND c.live -> e.key = e.value THEN NULL
          -- The target does not show this field: the ledger is all there is to go by.
          WHEN NOT c.live ? e.key AND h.was_desired = pg_temp.hash(e.value) THEN NULL
          ELSE jsonb_build_object(
            'live', c.live -> e.key, 'desired', e.value,
            'outcome', CASE
              WHEN NOT c.live ? e.key THEN 'update'
              WHEN NOT c.owned THEN 'drift'
              -- New to a record of ours: written where the target has nothing, else somebody's.
              WHEN NOT c.old_hashes ? e.key THEN
                CASE WHEN c.live -> e.key = 'null' THEN 'update' ELSE 'drift' END
              WHEN h.was_desired IS NULL THEN 'drift'  -- seen before, and not ours
              WHEN h.was_seen = pg_temp.hash(c.live -> e.key) THEN
                CASE WHEN h.was_desired = pg_temp.hash(e.value) THEN 'unconfirmed' ELSE 'update' END
              WHEN h.was_desired = pg_temp.hash(e.value) THEN 'drift'
              ELSE 'conflict' END)
        END AS detail
      -- Of nothing where there is nothing to compare: a condition of the join would come too late.
      FROM jsonb_each(CASE WHEN c.in_file AND c.in_target AND NOT c.equal THEN c.desired END) e
      CROSS JOIN LATERAL (
        SELECT CASE jsonb_typeof(c.old_hashes -> e.key) WHEN 'array' THEN c.old_hashes -> e.key ->> 0
                    ELSE c.old_hashes ->> e.key END AS was_desired,
               CASE jsonb_typeof(c.old_hashes -> e.key) WHEN 'array' THEN c.old_hashes -> e.key ->> 1
                    ELSE c.old_hashes ->> e.key END AS was_seen
      ) h
    ) details
  ) f ON true
), decided AS (
  SELECT *,
    coalesce((SELECT jsonb_object_agg(k, v || '{"write": true}') FROM jsonb_each(fields) AS e(k, v)
              WHERE v ->> 'outcome' = 'update'
                 OR %(on_drift)s = 'overwrite' AND v ->> 'outcome' IN ('drift', 'conflict')), '{}') AS written
  FROM classified
  OFFSET 0  -- else the planner puts the subquery in wherever `written` is read, once a field
)
SELECT position, key,
  CASE
    WHEN NOT in_file THEN 'gone'
    WHEN NOT in_target AND NOT owned THEN 'create'
    WHEN NOT in_target THEN CASE %(on_drift)s WHEN 'overwrite' THEN 'create' ELSE 'deleted' END
    WHEN written <> '{}' THEN 'update'
    ELSE 'none'
  END AS action,
  in_target, owned,
  coalesce(fields || written, '{}') AS fields,
  CASE WHEN kept.any_kept THEN NULL ELSE digest END AS digest,
  CASE
    WHEN NOT in_file OR NOT in_target AND owned AND %(on_drift)s <> 'overwrite' THEN NULL
    -- Unchanged since it was last applied: the ledger need not be written.
    WHEN owned AND old_digest = digest AND written = '{}' AND in_target THEN NULL
    ELSE (
      SELECT coalesce(jsonb_object_agg(e.key,
        CASE WHEN written ? e.key OR live IS NULL THEN to_jsonb(pg_temp.hash(e.value))
             WHEN fields ? e.key THEN coalesce(old_hashes -> e.key, 'null')
             -- Nothing to write. Equal values may have two texts, such as 1 and 1.0, and so two hashes.
             WHEN live ? e.key THEN pg_temp.seen(e.value, live -> e.key)
             -- Not shown: what the target showed for just this value right after the write still holds.
             WHEN old_hashes -> e.key ->> 0 = pg_temp.hash(e.value) THEN old_hashes -> e.key
             ELSE to_jsonb(pg_temp.hash(e.value)) END), '{}')
      FROM jsonb_each(desired) e)
  END AS hashes
FROM decided
CROSS JOIN LATERAL (
  SELECT EXISTS (SELECT FROM jsonb_object_keys(fields) k WHERE NOT written ? k) AS any_kept
) kept;

-- name: counts
SELECT
  count(*) FILTER (WHERE action = 'create') AS creates,
  count(*) FILTER (WHERE action = 'update') AS updates,
  count(*) FILTER (WHERE action IN ('none', 'deleted')) AS unchanged,
  count(*) FILTER (WHERE action = 'gone') AS gone,
  count(*) FILTER (WHERE action = 'deleted' OR in_target AND outcomes ? 'drift') AS drifted,
  count(*) FILTER (WHERE in_target AND outcomes ? 'conflict') AS conflicts,
  count(*) FILTER (WHERE in_target AND outcomes ? 'unconfirmed') AS unconfirmed,
  count(*) FILTER (WHERE hashes IS NOT NULL) AS ledger
FROM pg_temp.plan
CROSS JOIN LATERAL (
  SELECT coalesce(jsonb_agg(v ->> 'outcome'), '[]') AS outcomes FROM jsonb_each(fields) AS e(k, v)
) o;

-- name: changes
-- The records that need a word, in the file's order: what is written, and what is left and why.
SELECT position, key, action, fields
FROM pg_temp.plan
WHERE action IN ('create', 'update', 'deleted') OR action = 'none' AND fields <> '{}'
ORDER BY position NULLS LAST
LIMIT %(limit)s;

-- name: edited
-- The records that somebody edited or deleted by hand.
SELECT position, key, action, fields
FROM pg_temp.plan
WHERE action = 'deleted'
   OR jsonb_path_exists(fields, '$.*.outcome ? (@ == "drift" || @ == "conflict")')
ORDER BY position
LIMIT %(limit)s;
