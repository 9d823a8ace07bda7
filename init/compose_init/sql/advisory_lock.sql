-- The advisory lock of a run. `lock` is put into the others.

-- name: lock
-- A key of 64 bits is shown in two halves, with objsubid 1.
l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid::bigint = %(high)s AND l.objid::bigint = %(low)s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())

-- name: holder
SELECT coalesce(a.pid::text, '?'),
       coalesce(nullif(a.application_name, ''), 'an unnamed program'),
       coalesce(host(a.client_addr), 'a socket'),
       to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE {lock};

-- name: held_by_this_session
SELECT FROM pg_locks l WHERE {lock} AND l.pid = pg_backend_pid();

-- name: try_to_lock
SELECT pg_try_advisory_lock(%(key)s);

-- name: unlock
SELECT pg_advisory_unlock(%(key)s);
