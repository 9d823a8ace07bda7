"""The command line, the only `except` for everything, and the exit codes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from logging import DEBUG, ERROR, WARNING
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from compose_init import __version__
from compose_init.errors import (
    PLAN_FOUND_CHANGES,
    SIGNAL_BASE,
    CredentialsRefused,
    Interrupted,
    exit_code_of,
)
from compose_init.logs import Redactor, configure, event, log

if TYPE_CHECKING:
    from argparse import Namespace

    from compose_init.run import Run
    from compose_init.settings import Settings


OFFLINE = {"check", "record", "probe", "alert"}
"""Commands that need no database."""


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    code = _run(sys.argv[1:])
    _on_signals(_already_ending)
    sys.stdout.flush()
    sys.stderr.flush()
    if code > SIGNAL_BASE:  # a request under way must not hold the exit up
        os._exit(code)
    sys.exit(code)


def _on_signals(call: Callable[[int, Any], None]) -> None:
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, call)


def _interrupt(signum: int, _: Any) -> None:
    # Once: what cleans up after the first signal is not to be interrupted by a second one. A function
    # and not SIG_IGN: Python complains on stderr where a signal that has come already finds that.
    _on_signals(_already_ending)
    raise Interrupted(signum)


def _already_ending(signum: int, _: Any) -> None:
    del signum


def _run(arguments: list[str]) -> int:
    try:
        _on_signals(_interrupt)
        _configure_first_logs(sys.stdout)
        from compose_init import up_to_date

        if up_to_date.answer(arguments, os.environ):
            return 0
        from compose_init.cli.arguments import parse

        return _dispatch(parse(arguments))
    except Interrupted as interrupted:
        event(
            "interrupted: what was under way is rolled back, the lock is released",
            WARNING,
            signal=interrupted.signal.name,
            exit_code=interrupted.exit_code,
        )
        return interrupted.exit_code
    except Exception as error:  # noqa: BLE001 - the only one; every error leaves by here
        code = exit_code_of(error)
        if code == 1:
            event(
                "a defect in compose-init: please report it with this traceback",
                ERROR,
                exit_code=1,
                cause=error,
            )
        else:
            cause = error.__cause__ if log.isEnabledFor(DEBUG) else None
            event(str(error), ERROR, exit_code=code, cause=cause)
        return code


def _dispatch(call: Namespace) -> int:
    from compose_init.settings import read

    _configure_first_logs(_stream(call))  # faults of the settings go where all else will
    settings = read(os.environ, offline=call.command in OFFLINE)
    live = _configure_logs(settings, call)
    commands = {
        "check": _check_env_file if getattr(call, "env_file", None) else _check,
        "status": _status,
        "wait": _wait,
        "record": _record,
        "probe": _probe,
        "alert": _alert,
    }
    with redirect_stdout(_stream(call)):  # what an env.py prints is no part of a document
        if call.command in commands:
            return commands[call.command](settings, call)
        return _whole_run(settings, call, live=live)


def _whole_run(settings: Settings, call: Namespace, *, live: bool) -> int:
    from compose_init.output.progress import Lines, Live
    from compose_init.output.report import FAILED
    from compose_init.run import Call, Run

    wanted = Call(
        migrate=not call.seed_only,
        seed=not call.migrate_only,
        verify=call.verify,
        datasets=tuple(call.dataset or ()),
        **_limit(call),
    )
    _check_call(settings, call)
    run = Run(settings, wanted, Lines(), partial(_configure_logs, settings, call))
    if call.plan:
        return _plan(run, call)
    started, clock = time.time(), time.monotonic()
    if live:
        run.view = Live(run.logging)
    try:
        if call.wait_only:
            run.wait_only()
        else:
            run.execute()
    except BaseException as error:
        run.report.outcome, run.report.exit_code = FAILED, exit_code_of(error)
        run.report.error = str(error)
        raise
    finally:
        run.report.seconds = time.monotonic() - clock
        run.view.close()
        _conclude(run, settings, call, started)
    return 0


def _limit(call: Namespace) -> dict[str, int | None]:
    """How many records a plan has: for people one more than is shown, so that they learn of it."""
    if call.limit is None:
        return {}
    return {"limit": None if call.limit == "all" else int(call.limit) + (call.output != "json")}


def _check_call(settings: Settings, call: Namespace) -> None:
    """What the words on the command line need, and the settings do not have."""
    from compose_init.errors import SettingsError

    if call.migrate_only and settings.alembic_config is None:
        raise SettingsError(
            "--migrate-only: there is nothing to migrate; set ALEMBIC_CONFIG to alembic.ini or a folder of revisions"
        )
    if (call.seed_only or call.dataset) and settings.manifest is None:
        raise SettingsError(
            "there is nothing to seed; set SEED_MANIFEST to the path or URL of seeds.toml"
        )


def _plan(run: Run, call: Namespace) -> int:
    planned = run.plan()
    if call.output == "json":
        _print_json(planned.to_json(), run.settings)
    elif call.limit is None:
        _print(planned.to_text(), run.settings)
    else:
        _print(planned.to_text(None if call.limit == "all" else int(call.limit)), run.settings)
    if planned.faults and not planned.migrations:  # pending revisions may mend them
        return CredentialsRefused.exit_code
    return PLAN_FOUND_CHANGES if planned.changes else 0


def _conclude(run: Run, settings: Settings, call: Namespace, started: float) -> None:
    """Summary, report file and the ledger's row of the run."""
    from compose_init.output.report import NOTHING, to_line, write

    redact = Redactor(settings.secrets)
    document = redact(run.report.to_json())
    if settings.report is not None:
        try:
            write(settings.report, document)
        except OSError as error:  # a full disk, say; it must not hide what the run did
            reason = error.strerror
            event("the report cannot be written", WARNING, file=settings.report, reason=reason)
    if run.report.outcome != NOTHING and not call.wait_only:
        _remember(settings, started, document)
    if call.output == "json":
        print(to_line(document, 2), file=sys.__stdout__)
    elif call.output == "text":
        _print(run.report.to_text(), settings)
    elif run.report.exit_code == 0:
        run.view.summary(run.report)


