"""What a migration leaves in a database, to be compared with what another leaves in another."""

from __future__ import annotations

import subprocess

import psycopg

from tests.support.postgres import CURRENT, binaries


def dump(database: str) -> str:
    """Dump the schema with `pg_dump`, without compose-init's own schema and without random parts."""
    program = str(binaries(CURRENT) / "pg_dump")
    done = subprocess.run(
        [program, "--schema-only", "--exclude-schema=compose_init", f"--dbname={database}"],
        check=True,
        capture_output=True,
        text=True,
    )
    lots = ("\\restrict ", "\\unrestrict ")
    return "".join(line for line in done.stdout.splitlines(True) if not line.startswith(lots))


def at(database: str) -> list[str]:
    """Return the revisions that the version table names."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
    return [name for (name,) in rows]
