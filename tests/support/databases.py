"""Databases for tests: cleared after a test and given to the next one, because creating one takes longer.

A ledger takes longer still. Tests of targets need none that is new, and get one that knows of no seeds.
"""

from __future__ import annotations

from itertools import count

import psycopg

from compose_seeder.reconcile import ledger_schema
from examples.postgres import Server
from tests.support.ledgers import forget_seeds

CLEAR = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace
                 WHERE (oid >= 16384 OR nspname = 'public') AND nspname <> '{kept}' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
END $$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
"""Leaves a schema `public` as a new database has it. 16384 is the first oid that is not PostgreSQL's own."""

IS_CLEAR = """
SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())
   AND NOT EXISTS (SELECT FROM pg_extension WHERE extname <> 'plpgsql')
   AND NOT EXISTS (SELECT FROM pg_event_trigger)
   AND NOT EXISTS (SELECT FROM pg_publication)
   AND NOT EXISTS (SELECT FROM pg_default_acl)
   AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)
   AND NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())
   AND NOT EXISTS (SELECT FROM pg_db_role_setting s, pg_database d
                    WHERE s.setdatabase = d.oid AND d.datname = current_database())
   AND (SELECT (datdba, datacl, datconnlimit, datallowconn) IS NOT DISTINCT FROM
               (SELECT (datdba, datacl, datconnlimit, datallowconn) FROM pg_database WHERE datname = %s)
          FROM pg_database WHERE datname = current_database())
"""
"""Finds objects, settings and privileges that outlive the schemas: a database that has any is dropped."""

OBJECTS = """
SELECT concat(
    (SELECT count(*) FROM pg_depend WHERE objid >= 16384),
    (SELECT string_agg(concat(relname, relkind, relowner, relacl, relpersistence), ' ' ORDER BY relname)
       FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'i', 'v', 'S')),
    (SELECT string_agg(concat(attrelid, attname, atttypid, attnotnull, attacl), ' ' ORDER BY attrelid, attnum)
       FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
      WHERE attrelid >= 16384 AND attnum > 0 AND relkind = 'r'),
    (SELECT string_agg(concat(conname, pg_get_constraintdef(oid)), ' ' ORDER BY conname)
       FROM pg_constraint WHERE oid >= 16384),
    (SELECT string_agg(concat(oid, proname, proacl, prosrc), ' ' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
    (SELECT string_agg(concat(nspname, nspowner, nspacl), ' ' ORDER BY nspname)
       FROM pg_namespace WHERE nspname IN ('public', 'compose_init')))
"""
"""Describes what is in a database, and whose it is; a bulk load makes an index of the ledger anew, under its name."""

LEDGER = """
SELECT concat((SELECT f::text FROM compose_init.format f), (SELECT count(*) FROM compose_init.run),
              (SELECT count(*) FROM compose_init.revision))
"""
"""Describes the rows of a ledger that seeding and migrating leave as they are."""


class Databases:
    """The databases of a server: new ones, and those that are as new ones again.

    Args:
        server: it has them.
        with_ledger: each of them has a ledger that knows of no seeds.
    """

    def __init__(self, server: Server, *, with_ledger: bool = False) -> None:
        self.server = server
        self.template = "with_ledger" if with_ledger else "without_ledger"
        self.clear = CLEAR.format(kept="compose_init" if with_ledger else "")
        self.with_ledger = with_ledger
        self.numbers = count(1)
        self.cleared: list[str] = []
        self._execute(f"CREATE DATABASE {self.template}")
        with psycopg.connect(server.url(self.template), autocommit=True) as connection:
            connection.execute(
                self.clear.encode()
            )  # so that new and cleared ones have the same `public`
            if with_ledger:
                ledger_schema.prepare(connection)
            self.new = self._describe(connection)

    def take(self, template: str = "") -> str:
        """Return the name of a database that is as new, or of a copy of another one that has no sessions."""
        if not template and self.cleared:
            return self.cleared.pop()
        name = f"{self.template}_{next(self.numbers)}"
        # Copying the files costs less than writing each page through the buffers.
        self._execute(
            f"CREATE DATABASE {name} TEMPLATE {template or self.template} STRATEGY file_copy"
        )
        return name

    def give_back(self, name: str) -> None:
        """Clear a database for the next test, or drop it if that is not possible."""
        if self._can_clear(name):
            self.cleared.append(name)
        else:
            self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _can_clear(self, name: str) -> bool:
        try:
            with psycopg.connect(self.server.url(name), autocommit=True) as connection:
                connection.execute(self.clear.encode())
                if self.with_ledger:
                    forget_seeds(connection)
                row = connection.execute(IS_CLEAR, [self.template]).fetchone()
                return row == (True,) and self._describe(connection) == self.new
        except psycopg.Error:
            return False

    def _describe(self, connection: psycopg.Connection) -> list[tuple[str]]:
        queries = [OBJECTS, LEDGER] if self.with_ledger else [OBJECTS]
        return [row for query in queries for row in connection.execute(query.encode())]

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(statement.encode())
