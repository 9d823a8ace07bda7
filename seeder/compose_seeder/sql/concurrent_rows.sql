-- Rows that another session committed while a transaction, which does not see them, was writing. {…} are from the catalog.

-- name: has_unique_key
-- True where a unique index on columns of the key refuses a row that is there already.
SELECT EXISTS (
  SELECT FROM pg_index i
  WHERE i.indrelid = to_regclass(%(table)s) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
    AND NOT 0 = ANY (i.indkey)
    AND (SELECT bool_and(a.attname = ANY (%(key)s)) FROM pg_attribute a
         WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])));

-- name: wait_for_writers
-- Whoever has written to the table has committed after this, and whoever writes now waits for our own commit.
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;

-- name: created_ids
SELECT coalesce(array_agg(id), '{}') FROM pg_temp.plan WHERE action = 'create';

-- name: session_settings
-- Hashes are of values as this session writes them.
SELECT current_user::text, coalesce(jsonb_object_agg(name, setting), '{}')
FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction%%';

-- name: set_settings
SELECT set_config(name, value, false) FROM jsonb_each_text(%(settings)s::jsonb) AS s (name, value);

-- name: set_role
SELECT set_config('role', %(role)s, false) WHERE current_user <> %(role)s;

-- name: count_rows
SELECT count(*) FROM {table} t WHERE {id} = ANY (%(ids)s::bigint[]);

-- name: has_rows
SELECT count(*) FROM (SELECT FROM {table} LIMIT 1) t;
