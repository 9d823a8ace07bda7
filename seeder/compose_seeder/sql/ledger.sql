-- The statements that read and write the ledger's records; the tables are described in ledger/schema.sql.

-- name: wait_for_others
SET LOCAL lock_timeout = '60s';
LOCK TABLE compose_init.dataset IN SHARE ROW EXCLUSIVE MODE;
SET LOCAL lock_timeout = {before};

-- name: salt
SELECT salt FROM compose_init.format;

-- name: dataset
SELECT d.name, d.target, t.oid::bigint, d.key, d.fingerprint, d.records, d.fields, d.id, d.hash_version
FROM compose_init.dataset d LEFT JOIN compose_init.target t ON t.id = d.target_id WHERE d.name = %(name)s;

-- name: others
-- Other datasets of the same target and key, whose ids and hashes mean the same; the last one first. The id of a row does
-- not tell the order of its key's fields.
SELECT d.name, d.target, t.oid::bigint, d.key, d.fingerprint, d.records, d.fields, d.id, d.hash_version
FROM compose_init.dataset d LEFT JOIN compose_init.target t ON t.id = d.target_id
WHERE d.name <> %(name)s AND d.hash_version >= %(comparable)s
  AND CASE WHEN %(oid)s::bigint IS NULL THEN d.target_id IS NULL AND d.target = %(target)s AND d.key = %(key)s
      ELSE t.oid = %(oid)s AND ARRAY(SELECT unnest(d.key) ORDER BY 1) = ARRAY(SELECT unnest(%(key)s::text[]) ORDER BY 1) END
ORDER BY d.applied_at DESC, d.id;

-- name: rename_dataset
UPDATE compose_init.dataset SET name = %(name)s WHERE name = %(before)s AND name <> %(name)s;

-- name: forget_taken_over
DELETE FROM compose_init.record r USING pg_temp.plan p
WHERE r.dataset_id = ANY (%(datasets)s) AND r.id = p.id AND p.position IS NOT NULL;

-- name: hashed_as
SELECT k.name, k.hashed_as FROM compose_init.target_column k JOIN compose_init.target t ON t.id = k.target_id
WHERE t.oid = to_regclass(%(relation)s);

-- name: add_target
INSERT INTO compose_init.target (oid, schema_name, table_name)
SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%(relation)s) AND NOT EXISTS (SELECT FROM compose_init.target t WHERE t.oid = c.oid);

-- name: owned
SELECT count(*) FROM (
  SELECT id FROM compose_init.record WHERE dataset_id = %(dataset)s
  UNION SELECT id FROM compose_init.intent WHERE dataset_id = %(dataset)s
) o;

-- name: begin_dataset
-- The dataset as it is about to change; its fingerprint says that it is not fully applied.
INSERT INTO compose_init.dataset (name, target, fingerprint, records, fields, target_id, written_as, key, hash_version)
SELECT %(name)s, %(target)s, '', 0, %(fields)s,
       (SELECT id FROM compose_init.target WHERE oid = to_regclass(%(relation)s)), %(relation)s, %(key)s,
       %(hash_version)s
ON CONFLICT (name) DO UPDATE
SET target = excluded.target, fingerprint = '', fields = excluded.fields,
    target_id = excluded.target_id, written_as = excluded.written_as, key = excluded.key,
    hash_version = excluded.hash_version
RETURNING id;

-- name: record_names
-- How the manifest writes the tables of its datasets now; datasets that it does not name are not looked after.
UPDATE compose_init.dataset d SET written_as = m.relation
FROM compose_init.dataset own
LEFT JOIN unnest(%(names)s::text[], %(relations)s::text[]) AS m (name, relation) ON m.name = own.name
WHERE own.id = d.id AND d.target_id IS NOT NULL AND d.written_as IS DISTINCT FROM m.relation;

-- name: record_dataset
UPDATE compose_init.dataset
SET fingerprint = %(fingerprint)s, records = %(records)s, applied_at = clock_timestamp()
WHERE name = %(name)s;

-- name: forget_records
DELETE FROM compose_init.record WHERE dataset_id = %(dataset)s;

-- name: forget_intents
DELETE FROM compose_init.intent WHERE dataset_id = %(dataset)s;

-- name: record_applied
-- What the plan says about every record, or about those that need no write, into the ledger.
INSERT INTO compose_init.record AS r (dataset_id, id, desired, observed, structure)
SELECT %(dataset)s, p.id, p.hashes, p.observed, p.structure
FROM pg_temp.plan p
WHERE p.hashes IS NOT NULL AND (NOT %(unwritten_only)s OR p.action = 'none')
ORDER BY p.id
ON CONFLICT (dataset_id, id) DO UPDATE
SET desired = excluded.desired, observed = excluded.observed, structure = excluded.structure
WHERE (r.desired, r.observed, r.structure) IS DISTINCT FROM (excluded.desired, excluded.observed, excluded.structure);

-- name: forget_removed
-- Records that the file no longer holds: no longer owned.
DELETE FROM compose_init.record r
USING pg_temp.plan p
WHERE r.dataset_id = %(dataset)s AND r.id = p.id AND p.action = ANY (%(actions)s);

-- name: forget_record
DELETE FROM compose_init.record WHERE dataset_id = %(dataset)s AND id = ANY (%(ids)s);
