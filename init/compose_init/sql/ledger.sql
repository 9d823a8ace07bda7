-- What runs leave in the ledger, and what `status` reads. The tables are described in
-- compose_seeder/sql/ledger/schema.sql; the query of an unchanged run is in last_run.py, which is imported alone.

-- name: record_phase
INSERT INTO compose_init.phase (version_table, name, inputs) VALUES (%(version_table)s, %(name)s, %(inputs)s)
ON CONFLICT (version_table, name) DO UPDATE SET inputs = excluded.inputs, finished_at = clock_timestamp();

-- name: current_revisions
SELECT compose_init.current_revisions(%(version_table)s);

-- name: forget_phase
DELETE FROM compose_init.phase WHERE name = %(name)s;

-- name: forget_seed
-- A phase is `seed` for all datasets, or `seed:NAME:NAME` for a selection.
DELETE FROM compose_init.phase
WHERE name = 'seed' OR name LIKE 'seed:%%' AND %(dataset)s = ANY ((string_to_array(name, ':'))[2:]);

-- name: record_run
INSERT INTO compose_init.run (started_at, version, outcome, exit_code, report)
VALUES (%(started_at)s, %(version)s, %(outcome)s, %(exit_code)s, %(report)s);

-- name: datasets
SELECT name, target, records, applied_at::text FROM compose_init.dataset ORDER BY applied_at, name;

-- name: installation
-- The salt is made with the ledger, once, and goes with every dump of it. It stays secret behind the digest.
SELECT left(encode(sha256(convert_to('installation ' || salt, 'UTF8')), 'hex'), 16) AS id FROM compose_init.format;

-- name: runs
SELECT id, started_at::text, round(extract(epoch FROM finished_at - started_at), 2)::float AS seconds,
       version, outcome, exit_code
FROM compose_init.run ORDER BY id DESC LIMIT %(limit)s;
