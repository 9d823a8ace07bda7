"""The command without a word: a whole run, one phase of it, or its plan."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError, Namespace
from logging import DEBUG, WARNING
from typing import Any, Literal

import psycopg

from compose_init import __version__, ledger
from compose_init.cli.context import Command, Context
from compose_init.database.connection import connect, prepare_session
from compose_init.errors import (
    PLAN_FOUND_CHANGES,
    CredentialsRefused,
    InitError,
    NotYetError,
    SettingsError,
    exit_code_of,
)
from compose_init.last_run import NOTHING
from compose_init.logs import event
from compose_init.output.planned import SHOWN_RECORDS
from compose_init.output.progress import LiveProgress, LogProgress
from compose_init.output.report import FAILED, write_report
from compose_init.phases.options import RunOptions
from compose_init.run import Run

LEDGER_TIMEOUT_SECONDS = 2
"""Time to connect for the run's row in the ledger: the run itself is over."""


def run(context: Context) -> int:
    """Do what the flags ask for; return the exit code."""
    _check_settings(context)
    arguments = context.arguments
    options = RunOptions(
        migrate=not arguments.seed_only,
        seed=not arguments.migrate_only,
        verify=arguments.verify,
        datasets=tuple(arguments.dataset or ()),
        **_record_limit(arguments),
    )
    run = Run(context.settings, options, LogProgress(), context.reset_logging)
    return _plan(run, context) if arguments.plan else _execute(run, context)


def _add_arguments(parser: Any) -> None:
    phases = parser.add_mutually_exclusive_group()
    phases.add_argument(
        "--wait-only", action="store_true", help="wait for PostgreSQL, and for an API elsewhere"
    )
    phases.add_argument(
        "--migrate-only", action="store_true", help="wait, and bring the schema to head"
    )
    phases.add_argument(
        "--seed-only", action="store_true", help="wait, and bring the seeds to what their files say"
    )
    parser.add_argument(
        "--dataset", action="append", metavar="NAME", help="seed only this dataset (repeatable)"
    )
    parser.add_argument(
        "--plan", action="store_true", help="show what would change, and change nothing"
    )
    parser.add_argument(
        "--limit",
        type=_limit,
        metavar="N|all",
        help="with --plan: how many records of a dataset to show (default: 20; as JSON 1000)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare with live data even where no file has changed",
    )


def _limit(text: str) -> int | Literal["all"]:
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit():
        return int(text)
    raise ArgumentTypeError(f"takes a number or all, found {text!r}")


def _find_fault(arguments: Namespace) -> str:
    if arguments.dataset and (arguments.wait_only or arguments.migrate_only):
        phase = "--wait-only" if arguments.wait_only else "--migrate-only"
        return f"--dataset and {phase} exclude each other"
    if arguments.plan and arguments.wait_only:
        return "--plan and --wait-only exclude each other"
    if arguments.limit is not None and not arguments.plan:
        return "--limit is for --plan"
    return ""


WHOLE_RUN = Command(
    "", "wait, migrate, seed", run, _add_arguments, _find_fault, prints_document=True
)


def _check_settings(context: Context) -> None:
    """Raise `SettingsError` where a flag needs a setting that is missing."""
    arguments, settings = context.arguments, context.settings
    if arguments.migrate_only and settings.alembic_config is None:
        raise SettingsError(
            "--migrate-only: there is nothing to migrate; set ALEMBIC_CONFIG to alembic.ini or a folder of revisions"
        )
    if (arguments.seed_only or arguments.dataset) and settings.manifest is None:
        raise SettingsError(
            "there is nothing to seed; set SEED_MANIFEST to the path or URL of seeds.toml"
        )


def _record_limit(arguments: Namespace) -> dict[str, int | None]:
    """Return how many records a plan carries: as text one more than is shown, so that it can say so."""
    if arguments.limit is None:
        return {}
    if arguments.limit == "all":
        return {"limit": None}
    return {"limit": arguments.limit + (arguments.output != "json")}


def _plan(run: Run, context: Context) -> int:
    planned = run.plan()
    limit = context.arguments.limit
    if context.as_json:
        context.print_json(planned.to_json())
    else:
        shown = SHOWN_RECORDS if limit is None else limit
        context.print_text(planned.to_text(None if shown == "all" else shown))
    if planned.faults and not planned.migrations:  # pending revisions may fix them
        return CredentialsRefused.exit_code
    return PLAN_FOUND_CHANGES if planned.changes else 0


def _execute(run: Run, context: Context) -> int:
    started, clock = time.time(), time.monotonic()
    if context.is_watched:
        run.progress = LiveProgress(run.reset_logging)
    try:
        if context.arguments.wait_only:
            run.wait_only()
        else:
            run.execute()
    except BaseException as error:
        run.report.outcome, run.report.exit_code = FAILED, exit_code_of(error)
        run.report.error = str(error)
        raise
    finally:
        run.report.seconds = time.monotonic() - clock
        run.progress.close()
        _conclude(run, context, started)
    return 0


def _conclude(run: Run, context: Context, started: float) -> None:
    """Write the report file, the ledger's row of the run, and the summary."""
    document = context.redact(run.report.to_json())
    _write_report_file(context, document)
    if run.report.outcome != NOTHING and not context.arguments.wait_only:
        _record_run(context, started, document)
    if context.as_json:
        context.print_json(document)
    elif context.arguments.output == "text":
        context.print_text(run.report.to_text())
    elif run.report.exit_code == 0:
        run.progress.show_summary(run.report)


def _write_report_file(context: Context, document: dict[str, Any]) -> None:
    path = context.settings.report
    if path is None:
        return
    try:
        write_report(path, document)
    except OSError as error:  # a full disk, say; it must not hide what the run did
        event("the report cannot be written", WARNING, file=path, reason=error.strerror)


def _record_run(context: Context, started: float, document: dict[str, Any]) -> None:
    """Write the run into the ledger, where there is one; a failure must not hide the run's own."""
    database = context.settings.database
    if database is None:
        return
    try:
        with connect(database, connect_timeout=str(LEDGER_TIMEOUT_SECONDS)) as connection:
            prepare_session(connection, LEDGER_TIMEOUT_SECONDS)
            ledger.record_run(connection, started, __version__, document)
    except (psycopg.Error, InitError, NotYetError) as error:
        event("the run could not be written to the ledger", DEBUG, reason=str(error))
