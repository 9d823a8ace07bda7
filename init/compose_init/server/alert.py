"""Alerts about a deploy, sent to a webhook and to Telegram, for deploy/stack.

The alert comes on stdin, with its channels: their address and token are secrets, and every user of the machine
can see a command line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from compose_init.errors import AlertRefusedError, NotReadyError, SettingsError
from compose_seeder.errors import SurroundingsError
from compose_seeder.http_transport import Transport
from compose_seeder.proxy import describe_route

EVENTS = {
    "failure": "a deploy has failed",
    "rollback": "rolled back",
    "recovery": "recovered",
    "test": "a test of the alerts",
}
"""The events, each with its words for people."""

REQUIRED_FIELDS = ("event", "project", "host", "text")
REQUIRED_TELEGRAM_FIELDS = ("api", "token", "chat")

MAX_TEXT_UNITS = 4000
"""Telegram takes 4096 UTF-16 code units, of which a character beyond U+FFFF has two."""

MAX_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
"""The pause before the second attempt; each further pause is twice as long."""

MAX_RETRY_AFTER_SECONDS = 10.0
"""How long a receiver may put an alert off; if it wants longer, the next run of deploy/stack is the time."""

REQUEST_TIMEOUT_SECONDS = 10

PASSING_STATUSES = frozenset(
    {
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_EARLY,
        httpx.codes.TOO_MANY_REQUESTS,
    }
)
"""What a receiver says below 500 that may be over a while later."""

NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""What httpx raises before the receiver has seen anything of an alert."""


@dataclass(frozen=True)
class Fault:
    """Why a channel does not have an alert, and whether it would refuse the same alert again."""

    text: str
    permanent: bool = False


def send(given: bytes) -> list[str]:
    """Send an alert; return the channels that it was sent to.

    Args:
        given: a JSON object: `event` (a key of `EVENTS`), `project`, `host` and `text`, and
            optional `time` (by default now), `summary` (an object, or the last line of init's log),
            `webhook` (an address) and `telegram` (`api`, `token`, `chat`).

    Raises:
        SettingsError: it is not such an object.
        NotReadyError: a channel failed, and may take the alert later.
        AlertRefusedError: no channel may take it later, and one has refused it. Neither message shows a
            path of an address or a token.
    """
    alert = _read(given)
    failed: list[Fault] = []
    sent = []
    with httpx.Client(timeout=REQUEST_TIMEOUT_SECONDS, transport=Transport()) as client:
        for channel, (url, body) in _channels(alert).items():
            try:
                fault = _post(client, url, body)
            except httpx.InvalidURL:
                fault = Fault("its address is invalid", permanent=True)
            except SurroundingsError as error:
                fault = Fault(str(error))
            except httpx.RequestError as error:
                # The alert may have arrived; deploy/stack sends it once more.
                sent.append(f"{channel}, which has not answered ({type(error).__name__})")
                continue
            if fault:
                failed.append(Fault(f"{channel}: {fault.text}", fault.permanent))
            else:
                sent.append(channel)
    if failed:
        kind = AlertRefusedError if all(fault.permanent for fault in failed) else NotReadyError
        texts = "; ".join(fault.text for fault in failed)
        raise kind(f"the alert was not sent to every channel: {texts}")
    return sent


def _read(given: bytes) -> Mapping[str, Any]:
    try:
        # The text quotes what programs have printed, in whatever encoding.
        alert = json.loads(given.decode("utf-8", "replace"))
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
    return _cut("\n".join(lines))


def _cut(text: str) -> str:
    """Return a text that Telegram takes: not too long, and in characters that UTF-8 has."""
    units = text.encode("utf-16-le", "replace")
    if len(units) // 2 <= MAX_TEXT_UNITS:
        return units.decode("utf-16-le")
    return units[: 2 * (MAX_TEXT_UNITS - 1)].decode("utf-16-le", "ignore") + "…"


def _summary(alert: Mapping[str, Any]) -> object:
    """Return init's last output: an object if it is JSON, otherwise a text."""
    found = alert.get("summary")
    if isinstance(found, str):
        with suppress(ValueError):
            return json.loads(found)
    return found


def _post(client: httpx.Client, url: str, body: Mapping[str, Any]) -> Fault | None:
    """Post a body, with retries; return the fault if the receiver has not taken it.

    Raises:
        httpx.TransportError: the connection was established, and no answer came.
    """
    fault = None
    pause = 0.0
    # In ASCII: an alert that quotes half a surrogate pair has no other form.
    content = json.dumps(body).encode("ascii")
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(max(pause, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)))
        try:
            answer = client.post(url, content=content, headers={"Content-Type": "application/json"})
        except NOT_SENT_ERRORS as error:
            fault = Fault(f"no connection ({error}){describe_route(_origin(url))}")
            continue
        if answer.is_success:
            return None
        fault = _describe_answer(answer)
        pause = _retry_after(answer)
        if fault.permanent or pause > MAX_RETRY_AFTER_SECONDS:
            break
    return fault


def _describe_answer(answer: httpx.Response) -> Fault:
    """Return an answer that is no success, with the reason that Telegram gives."""
    status = answer.status_code
    said = _describe_redirect(answer)
    with suppress(ValueError, TypeError, KeyError):
        # A webhook may repeat its secret address; the Bot API does not.
        if answer.request.url.path.endswith("/sendMessage"):
            said = f" ({answer.json()['description']})"
    return Fault(
        f"answers {status}{said}", not answer.is_server_error and status not in PASSING_STATUSES
    )


def _retry_after(answer: httpx.Response) -> float:
    """Return for how many seconds a receiver puts requests off; a date is taken for long."""
    given = answer.headers.get("Retry-After", "0")
    return float(given) if given.isdecimal() else MAX_RETRY_AFTER_SECONDS + 1


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
