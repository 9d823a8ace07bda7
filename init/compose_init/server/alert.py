"""Tells people what became of a deploy, through a webhook and Telegram: for deploy/stack.

What is to be told and to whom comes on stdin, since an address and a token here are secrets, and a
command line can be seen by everybody on the machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from compose_init.errors import NotReadyError, SettingsError

EVENTS = {
    "failure": "a deploy has failed",
    "rollback": "rolled back",
    "recovery": "recovered",
}
NEEDED = ("event", "project", "host", "text")
LONGEST = 4000
"""Characters; Telegram takes 4096."""
ATTEMPTS = 3


def send(text: str) -> list[str]:
    """Send an alert; the names of the ways it went.

    Args:
        text: a JSON object: `event` (failure, rollback or recovery), `project`, `host` and `text`, and
            optional `time` (by default now), `summary` (an object, or the last line of init's log),
            `webhook` (an address) and `telegram` (`api`, `token`, `chat`).

    Raises:
        SettingsError: it is no such object.
        NotReadyError: not everybody could be told; the message names no address's path and no token.
    """
    alert = _read(text)
    failed, sent = [], []
    with httpx.Client(timeout=10) as client:
        for way, (url, body) in _ways(alert).items():
            try:
                wrong = _post(client, url, body)
            except httpx.InvalidURL:
                wrong = "its address is none"
            except httpx.TransportError as error:
                # It may well have arrived: a line in the log is better than to be told for ever.
                sent.append(f"{way}, which has not answered ({type(error).__name__})")
                continue
            if wrong:
                failed.append(f"{way}: {wrong}")
            else:
                sent.append(way)
    if failed:
        raise NotReadyError("the alert did not reach everybody: " + "; ".join(failed))
    return sent


def _read(text: str) -> Mapping[str, Any]:
    try:
        alert = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"the alert on stdin is no JSON: {error}") from None
    if not isinstance(alert, dict):
        raise SettingsError("the alert on stdin must be a JSON object")
    faults = [f"{name} is missing" for name in NEEDED if not isinstance(alert.get(name), str)]
    if alert.get("event") not in EVENTS:
        faults.append(f"event must be one of {', '.join(EVENTS)}")
    telegram = alert.get("telegram")
    if alert.get("webhook") and not isinstance(alert["webhook"], str):
        faults.append("webhook must be an address")
    if telegram and not isinstance(telegram, dict):
        faults.append("telegram must be an object")
    elif telegram:
        faults += [
            f"telegram.{name} is missing"
            for name in ("api", "token", "chat")
            if not telegram.get(name)
        ]
    if faults:
        raise SettingsError("the alert on stdin is wrong: " + "; ".join(faults))
    return alert


def _ways(alert: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    ways: dict[str, tuple[str, dict[str, Any]]] = {}
    if webhook := alert.get("webhook"):
        told = {name: alert[name] for name in NEEDED}
        time = alert.get("time") or datetime.now(UTC).isoformat(timespec="seconds")
        ways[f"webhook at {_place(webhook)}"] = (
            webhook,
            {**told, "time": time, "summary": _summary(alert)},
        )
    if telegram := alert.get("telegram"):
        url = f"{telegram['api'].rstrip('/')}/bot{telegram['token']}/sendMessage"
        ways[f"Telegram at {_place(telegram['api'])}"] = (
            url,
            {"chat_id": telegram["chat"], "text": in_words(alert)},
        )
    return ways


def in_words(alert: Mapping[str, Any]) -> str:
    """For people: what, where, why, and the last that init has said."""
    lines = [f"{alert['project']} on {alert['host']}: {EVENTS[alert['event']]}", "", alert["text"]]
    summary = _summary(alert)
    said = summary.get("event") if isinstance(summary, dict) else summary
    if isinstance(said, str):
        lines += ["", f"init: {said}"]
    text = "\n".join(lines)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _summary(alert: Mapping[str, Any]) -> object:
    """Return init's last output: an object if it is JSON, otherwise a text."""
    found = alert.get("summary")
    if isinstance(found, str):
        with suppress(ValueError):
            return json.loads(found)
    return found


def _post(client: httpx.Client, url: str, body: Mapping[str, Any]) -> str:
    """Post a body, with retries; return the reason of a failure, or an empty text.

    Raises:
        httpx.TransportError: the connection was there, and then no answer came.
    """
    wrong = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.5 * 2**attempt)
        try:
            answer = client.post(url, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            wrong = f"no connection ({error})"
        else:
            if answer.is_success:
                return ""
            wrong = f"answers {answer.status_code}"
            if answer.status_code < 500:  # noqa: PLR2004 - what is wrong stays wrong
                break
    return wrong


def _place(url: str) -> str:
    """Scheme and host: the rest may be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.hostname}"
