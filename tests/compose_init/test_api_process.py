"""The temporary API, and an API elsewhere: what can go wrong with them, and how it is said."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.forks import BASE, Running
from tests.support.http_answers import answering
from tests.support.preloaded import Call
from tests.support.programs import Program


def test_an_api_that_dies(migrated: Program) -> None:
    """69 at once, with its exit code and its last words; secrets in them are masked."""
    command = (
        "python -c \"import os, sys; print('I cannot work with', os.environ['DATABASE_URL']);"
        ' sys.exit(3)"'
    )
    run = migrated.with_(API_COMMAND=command).run()
    assert run.code == 69
    assert "ended with exit code 3" in run.said
    assert "I cannot work with" in run.said
    assert "p%40ss" not in run.said


def test_an_api_that_is_never_healthy(migrated: Program) -> None:
    """69 at the deadline, with what its health last said."""
    run = migrated.with_(API_HEALTH_PATH="/nothing", INIT_API_TIMEOUT="6").run()
    assert run.code == 69
    assert "/nothing answered 404" in run.said
    assert "API_HEALTH_PATH" in run.said


def test_a_command_that_is_not_there(migrated: Program) -> None:
    """78, naming the setting."""
    run = migrated.with_(API_COMMAND="no-such-program --x").run()
    assert run.code == 78
    assert "API_COMMAND: no-such-program cannot be run" in run.said


def test_a_port_that_is_taken(migrated: Program) -> None:
    """78: seeding through somebody else's API would be worse than not seeding."""
    with answering(lambda _: (200, {}), int(migrated.environ["API_PORT"])):
        run = migrated.run()
    assert run.code == 78
    assert "listens on" in run.said


def test_no_api_at_all(migrated: Program) -> None:
    """78, only when a dataset needs one, with both ways out."""
    none = Program(
        {k: v for k, v in migrated.environ.items() if not k.startswith("API_")}, migrated.folder
    )
    run = none.run()
    assert run.code == 78
    assert "API_COMMAND to start one" in run.said
    assert none.run("--dataset", "habitats").code == 0


def test_an_api_elsewhere(migrated: Program, tmp_path: Path) -> None:
    """With API_BASE_URL alone, nothing is started; its health is waited for."""
    environ = {k: v for k, v in migrated.environ.items() if k != "API_COMMAND"}
    elsewhere = Program({**environ, "INIT_API_TIMEOUT": "30"}, migrated.folder)
    call = Call([], {**BASE, **environ}, str(tmp_path), "dnd_helper_api.main")
    with (tmp_path / "api.log").open("w") as log, Running(call, log) as api:
        run = elsewhere.run()
        api.send_signal(signal.SIGTERM)
    assert run.code == 0, run.said
    assert "starting the temporary API" not in run.names()
    assert elsewhere.run().names() == ["nothing to do"]


def test_an_api_elsewhere_that_is_not_there(migrated: Program) -> None:
    """69 at the deadline."""
    environ = {k: v for k, v in migrated.environ.items() if k != "API_COMMAND"}
    run = Program({**environ, "INIT_API_TIMEOUT": "1"}, migrated.folder).run()
    assert run.code == 69
    assert "did not come up within 1 s" in run.said


def test_an_api_that_refuses_us(migrated: Program) -> None:
    """77 at once: a token does not become right by waiting."""
    environ = {k: v for k, v in migrated.environ.items() if k != "API_COMMAND"}
    with answering(lambda _: (401, {}), int(migrated.environ["API_PORT"])):
        run = Program(environ, migrated.folder).run()
    assert run.code == 77
    assert "API_TOKEN" in run.said


def test_a_token_from_a_file_reaches_both_sides(migrated: Program, tmp_path: Path) -> None:
    """The temporary API demands it, and init sends it; neither prints it."""
    (tmp_path / "token").write_text("hush-hush-token\n")
    run = migrated.with_(API_TOKEN_FILE=str(tmp_path / "token"), LOG_LEVEL="DEBUG").run()
    assert run.code == 0, run.said
    assert "hush-hush" not in run.said
