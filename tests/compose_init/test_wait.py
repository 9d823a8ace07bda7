"""Waiting: for what comes up, and not where waiting does not help."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from compose_init.database.availability import wait_for_database
from compose_init.database.connection import connect
from compose_init.database.url import Database
from compose_init.errors import CredentialsRefused, NotReadyError, NotYetError, SettingsError
from compose_init.settings import read
from compose_init.wait import poll_until
from examples.postgres import PASSWORD, Server, free_port
from tests.support.programs import Program


def database(url: str) -> Database:
    return read({"DATABASE_URL": url}).need_database()


def test_until_gives_the_first_answer() -> None:
    """Asked again after "not yet", and no more after an answer."""
    answers = iter(["not yet", "not yet", "there", "never asked"])

    def ask() -> str:
        answer = next(answers)
        if answer == "not yet":
            raise NotYetError(answer)
        return answer

    assert poll_until(ask, what="it", timeout=5, hint="") == "there"
    assert next(answers) == "never asked"


def test_until_ends_with_the_last_reason() -> None:
    """The message says what, how long, why, and what to look at."""

    def ask() -> None:
        raise NotYetError("still asleep")

    with pytest.raises(NotReadyError, match=r"it did not come up within 0.2 s: still asleep; look"):
        poll_until(ask, what="it", timeout=0.2, hint="look")


def test_other_errors_end_it_at_once() -> None:
    """What is not "not yet" is not asked again."""
    asked = []

    def ask() -> None:
        asked.append(1)
        raise CredentialsRefused("no")

    with pytest.raises(CredentialsRefused):
        poll_until(ask, what="it", timeout=5, hint="")
    assert asked == [1]


def test_a_wrong_password_fails_at_once(server: Server, program: Program) -> None:
    """77 within a moment, not after the deadline; the password is not shown."""
    started = time.monotonic()
    url = server.url().replace("postgres:p%40ss", "postgres:wr0ngpass%40ss")
    run = program.with_(DATABASE_URL=url, INIT_DATABASE_TIMEOUT="60").run()
    assert run.code == 77
    assert time.monotonic() - started < 30
    assert "password authentication failed" in run.said
    assert "wr0ngpass" not in run.said


def test_an_unknown_role_or_database_fails_at_once(server: Server) -> None:
    """Neither appears by waiting."""
    with pytest.raises(CredentialsRefused):
        connect(database(server.url().replace("//postgres:", "//nobody:")))
    for name in ("nope", 'a "quoted" one'):
        with pytest.raises(SettingsError, match=f'database "{name}" does not exist'):
            connect(database(server.url(name)))


def test_tls_that_cannot_be_had_fails_at_once(server: Server) -> None:
    """The server has no TLS, and the address demands it."""
    with pytest.raises(SettingsError, match="server does not support SSL"):
        connect(database(server.url() + "?sslmode=require"))


def test_a_wrong_parameter_is_a_wrong_setting(server: Server) -> None:
    """Libpq's own words about it."""
    with pytest.raises(SettingsError, match="invalid"):
        connect(database(server.url() + "?sslmoed=require"))


@pytest.mark.parametrize(
    "query",
    [
        "target_session_attrs=primry",
        "channel_binding=always",
        "channel_binding=require",
        "require_auth=md5",
        "ssl_min_protocol_version=2",
        "sslrootcert=system&sslmode=prefer",
        "service=none",
        "port=1,2",
        "options=-cwork_mem%3Dmuch",
        "options=work_mem",
    ],
)
def test_a_wrong_value_fails_at_once(server: Server, query: str) -> None:
    """Libpq and PostgreSQL refuse it before and after the connection; waiting mends neither."""
    with pytest.raises(SettingsError, match="waiting does not help"):
        connect(database(f"{server.url()}?{query}"))


def test_a_server_that_never_answers_costs_no_more_than_the_deadline() -> None:
    """Where packets are dropped, or a process stands still, an attempt ends by its timeout alone."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:pw12345@127.0.0.1:{silent.getsockname()[1]}/n"
        started = time.monotonic()
        with pytest.raises(NotReadyError, match="within 1 s"):
            wait_for_database(database(url), 1)
        assert time.monotonic() - started < 20


def test_time_that_was_waited_already_counts() -> None:
    """A run tries once before its waiting loop."""
    with pytest.raises(NotReadyError, match="within 60 s"):
        poll_until(_asleep, what="it", timeout=60, hint="", started=time.monotonic() - 60)


def _asleep() -> None:
    raise NotYetError("still asleep")


def test_unreachable_is_waited_for_until_the_deadline(program: Program) -> None:
    """69, with address and reason."""
    port = free_port()
    url = f"postgresql://u:pw12345@127.0.0.1:{port}/n"
    run = program.with_(DATABASE_URL=url, INIT_DATABASE_TIMEOUT="1").run()
    assert run.code == 69
    assert f"127.0.0.1:{port}/n did not come up within 1 s" in run.said
    assert "refused" in run.said.lower()
    assert "pw12345" not in run.said


def test_an_unresolved_name_is_waited_for(program: Program) -> None:
    """A name appears in Compose's network when its container does."""
    run = program.with_(
        DATABASE_URL="postgresql://u@no.such.host.invalid/n", INIT_DATABASE_TIMEOUT="1"
    ).run()
    assert run.code == 69
    assert "no.such.host.invalid" in run.said


def test_a_server_that_comes_up_late(program: Program) -> None:
    """Refused, starting up, then there: the run goes on by itself."""
    late = Server()
    with late:
        late.stop("fast")
        starter = threading.Timer(1.0, late.start)
        starter.start()
        run = program.with_(DATABASE_URL=late.url()).run("--wait-only")
        starter.join()
    assert run.code == 0, run.said
    assert "waiting for PostgreSQL" in run.names()
    assert PASSWORD not in run.said
