"""Logs: one JSON object per line in a container, short lines for a person on a terminal.

Standard logging alone: it is imported anyway, and an unchanged run must not pay for more. The logs of an
application's migrations and libraries get the same form. Secrets that the settings hold are masked wherever
they appear, tracebacks included.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable
from io import TextIOBase
from typing import Any, TextIO

from compose_init.flags import FLAGS
from compose_seeder.masking import SecretMask

MILLISECONDS = 1000
"""In a second."""

MARKS = {"WARNING": "! ", "ERROR": "✗ ", "CRITICAL": "✗ "}
"""Before lines for people, by level."""

log = logging.getLogger("compose_init")


def event(message: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields: beside the message in JSON, in brackets for people.

    Args:
        message: the event, in a few words.
        level: as in `logging`.
        fields: details; `cause`, an exception, is written with its traceback.
    """
    log.log(level, "%s", message, extra={"fields": fields}, exc_info=fields.pop("cause", None))


class Redactor:
    """Masks known secrets in texts and documents.

    Args:
        secrets: the secrets; a secret of fewer than four characters is not masked, since it would mask words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._mask = SecretMask(secrets)

    def __call__(self, value: Any) -> Any:
        """Return the value with every secret in its texts masked."""
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, dict):
            return {self(key): self(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self(item) for item in value]
        return value


class MaskedStream(TextIOBase):
    """A stream for what an application's code prints, with every secret masked.

    Args:
        stream: where the text goes.
        redact: masks secrets.
    """

    def __init__(self, stream: TextIO, redact: Redactor) -> None:
        super().__init__()
        self._stream = stream
        self._redact = redact

    def write(self, text: str) -> int:
        """Write a text, masked, and return its length."""
        self._stream.write(self._redact(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Return whether the stream below is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of the stream below."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream below."""
        return self._stream.encoding


class Handler(logging.StreamHandler[TextIO]):
    """Writes to a stream; a log that nobody can read any more ends no run, and is no reason to say so."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Report a defect, and not a closed pipe or a full disk."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class Formatter(logging.Formatter):
    """Formats a record, and the fields of an `event` beside its message."""

    def __init__(self, service: str, redact: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._service = service
        self._redact = redact
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return a line of JSON, or a line for a person, with the traceback below where there is one."""
        fields = getattr(record, "fields", {})
        message = record.getMessage()
        trace = self.formatException(record.exc_info) if record.exc_info else None
        if not self._as_json:
            return str(self._redact(_format_for_people(record, message, fields, trace)))
        line = {
            "timestamp": _timestamp(record.created),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "event": message,
            **fields,
        }
        if trace:
            line["exception"] = trace
        return json.dumps(self._redact(line), ensure_ascii=False, default=str)


def configure(
    *, level: str, as_json: bool, service: str, redact: Redactor, stream: TextIO | None = None
) -> None:
    """Send every log to `stream` (stdout by default), and undo what an application configured.

    Args:
        level: of our own logs; those of libraries begin at WARNING.
        as_json: one JSON object per line.
        service: a field of each object.
        redact: masks secrets.
        stream: where logs go.
    """
    handler = Handler(stream or sys.stdout)
    handler.setFormatter(Formatter(service, redact, as_json=as_json))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        # fileConfig in an application's env.py switches loggers off, or gives them handlers.
        if isinstance(logger, logging.Logger):
            logger.disabled = False
            if name == log.name or name.startswith("alembic"):
                logger.handlers.clear()
                logger.propagate = True
    log.setLevel(level)
    # Our own event replaces "Running upgrade a -> b", and has the duration. A filter, since fileConfig in
    # an env.py sets levels and handlers again, and leaves filters as they are.
    logging.getLogger("alembic.runtime.migration").filters[:] = [_warnings_only]


def configure_first(stream: TextIO) -> None:
    """Set logs up before the settings are read, for faults in them and in the command line."""
    service = os.environ.get("LOG_SERVICE_NAME") or "init"
    as_json = is_json_by_default()
    configure(level="INFO", as_json=as_json, service=service, redact=Redactor(), stream=stream)


def is_json_by_default() -> bool:
    """Return what LOG_JSON says, also where other settings are at fault; without it, true unless on a terminal."""
    flag = FLAGS.get(os.environ.get("LOG_JSON", "").lower())
    # Not sys.stdout: while an application's code runs, logs may go there.
    return not (sys.__stdout__ or sys.stdout).isatty() if flag is None else flag


def _warnings_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _timestamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * MILLISECONDS):03d}Z"


def _format_for_people(
    record: logging.LogRecord, message: str, fields: dict[str, Any], trace: str | None
) -> str:
    mark = MARKS.get(record.levelname, "")
    details = "  ".join(f"{name}={value}" for name, value in fields.items())
    return (
        f"{mark}{message}" + (f"  ({details})" if details else "") + (f"\n{trace}" if trace else "")
    )
