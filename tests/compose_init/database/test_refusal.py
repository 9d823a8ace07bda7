"""A server that speaks another language than English: its SQLSTATE tells what waiting does not mend."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.programs import Program

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104


@contextmanager
def refusing(state: str, text: str) -> Iterator[int]:
    """Refuse every login, as a server with another `lc_messages` does; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError, struct.error):
                        _refuse(connection, state, text)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def _refuse(connection: socket.socket, state: str, text: str) -> None:
    length, code = struct.unpack("!ii", connection.recv(8))
    while code in {SSL_REQUEST, GSS_REQUEST}:
        connection.sendall(b"N")
        length, code = struct.unpack("!ii", connection.recv(8))
    connection.recv(length - 8)
    fields = f"SFATAL\0VFATAL\0C{state}\0M{text}\0\0".encode()
    connection.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)


@pytest.mark.parametrize(
    ("state", "text", "code"),
    [
        ("28P01", "Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen", 77),
        ("28000", "kein pg_hba.conf-Eintrag für Host", 77),
        ("42501", "keine Berechtigung für Datenbank app", 77),
        ("3D000", 'データベース"app"は存在しません', 78),
        ("42704", "нераспознанный параметр конфигурации", 78),
        ("57P03", "das Datenbanksystem startet", 69),
        ("53300", "tut mir leid, schon zu viele Verbindungen", 69),
    ],
)
def test_in_any_language(program: Program, state: str, text: str, code: int) -> None:
    """At once where waiting does not help, and waited for where it does."""
    with refusing(state, text) as port:
        url = f"postgresql://app:Sup3rsecret@127.0.0.1:{port}/app"
        started = time.monotonic()
        run = program.with_(DATABASE_URL=url, INIT_DATABASE_TIMEOUT="6").run("--wait-only")
        seconds = time.monotonic() - started
    assert run.code == code, run.said
    assert (seconds > 5) == (code == 69)
    assert "Sup3rsecret" not in run.said


def test_roles_of_one_group(program: Program, connection: psycopg.Connection) -> None:
    """The ledger belongs to the role that made it: another is told whose it is, and the SQL that mends it."""
    url = program.environ["DATABASE_URL"]
    name = conninfo_to_dict(url)["dbname"]
    first, second = (f"{name}_{part}" for part in ("first", "second"))
    connection.autocommit = True
    for role in (first, second):
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(role))
        )
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {}")
        connection.execute(grant.format(sql.Identifier(str(name)), sql.Identifier(role)))
        public = sql.SQL("GRANT ALL ON SCHEMA public TO {}")
        connection.execute(public.format(sql.Identifier(role)))
    try:
        (program.folder / "r").mkdir()
        (program.folder / "r" / "a.py").write_text(
            "revision, down_revision = 'a', None\ndef upgrade(): pass\n"
        )
        migrating = program.with_(ALEMBIC_CONFIG=str(program.folder / "r"))
        place = url.partition("@")[2]
        assert migrating.with_(DATABASE_URL=f"postgresql://{first}:x@{place}").run().code == 0
        tables = sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}")
        connection.execute(tables.format(sql.Identifier(second)))
        (program.folder / "r" / "b.py").write_text(
            "revision, down_revision = 'b', 'a'\ndef upgrade(): pass\n"
        )
        run = migrating.with_(DATABASE_URL=f"postgresql://{second}:x@{place}").run()
        assert run.code == 77, run.said
        assert f"schema compose_init belongs to {first}" in run.said
        assert f"ALTER SCHEMA compose_init OWNER TO {second};" in run.said
    finally:
        for role in (first, second):
            connection.execute(sql.SQL("DROP OWNED BY {0} CASCADE").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