def _remember(settings: Settings, started: float, document: dict[str, Any]) -> None:
    """The run into the ledger, where there is one; its failure must not hide the run's own."""
    import psycopg

    from compose_init import ledger
    from compose_init.database.connection import connect
    from compose_init.errors import InitError, NotYetError

    if settings.database is None:
        return
    try:
        with connect(settings.database, connect_timeout="2") as connection:
            ledger.record_run(connection, started, __version__, document)
    except (psycopg.Error, InitError, NotYetError) as error:
        event("the run could not be written to the ledger", DEBUG, reason=str(error))


def _check(settings: Settings, call: Namespace) -> int:
    from compose_seeder import check
    from compose_seeder.sources import Sources

    from compose_init.output.report import number

    doubts: list[str] = []
    counts = (
        check(settings.manifest, Sources(settings.object_store, settings.environ), doubts.append)
        if settings.manifest
        else {}
    )
    for doubt in doubts:
        event(doubt, WARNING)
    if call.output == "json":
        datasets = [{"name": name, "records": count} for name, count in counts.items()]
        _print_json({"datasets": datasets, "warnings": doubts}, settings)
    else:
        for name, count in counts.items():
            _print(f"{name}: {number(count, 'record')}", settings)
        checked = "settings, manifest and seed files" if settings.manifest else "settings"
        _print(
            f"{checked} are fine" + ("" if settings.manifest else "; there is no manifest"),
            settings,
        )
    return 0


def _check_env_file(settings: Settings, call: Namespace) -> int:
    from pathlib import Path

    from compose_init.server.env_file import check

    files = [Path(name) for name in call.compose_file or ("compose.yml",)]
    count = check(Path(call.env_file), files)
    if call.output == "json":
        _print_json({"variables": count}, settings)
    else:
        _print(f"{call.env_file}: {count} variables, nothing wrong", settings)
    return 0


def _probe(settings: Settings, call: Namespace) -> int:
    from compose_init.server.http_probe import probe

    _print(probe(call.url, call.timeout, call.expected), settings)
    return 0


def _alert(settings: Settings, call: Namespace) -> int:
    del call
    from compose_init.server.alert import send

    sent = send(sys.stdin.read())
    _print(f"told: {', '.join(sent)}" if sent else "nobody is to be told", settings)
    return 0


def _status(settings: Settings, call: Namespace) -> int:
    from compose_init.output.report import status_text
    from compose_init.status import status

    found = status(settings, partial(_configure_logs, settings, call))
    if call.output == "json":
        _print_json(found, settings)
    else:
        _print(status_text(found), settings)
    return 0


def _wait(settings: Settings, call: Namespace) -> int:
    from compose_init.status import wait_for_revision

    if call.revision is None:
        from compose_init.wait import wait_for_database

        wait_for_database(settings.need_database(), settings.database_timeout).close()
    else:
        wait_for_revision(settings, call.revision, partial(_configure_logs, settings, call))
    event("is there", revision=call.revision or "PostgreSQL")
    return 0


def _record(settings: Settings, call: Namespace) -> int:
    from compose_init.status import record

    if settings.alembic_config is None:
        event("there is nothing to record: no ALEMBIC_CONFIG, and no alembic.ini here")
        return 0
    found = record(settings, partial(_configure_logs, settings, call))
    if found is not None:
        path, lineage = found
        heads, count = list(lineage.heads), len(lineage.revisions)
        event("lineage recorded", file=path, heads=heads, revisions=count)
    return 0


def _print_json(document: Any, settings: Settings) -> None:
    """Masked before it is JSON: in there, a secret may have escapes, and a number may look like one."""
    from compose_init.output.report import to_line

    print(to_line(Redactor(settings.secrets)(document), 2), file=sys.__stdout__)


def _print(text: str, settings: Settings) -> None:
    print(Redactor(settings.secrets)(text), file=sys.__stdout__)


def _configure_first_logs(stream: TextIO) -> None:
    """Set logs up for faults in the command line and in the settings."""
    service = os.environ.get("LOG_SERVICE_NAME") or "init"
    as_json = _json_by_default()
    configure(level="INFO", as_json=as_json, service=service, redact=Redactor(), stream=stream)


def _configure_logs(settings: Settings, call: Namespace) -> bool:
    """Set logs up as the settings say; returns whether a person watches a terminal."""
    as_json = _json_by_default() if settings.log_json is None else settings.log_json
    configure(
        level=settings.log_level,
        as_json=as_json,
        service=settings.log_service_name,
        redact=Redactor(settings.secrets),
        stream=_stream(call),
    )
    return not as_json and sys.stdout.isatty() and not call.output and settings.log_level != "DEBUG"


def _stream(call: Namespace) -> TextIO:
    """A document on stdout is for a program: logs go elsewhere."""
    document = call.output or call.plan or call.command in {"status", "check"}
    return sys.stderr if document else sys.stdout


def _json_by_default() -> bool:
    """As LOG_JSON says, also for faults in the settings; else what stdout is."""
    from compose_init.flags import FLAGS

    said = FLAGS.get(os.environ.get("LOG_JSON", "").lower())
    # Not sys.stdout: while an application's code runs, that may be where logs go.
    return not (sys.__stdout__ or sys.stdout).isatty() if said is None else said


if __name__ == "__main__":
    main()
