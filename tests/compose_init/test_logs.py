"""Logs: one JSON object a line, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from urllib.parse import quote

import pytest

from compose_init.logs import MaskedStream, Redactor, configure, event, log

SECRET = "p@ss \"w\\rd'é"


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line(stream: io.StringIO) -> None:
    """Timestamp, level, service, event and its own fields, whatever they are called."""
    configure(level="INFO", as_json=True, service="seed", redact=Redactor(), stream=stream)
    event("dataset seeded", created=3, name="monsters\nsecond line")
    (line,) = lines(stream)
    assert line["service"] == "seed"
    assert line["level"] == "info"
    assert (line["event"], line["created"]) == ("dataset seeded", 3)
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_masked_everywhere(stream: io.StringIO, *, as_json: bool) -> None:
    """In the message, in fields, quoted in a URL, and in a traceback."""
    configure(
        level="INFO", as_json=as_json, service="init", redact=Redactor([SECRET]), stream=stream
    )
    try:
        raise ValueError(f"connecting with {SECRET} failed")
    except ValueError as error:
        event(
            f"at postgresql://u:{quote(SECRET, safe='')}@db",
            value=SECRET,
            nested=[{"key": SECRET}],
            cause=error,
        )
    written = stream.getvalue()
    for form in (SECRET, quote(SECRET, safe=""), json.dumps(SECRET)[1:-1], "rd'é"):
        assert form not in written
    assert "Traceback" in written
    assert "***" in written


def test_what_an_application_prints_is_masked(stream: io.StringIO) -> None:
    """An env.py may print the address that it was given."""
    printed = MaskedStream(stream, Redactor([SECRET]))
    print("url", quote(SECRET), SECRET, file=printed)
    assert stream.getvalue() == "url *** ***\n"
    assert not printed.isatty()


def test_logging_survives_what_others_configure(stream: io.StringIO) -> None:
    """An env.py that calls fileConfig switches loggers off; configuring again mends it."""
    configure(level="INFO", as_json=True, service="init", redact=Redactor(), stream=stream)
    log.disabled = True
    logging.getLogger().handlers.clear()
    logging.basicConfig(level="CRITICAL", force=True)
    configure(level="INFO", as_json=True, service="init", redact=Redactor(), stream=stream)
    event("still here")
    assert [line["event"] for line in lines(stream)] == ["still here"]
