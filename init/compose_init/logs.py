"""Logs: one JSON object a line in a container, calm lines for a person on a terminal.

Standard logging alone: it is imported anyway, and an unchanged run must not pay for more. What an
application's migrations and libraries log comes out in the same form. Secrets that the settings hold
are replaced wherever they appear, tracebacks included.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

from compose_seeder.masking import SecretMask

from compose_init.flags import FLAGS

log = logging.getLogger("compose_init")


def event(message: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields: beside it in JSON, in brackets for people.

    `cause`, an exception, is written with its traceback.
    """
    log.log(level, "%s", message, extra={"fields": fields}, exc_info=fields.pop("cause", None))


class Redactor:
    """Replaces known secrets in text.

    Args:
        secrets: the secrets; those shorter than four characters are left, they would mask words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._mask = SecretMask(secrets)

    def __call__(self, value: Any) -> Any:
        """The same value with every secret in its text masked."""
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, dict):
            return {self(key): self(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self(item) for item in value]
        return value


class Formatter(logging.Formatter):
    """The fields of an `event` go beside its message."""

    def __init__(self, service: str, redact: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._service = service
        self._redact = redact
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON, or a line for a person (with a traceback below, where there is one)."""
        fields = getattr(record, "fields", {})
        message = record.getMessage()
        trace = self.formatException(record.exc_info) if record.exc_info else None
        if not self._as_json:
            return str(self._redact(_for_people(record, message, fields, trace)))
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
    """Send every log to `stream` (stdout by default), and undo what others configured."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(Formatter(service, redact, as_json=as_json))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        # An application's env.py may have switched loggers off with fileConfig, or given them handlers.
        if isinstance(logger, logging.Logger):
            logger.disabled = False
            if name == log.name or name.startswith("alembic"):
                logger.handlers.clear()
                logger.propagate = True
    log.setLevel(level)
    # "Running upgrade a -> b" is said by our own event, with its duration. A filter, since an env.py
    # that calls fileConfig sets levels and handlers anew, and leaves filters alone.
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
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def _for_people(
    record: logging.LogRecord, message: str, fields: dict[str, Any], trace: str | None
) -> str:
    mark = {"WARNING": "! ", "ERROR": "✗ ", "CRITICAL": "✗ "}.get(record.levelname, "")
    details = "  ".join(f"{name}={value}" for name, value in fields.items())
    return (
        f"{mark}{message}" + (f"  ({details})" if details else "") + (f"\n{trace}" if trace else "")
    )
