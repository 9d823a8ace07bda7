"""Databases for tests: emptied after a test and given to the next one, because creating one takes ten times as long."""

from __future__ import annotations

from itertools import count

import psycopg

from examples.postgres import Server

TEMPLATE = "test_template"

EMPTY = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE oid >= 16384 OR nspname = 'public' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
END $$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
"""Leaves of a database what a new one has: a schema `public`. 16384 is the first oid that is not PostgreSQL's own."""

IS_EMPTY = f"""
SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid >= 16384)
   AND NOT EXISTS (SELECT FROM pg_extension WHERE extname <> 'plpgsql')
   AND NOT EXISTS (SELECT FROM pg_event_trigger)
   AND NOT EXISTS (SELECT FROM pg_publication)
   AND NOT EXISTS (SELECT FROM pg_default_acl)
   AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)
   AND NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())
   AND NOT EXISTS (SELECT FROM pg_db_role_setting s, pg_database d
                    WHERE s.setdatabase = d.oid AND d.datname = current_database())
   AND (SELECT (datdba, datacl, datconnlimit, datallowconn) IS NOT DISTINCT FROM
               (SELECT (datdba, datacl, datconnlimit, datallowconn) FROM pg_database WHERE datname = '{TEMPLATE}')
          FROM pg_database WHERE datname = current_database())
"""
"""Objects, settings and privileges that outlive the schemas: a database that has any is dropped."""


class Databases:
    """The databases of a server: new ones, and those that have been emptied."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.numbers = count(1)
        self.empty: list[str] = []
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        with psycopg.connect(server.url(TEMPLATE), autocommit=True) as connection:
            connection.execute(EMPTY)  # so that new and emptied databases have the same `public`

    def take(self, template: str = TEMPLATE) -> str:
        """Return the name of an empty database, or of a copy of another one that has no sessions."""
        if template == TEMPLATE and self.empty:
            return self.empty.pop()
        name = f"test_{next(self.numbers)}"
        # Copying the files costs less than writing each page through the buffers.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it if that is not possible."""
        if self._can_empty(name):
            self.empty.append(name)
        else:
            self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _can_empty(self, name: str) -> bool:
        try:
            with psycopg.connect(self.server.url(name), autocommit=True) as connection:
                connection.execute(EMPTY)
                row = connection.execute(IS_EMPTY).fetchone()
        except psycopg.Error:
            return False
        return row == (True,)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(statement)
