"""The fast path: is there nothing to do?

    raw environment ─▶ connect ─▶ one query ─▶ the same variables, migrations, seeds and role as then?
                                                  ├─ yes ─▶ "nothing to do", exit code 0
                                                  └─ no, in doubt, any error ─▶ look closer: the whole program

`docker compose up` starts the finished container every time. So this module imports the standard library,
psycopg and what is as light, and decides nothing but that: whatever has changed goes through the whole
program, its validation included, which then leaves the digest of its variables (`variables_record`).
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from compose_init import __version__
from compose_init.alembic_options import SECTION, AlembicOptions
from compose_init.database.connection import LIBPQ_MIN_TIMEOUT_SECONDS, connect
from compose_init.database.url import ADDRESS, from_variables
from compose_init.files import find_alembic_config, find_manifest
from compose_init.flags import FLAGS
from compose_init.last_run import NOTHING, State, ask
from compose_init.logs import Redactor, configure, event
from compose_init.migrations.fingerprint import fingerprint_migrations
from compose_init.phases.options import RunOptions
from compose_seeder.sources.environment_variable import PREFIX as VARIABLE
from compose_seeder.sources.location import Sources
from compose_seeder.sources.variables import FILE_SUFFIX, read_variable

OPTIONS_BY_FLAGS = {
    (): RunOptions(),
    ("--migrate-only",): RunOptions(seed=False),
    ("--seed-only",): RunOptions(migrate=False),
}
"""The command lines that are answered here; `--dataset NAME` may be added where seeding is a part of them."""

IGNORED = frozenset({"HOSTNAME", "LC_CTYPE", "OLDPWD", "PWD", "SHLVL", "_"})
"""Variables that containers, shells and Python set by themselves; any other may be one that `env.py` reads."""

DIGEST_ITERATIONS = 1000
"""Rounds of the digest of variables: each guess of a secret costs that much, and each run a millisecond."""


class LookCloserError(Exception):
    """Something differs, or is in doubt."""


def answer(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Log "nothing to do" if that is certain.

    Args:
        words: of the command line.
        environ: all variables.

    Returns:
        True if it was logged; otherwise the whole program has to look closer.
    """
    started = time.monotonic()
    try:
        _check(words, environ)
        _say(environ, time.monotonic() - started)
    except Exception:  # noqa: BLE001 - the whole program meets the error again, and words it
        return False
    return True


