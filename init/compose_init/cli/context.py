"""What a command is given: its arguments, the settings, and where it writes to.

    stdout   the document of a command that prints one; else the logs
    stderr   the logs beside a document

A document is masked before it is JSON: in there, a secret may have escapes, and a number may look like a secret.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO, cast

from compose_init.errors import OutputError
from compose_init.logs import MaskedStream, Redactor, configure, is_json_by_default
from compose_init.output.text import to_json
from compose_init.settings import Settings


@dataclass(frozen=True)
class Command:
    """One command, or the whole run that is meant without one.

    Attributes:
        name: its word on the command line.
        help: one line, as `--help` shows it.
        run: does the work; returns the exit code.
        add_arguments: adds its flags and values to its parser.
        find_fault: returns why arguments do not go together, or "".
        needs_database: whether settings without a database are wrong.
        prints_document: whether it has `--output`, for a document on stdout; a whole run prints one only on request.
    """

    name: str
    help: str
    run: Callable[[Context], int]
    add_arguments: Callable[[Any], None] = lambda _: None
    find_fault: Callable[[Namespace], str] = lambda _: ""
    needs_database: bool = True
    prints_document: bool = False

    def log_stream(self, arguments: Namespace) -> TextIO:
        """Return where logs go: to stderr beside a document, which is for a program."""
        on_request = bool(self.name or arguments.output or arguments.plan)
        return sys.stderr if self.prints_document and on_request else sys.stdout


@dataclass(frozen=True)
class Context:
    """One call of a command."""

    arguments: Namespace
    settings: Settings
    log_stream: TextIO

    @property
    def as_json(self) -> bool:
        """True where a document is asked for as JSON."""
        return bool(self.arguments.output == "json")

    @property
    def is_watched(self) -> bool:
        """True where a person on a terminal can be shown a screen that moves."""
        return (
            not self._logs_as_json
            and sys.stdout.isatty()
            and not self.arguments.output
            and self.settings.log_level != "DEBUG"
        )

    def redact(self, value: Any) -> Any:
        """Return a text or a document with every secret of the settings masked."""
        return Redactor(self.settings.secrets)(value)

    def mask(self, stream: TextIO) -> TextIO:
        """Return a stream that writes to another, with every secret of the settings masked."""
        return cast("TextIO", MaskedStream(stream, Redactor(self.settings.secrets)))

    def print_text(self, text: str) -> None:
        """Print text on stdout, masked.

        Raises:
            OutputError: stdout cannot be written.
        """
        _print(self.redact(text))

    def print_json(self, document: Any) -> None:
        """Print a document on stdout as JSON, masked.

        Raises:
            OutputError: stdout cannot be written.
        """
        _print(to_json(self.redact(document), 2))

    def reset_logging(self) -> None:
        """Set logs up as the settings say, whatever the application's code has made of them."""
        configure(
            level=self.settings.log_level,
            as_json=self._logs_as_json,
            service=self.settings.log_service_name,
            redact=Redactor(self.settings.secrets),
            stream=self.log_stream,
        )

    @property
    def _logs_as_json(self) -> bool:
        as_json = self.settings.log_json
        return is_json_by_default() if as_json is None else as_json


def _print(text: str) -> None:
    try:
        print(text, file=sys.__stdout__, flush=True)
    except OSError as error:
        raise OutputError(f"stdout cannot be written: {error.strerror}") from None
