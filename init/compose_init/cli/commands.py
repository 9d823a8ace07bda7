"""The commands: one row per command, and what each does.

A new command is a row in `COMMANDS`, its function here, and its line in docs/command-line.md.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from logging import WARNING
from pathlib import Path
from typing import Any

from compose_init.cli.context import Command, Context
from compose_init.database.availability import wait_for_database
from compose_init.logs import event
from compose_init.output.status import status_to_text
from compose_init.output.text import pluralize
from compose_init.record_graph import record_revision_graph
from compose_init.server import env_check
from compose_init.server.alert import send
from compose_init.server.http_probe import probe
from compose_init.status import read_installation, read_status
from compose_init.wait_for_revision import wait_for_revision
from compose_seeder import check
from compose_seeder.sources import Sources

MAX_TIMEOUT_SECONDS = 86_400
"""A day: a longer `--timeout` is a mistake."""


def _show_status(context: Context) -> int:
    found = read_status(context.settings, context.reset_logging)
    if context.as_json:
        context.print_json(found)
    else:
        context.print_text(status_to_text(found))
    return 0


def _show_installation(context: Context) -> int:
    found = read_installation(context.settings)
    if context.as_json:
        context.print_json({"installation": found})
    else:
        context.print_text(found or "none")
    return 0


def _check(context: Context) -> int:
    return _check_env_file(context) if context.arguments.env_file else _check_seeds(context)


def _check_seeds(context: Context) -> int:
    settings = context.settings
    warnings: list[str] = []
    sources = Sources(settings.object_store, settings.environ)
    counts = check(settings.manifest, sources, warnings.append) if settings.manifest else {}
    for warning in warnings:
        event(warning, WARNING)
    if context.as_json:
        datasets = [{"name": name, "records": count} for name, count in counts.items()]
        context.print_json({"datasets": datasets, "warnings": warnings})
        return 0
    for name, count in counts.items():
        context.print_text(f"{name}: {pluralize(count, 'record')}")
    context.print_text(
        "settings, manifest and seed files are fine"
        if settings.manifest
        else "settings are fine; there is no manifest"
    )
    return 0


def _check_env_file(context: Context) -> int:
    arguments = context.arguments
    compose_files = [Path(name) for name in arguments.compose_file or ("compose.yml",)]
    count = env_check.check(Path(arguments.env_file), compose_files)
    if context.as_json:
        context.print_json({"variables": count})
    else:
        context.print_text(f"{arguments.env_file}: {pluralize(count, 'variable')}, nothing wrong")
    return 0


def _add_check_arguments(parser: Any) -> None:
    parser.add_argument(
        "--env-file", metavar="FILE", help="check a server's .env instead, and secrets/ beside it"
    )
    parser.add_argument(
        "--compose-file",
        action="append",
        metavar="FILE",
        help="a Compose file that reads that .env (repeatable; default: compose.yml)",
    )


def _find_check_fault(arguments: Namespace) -> str:
    wrong = arguments.compose_file and not arguments.env_file
    return "--compose-file is for --env-file" if wrong else ""


def _wait(context: Context) -> int:
    settings, revision = context.settings, context.arguments.revision
    if revision is None:
        wait_for_database(settings.need_database(), settings.database_timeout).close()
    else:
        wait_for_revision(settings, revision, context.reset_logging)
    event("is there", revision=revision or "PostgreSQL")
    return 0


def _add_wait_arguments(parser: Any) -> None:
    parser.add_argument(
        "--revision",
        type=_revision,
        metavar="head|ID",
        help="wait until the schema is at this revision or beyond",
    )


def _revision(text: str) -> str:
    if not text:
        raise ArgumentTypeError("takes head or an id, found ''")
    return text


def _record(context: Context) -> int:
    if context.settings.alembic_config is None:
        event("there is nothing to record: no ALEMBIC_CONFIG, and no alembic.ini here")
        return 0
    found = record_revision_graph(context.settings, context.reset_logging)
    if found is not None:
        path, graph = found
        heads, count = list(graph.heads), len(graph.revisions)
        event("revision graph recorded", file=path, heads=heads, revisions=count)
    return 0


def _probe(context: Context) -> int:
    arguments = context.arguments
    context.print_text(probe(arguments.url, arguments.timeout, arguments.expected))
    return 0


def _add_probe_arguments(parser: Any) -> None:
    parser.add_argument("url", metavar="URL", help="the address to ask")
    parser.add_argument(
        "--version",
        dest="expected",
        metavar="VERSION",
        help="wait until its JSON has this version",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait (default: 30)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < MAX_TIMEOUT_SECONDS:
        raise ArgumentTypeError(f"takes seconds above 0 and below a day, found {text!r}")
    return seconds


def _alert(context: Context) -> int:
    channels = send(sys.stdin.buffer.read())
    context.print_text(
        f"sent to {', '.join(channels)}" if channels else "no alert channel is configured"
    )
    return 0


COMMANDS = (
    Command(
        "status",
        "show revision and head, datasets, the last runs",
        _show_status,
        prints_document=True,
    ),
    Command(
        "installation",
        "show the id of the database's installation, for deploy/stack",
        _show_installation,
        prints_document=True,
    ),
    Command(
        "check",
        "validate settings, manifest and seed files, offline",
        _check,
        _add_check_arguments,
        _find_check_fault,
        needs_database=False,
        prints_document=True,
    ),
    Command(
        "wait",
        "wait for PostgreSQL, or for a revision of the schema",
        _wait,
        _add_wait_arguments,
    ),
    Command(
        "record",
        "record the revision graph in a file, when an image is built",
        _record,
        needs_database=False,
    ),
    Command(
        "probe",
        "wait until an address answers, for deploy/stack",
        _probe,
        _add_probe_arguments,
        needs_database=False,
    ),
    Command(
        "alert",
        "send the JSON object on stdin to a webhook and to Telegram, for deploy/stack",
        _alert,
        needs_database=False,
    ),
)
