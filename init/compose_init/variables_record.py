"""The digest of the variables, left in the ledger for the fast path of the next run."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress

import psycopg

from compose_init import ledger, up_to_date
from compose_init.database.connection import Connection
from compose_init.settings import Settings
from compose_seeder.masking import MIN_SECRET_CHARACTERS
from compose_seeder.sources.variables import FILE_SUFFIX

LINE = (
    '{"timestamp": "2026-01-01T00:00:00.000Z", "level": "info", "logger": "compose_init",'
    ' "event": "nothing to do", "seconds": 0.001} nothing to do  (seconds=0.001)'
)
"""The line of the fast path, in both forms; its digits vary."""


def record(
    connection: Connection, settings: Settings, arguments: tuple[str, ...], version_table: str
) -> None:
    """Record the digest of the variables, unless it is recorded already.

    A run that has nothing to do succeeds even if it may not write.

    Args:
        connection: in autocommit.
        settings: validated; the run with them is complete.
        arguments: of the command line.
        version_table: of the history that the run migrates; "" where there is not exactly one.
    """
    if _may_be_masked(settings):
        return
    files = sorted(name + FILE_SUFFIX for name in settings.file_values)
    phase = up_to_date.phase_of(arguments)
    with suppress(psycopg.Error, up_to_date.LookCloserError, OSError):
        if not up_to_date.is_answerable(settings.environ):
            return
        states = ledger.read(connection)
        if states is None:  # no run has had anything to do
            return
        found = (state.inputs for state in states if state.version_table == version_table)
        last = next(found, {}).get(phase, {})
        salt = last.get("salt", "")
        digest = up_to_date.digest(arguments, settings.environ, files, salt)
        if salt and last == {"salt": salt, "files": files, "digest": digest}:
            return
        salt = secrets.token_hex(16)
        digest = up_to_date.digest(arguments, settings.environ, files, salt)
        inputs = {"salt": salt, "files": files, "digest": digest}
        ledger.record_phase(connection, phase, inputs, version_table)


def _may_be_masked(settings: Settings) -> bool:
    """Tell if a secret may stand in the line of the fast path, which does not know the secrets."""
    line = re.sub(r"\d", "0", f"{LINE} {settings.log_service_name}")
    known = (secret for secret in settings.secrets if len(secret) >= MIN_SECRET_CHARACTERS)
    return any(re.sub(r"\d", "0", secret) in line for secret in known)