def _check(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Compare everything with what the last complete run left.

    Raises:
        LookCloserError: something differs.
        Exception: anything else that goes wrong.
    """
    options = _read_options(words)
    _expect(not sys.stdout.isatty())  # a person gets another line
    _expect(is_answerable(environ))
    state = _find_state(_ask(environ), options, environ)
    if options.migrate:
        _check_migrations(environ, state, needed=not options.seed)
    if options.seed:
        _expect(state.has_tables_of(options.datasets))
        inputs = state.inputs.get(options.seed_name, {})
        _check_seeds(environ, inputs, needed=not options.migrate or bool(options.datasets))
    if role := value_of(environ, "INIT_APPLICATION_ROLE"):
        _expect(state.inputs["roles"]["role"] == role)


def _find_state(states: Sequence[State], options: RunOptions, environ: Mapping[str, str]) -> State:
    """Return what a run with the same command line and variables has left.

    Raises:
        LookCloserError: there was none.
    """
    for state in states:
        last = state.inputs.get(phase_of(options.flags))
        if last and last["digest"] == digest(options.flags, environ, last["files"], last["salt"]):
            return state
    raise LookCloserError


def _read_options(words: Sequence[str]) -> RunOptions:
    """Return the options that the words set.

    Raises:
        LookCloserError: the words are not answered here, or wrong.
    """
    flags, datasets = [], []
    rest = iter(words)
    for word in rest:
        if word == "--dataset":
            datasets.append(next(rest, ""))
        else:
            flags.append(word)
    options = OPTIONS_BY_FLAGS.get(tuple(flags))
    if options is None:
        raise LookCloserError
    _expect(options.seed or not datasets)
    # argparse takes a word with a hyphen for a flag, and refuses it.
    _expect(all(name and not name.startswith("-") for name in datasets))
    return replace(options, datasets=tuple(datasets))


def _check_migrations(environ: Mapping[str, str], state: State, *, needed: bool) -> None:
    config = find_alembic_config(value_of(environ, "ALEMBIC_CONFIG") or None)
    if config is None:
        _expect(not needed)
        return
    section = value_of(environ, "ALEMBIC_SECTION") or SECTION
    last = state.inputs["migrate"]
    found = fingerprint_migrations(AlembicOptions(config, section))
    _expect(last["environment"] == found.environment)
    _expect(last["files"] == found.revisions)
    _expect(sorted(last["revisions"]) == sorted(state.revisions))


def _check_seeds(environ: Mapping[str, str], last: Mapping[str, str], *, needed: bool) -> None:
    manifest = find_manifest(value_of(environ, "SEED_MANIFEST") or None)
    if manifest is None:
        _expect(not needed)
        return
    _expect(manifest in last)
    sources = Sources(variables=environ)
    for location, fingerprint in last.items():
        _expect("://" not in location)
        if location.startswith(VARIABLE):
            value_of(environ, location.removeprefix(VARIABLE))
        _expect(sources.recorded(location).fingerprint() == fingerprint)


def _ask(environ: Mapping[str, str]) -> list[State]:
    values = {name: value_of(environ, name) for name in ADDRESS}
    database = from_variables({name: value for name, value in values.items() if value})
    if database is None:
        raise LookCloserError
    # A server that takes longer is waited for by the whole program.
    with connect(database, connect_timeout=str(LIBPQ_MIN_TIMEOUT_SECONDS)) as connection:
        return ask(connection, briefly=True)


def is_answerable(environ: Mapping[str, str]) -> bool:
    """Tell if a run with these variables would say one log line, and write no file.

    Raises:
        LookCloserError, OSError: a variable cannot be read.
    """
    return value_of(environ, "LOG_LEVEL").upper() != "DEBUG" and not value_of(
        environ, "INIT_REPORT"
    )


def _say(environ: Mapping[str, str], seconds: float) -> None:
    """Log what the whole program would log."""
    configure(
        level=value_of(environ, "LOG_LEVEL").upper() or "INFO",
        as_json=FLAGS.get(value_of(environ, "LOG_JSON").lower(), True),
        service=value_of(environ, "LOG_SERVICE_NAME") or "init",
        redact=Redactor(),  # `variables_record` sees to it that there would be nothing to mask
        stream=sys.stdout,
    )
    event(NOTHING, seconds=round(seconds, 3))


def value_of(environ: Mapping[str, str], name: str) -> str:
    """Return a variable's value, or that of its file; empty where it is not set."""
    path = environ.get(name + FILE_SUFFIX)
    # What is no regular file may be read once: by the whole program.
    _expect(not path or stat.S_ISREG(os.stat(path).st_mode))  # noqa: PTH116
    found = read_variable(environ, name)
    _expect(not found.faults)
    return found.text


def _expect(right: bool) -> None:  # noqa: FBT001 - an assertion that stays
    if not right:
        raise LookCloserError


def phase_of(arguments: Sequence[str]) -> str:
    """Return the name under which the ledger has the variables of runs with this command line."""
    return " ".join(["variables", *arguments])


def digest(
    arguments: Sequence[str], environ: Mapping[str, str], files: Iterable[str], salt: str
) -> str:
    """Return the digest of a run's command line and variables, from which no secret can be read.

    Args:
        arguments: of the command line.
        environ: all variables.
        files: the names of variables that name a file; its content counts as well.
        salt: random.

    Raises:
        LookCloserError, OSError: a file cannot be read.
    """
    counted = sorted((name, text) for name, text in environ.items() if name not in IGNORED)
    contents = [value_of(environ, name.removesuffix(FILE_SUFFIX)) for name in sorted(files)]
    text = json.dumps([__version__, *arguments, counted, contents])
    return hashlib.pbkdf2_hmac("sha256", text.encode(), salt.encode(), DIGEST_ITERATIONS).hex()
