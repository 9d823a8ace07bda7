-- name: blocking_session
SELECT b.pid, coalesce(nullif(a.application_name, ''), 'an unnamed program'),
       coalesce(host(a.client_addr), 'a socket'), a.state,
       to_char(a.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS "UTC"'), a.query
FROM unnest(pg_blocking_pids(%(pid)s)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid
ORDER BY a.xact_start NULLS FIRST LIMIT 1;
