"""Alerts about a deploy, sent to a webhook and to Telegram, for deploy/stack.

The alert comes on stdin, with its channels: their address and token are secrets, and every user of the machine
can see a command line.
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
from compose_seeder.errors import SurroundingsError
from compose_seeder.http_transport import Transport
from compose_seeder.proxy import describe_route

EVENTS = {
    "failure": "a deploy has failed",
    "rollback": "rolled back",
    "recovery": "recovered",
}
"""The events, each with its words for people."""

REQUIRED_FIELDS = ("event", "project", "host", "text")
REQUIRED_TELEGRAM_FIELDS = ("api", "token", "chat")

MAX_TEXT_CHARACTERS = 4000
"""Telegram takes 4096."""

MAX_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
"""The pause before the second attempt; each further pause is twice as long."""

REQUEST_TIMEOUT_SECONDS = 10

NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""What httpx raises before the receiver has seen anything of an alert."""


def send(text: str) -> list[str]:
    """Send an alert; return the channels that it was sent to.

    Args:
        text: a JSON object: `event` (failure, rollback or recovery), `project`, `host` and `text`, and
            optional `time` (by default now), `summary` (an object, or the last line of init's log),
            `webhook` (an address) and `telegram` (`api`, `token`, `chat`).

    Raises:
        SettingsError: the text is not such an object.
        NotReadyError: a channel failed; the message shows no path of an address and no token.
    """
    alert = _read(text)
    failed, sent = [], []
    with httpx.Client(timeout=REQUEST_TIMEOUT_SECONDS, transport=Transport()) as client:
        for channel, (url, body) in _channels(alert).items():
            try:
                fault = _post(client, url, body)
            except httpx.InvalidURL:
                fault = "its address is invalid"
            except SurroundingsError as error:
                fault = str(error)
            except httpx.RequestError as error:
                # The alert may have arrived, and deploy/stack sends a failed alert again with every run.
                sent.append(f"{channel}, which has not answered ({type(error).__name__})")
                continue
            if fault:
                failed.append(f"{channel}: {fault}")
            else:
                sent.append(channel)
    if failed:
        raise NotReadyError("the alert was not sent to every channel: " + "; ".join(failed))
    return sent


def _read(text: str) -> Mapping[str, Any]:
    try:
        alert = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"the alert on stdin is not valid JSON: {error}") from None
    if not isinstance(alert, dict):
        raise SettingsError("the alert on stdin must be a JSON object")
    faults = [
        f"{name} is missing" for name in REQUIRED_FIELDS if not isinstance(alert.get(name), str)
    ]
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
            for name in REQUIRED_TELEGRAM_FIELDS
            if not telegram.get(name)
        ]
    if faults:
        raise SettingsError("the alert on stdin is wrong: " + "; ".join(faults))
    return alert


def _channels(alert: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the URL and the JSON body for each channel, by the channel's name for people."""
    channels: dict[str, tuple[str, dict[str, Any]]] = {}
    if webhook := alert.get("webhook"):
        body = {
            **{name: alert[name] for name in REQUIRED_FIELDS},
            "time": alert.get("time") or datetime.now(UTC).isoformat(timespec="seconds"),
            "summary": _summary(alert),
        }
        channels[f"webhook at {_origin(webhook)}"] = (webhook, body)
    if telegram := alert.get("telegram"):
        url = f"{telegram['api'].rstrip('/')}/bot{telegram['token']}/sendMessage"
        body = {"chat_id": telegram["chat"], "text": alert_to_text(alert)}
        channels[f"Telegram at {_origin(telegram['api'])}"] = (url, body)
    return channels


def alert_to_text(alert: Mapping[str, Any]) -> str:
    """Return the alert for people: project, host, event, text, and init's last log line."""
    lines = [f"{alert['project']} on {alert['host']}: {EVENTS[alert['event']]}", "", alert["text"]]
    summary = _summary(alert)
    said = summary.get("event") if isinstance(summary, dict) else summary
    if isinstance(said, str):
        lines += ["", f"init: {said}"]
    text = "\n".join(lines)
    return text if len(text) <= MAX_TEXT_CHARACTERS else f"{text[: MAX_TEXT_CHARACTERS - 1]}…"


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
        httpx.TransportError: the connection was established, and no answer came.
    """
    fault = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            answer = client.post(url, json=body)
        except NOT_SENT_ERRORS as error:
            fault = f"no connection ({error}){describe_route(_origin(url))}"
        else:
            if answer.is_success:
                return ""
            fault = f"answers {answer.status_code}{_describe_redirect(answer)}"
            if (
                answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR
            ):  # a repeated request would fail too
                break
    return fault


def _describe_redirect(answer: httpx.Response) -> str:
    """Return where a redirect leads, without the path: it may be as secret as the address."""
    if answer.next_request is None:
        return ""
    return f" and redirects to {_origin(str(answer.next_request.url))}; name the address that it leads to"


def _origin(url: str) -> str:
    """Return scheme and host: the rest may be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    return f"{parts.scheme}://{parts.hostname}"
