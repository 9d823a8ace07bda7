-- An endpoint as a target: both sides come over HTTP and are compared in PostgreSQL.

-- name: desired
CREATE TEMP TABLE desired (position integer, key jsonb, document jsonb, missing text[]);

-- name: live
CREATE TEMP TABLE live (key jsonb, document jsonb);

-- name: changed
-- Records whose seed is not what was last applied.
SELECT d.position
FROM pg_temp.desired d
LEFT JOIN pg_temp.applied a ON a.key = d.key
WHERE a.digest IS DISTINCT FROM md5(d.document::text);

-- name: writes
SELECT position, key, action, fields FROM pg_temp.plan
WHERE action IN ('create', 'update') ORDER BY position;
