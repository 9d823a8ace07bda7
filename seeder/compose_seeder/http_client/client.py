"""One request to the application's API: its path, its repetition, and what its answer means.

2xx JSON ─▶ the document      401, 403 ─▶ CredentialsError
other 3xx, 4xx ─▶ AnswerError      429, 5xx, no answer ─▶ again (`retry`), then InterruptedTargetError
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote as quote_url

import httpx
from msgspec import DecodeError

from compose_seeder.errors import CredentialsError, InterruptedTargetError, quote
from compose_seeder.exact_json import decode
from compose_seeder.http_client.concurrency_limit import Pace
from compose_seeder.http_client.redact import masked, of_fields, of_headers, said
from compose_seeder.http_client.retry import Failure, failure_of, not_sent, pause

Json = Any
Record = Mapping[str, Json]

NAMED = re.compile(r"\{([^{}]+)\}")
"""`{field}` of the record, `{live.field}` of the API's own record."""

IDEMPOTENT = {"GET", "PUT", "DELETE"}
"""Methods that do the same when they are done twice (RFC 9110, 9.2.2)."""


class AnswerError(Exception):
    """The API answered a request for one record with an error that is the record's own."""

    def __init__(self, problem: str, status: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status

    @property
    def taken(self) -> bool:
        """Whether the API says that it has done what it was asked for, in words that are not JSON."""
        return httpx.codes.is_success(self.status)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as it is sent and sent again.

    Attributes:
        once: an idempotency key: with it, any request may be repeated.
        about: the records that it is about, whose secret fields messages do not show.
    """

    method: str
    url: str
    body: bytes | None = None
    once: str = ""
    about: tuple[Record, ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether it does the same when it is done twice."""
        return bool(self.once) or self.method in IDEMPOTENT

    @property
    def headers(self) -> dict[str, str]:
        """What it sends beside the client's own headers."""
        headers = {} if self.body is None else {"Content-Type": "application/json"}
        return {**headers, "Idempotency-Key": self.once} if self.once else headers


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, its own URL, and where its `Link` header says that the next one is."""

    document: Json
    url: httpx.URL
    link: str | None


class Requests:
    """Sends requests with one client, which threads share.

    Args:
        client: with the API's base URL and authentication.
        pace: says when a request may begin.
        secret: names of fields whose values messages do not show.
    """

    def __init__(self, client: httpx.Client, pace: Pace, secret: Iterable[str] = ()) -> None:
        self._client = client
        self._pace = pace
        self._secret = frozenset(secret)

    def send(
        self,
        template: str,
        record: Record,
        live: Record,
        body: bytes | None = None,
        once: str = "",
    ) -> Json:
        """Send one request and decode its answer.

        Raises:
            AnswerError: a 4xx, an answer that is not JSON, or a URL that cannot be.
            CredentialsError: 401 or 403.
            InterruptedTargetError: the API is away, or fails by itself.
        """
        method, _, path = template.partition(" ")
        call = Call(method, fill(path, record, live), body, once, (record, live))
        return self._document(self._ask(call), call)

    def send_all(
        self, template: str, records: tuple[Record, ...], body: bytes, once: str = ""
    ) -> Json:
        """Send one request for many records; as `send`."""
        method, _, path = template.partition(" ")
        call = Call(method, path, body, once, records)
        return self._document(self._ask(call), call)

    def page(self, url: str) -> Page:
        """One page of a list.

        Raises:
            AnswerError, CredentialsError, InterruptedTargetError: as `send`.
        """
        call = Call("GET", url)
        answer = self._ask(call)
        link = answer.links.get("next", {}).get("url")
        return Page(self._document(answer, call), answer.request.url, link)

    @property
    def base(self) -> httpx.URL:
        """The API's base URL."""
        return self._client.base_url

    def _ask(self, call: Call) -> httpx.Response:
        attempt, waited = 0, 0.0
        while True:
            outcome = self._once(call)
            if isinstance(outcome, httpx.Response):
                self._check(outcome, call)
                return outcome
            attempt += 1
            seconds = pause(outcome, attempt, waited, repeatable=call.repeatable)
            if seconds is None:
                raise InterruptedTargetError(_given_up(outcome, attempt, waited))
            self._pace.wait(seconds)
            waited += seconds

    def _once(self, call: Call) -> httpx.Response | Failure:
        begun = self._pace.begin()
        outcome: httpx.Response | Failure = Failure(arrived=True)
        try:
            answer = self._client.request(
                call.method, call.url, content=call.body, headers=call.headers
            )
            failure = failure_of(answer)
            outcome = replace(failure, problem=self._answered(answer, call)) if failure else answer
        except httpx.InvalidURL as error:
            raise AnswerError(f"{quote(self._named(call))}: cannot be sent: {error}") from None
        except (httpx.RequestError, RuntimeError) as error:
            # RuntimeError: the client was closed, because the run is ending
            problem = f"{self._named(call)}: the API went away ({error or type(error).__name__})"
            outcome = Failure(arrived=not not_sent(error), problem=problem)
        finally:
            busy = isinstance(outcome, Failure) and outcome.busy
            after = (outcome.after or 0.0) if isinstance(outcome, Failure) else 0.0
            self._pace.end(begun, busy=busy, after=after)
        return outcome

    def _check(self, answer: httpx.Response, call: Call) -> None:
        status = answer.status_code
        if answer.is_success:
            return
        problem = self._answered(answer, call)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise CredentialsError(
                f"{problem}; check API_TOKEN, API_HEADERS or API_OAUTH_…, and what they may do"
            )
        if answer.has_redirect_location:
            secrets = self._hidden(call) | {*of_headers(answer.request)}
            place = masked(answer.headers["Location"], secrets)
            problem += f" and leads to {place}: name that in http"
        raise AnswerError(problem, status)

    def _answered(self, answer: httpx.Response, call: Call) -> str:
        """What the API answered, for people."""
        words = said(answer, self._hidden(call))
        secrets = self._hidden(call) | {*of_headers(answer.request)}
        url = masked(call.url, secrets)
        return f"{call.method} {url}: the API answered {answer.status_code}: {words}"

    def _named(self, call: Call) -> str:
        return f"{call.method} {masked(call.url, self._hidden(call))}"

    def _hidden(self, call: Call) -> set[str]:
        return {
            value
            for record in call.about
            for name in self._secret
            for value in of_fields(record.get(name))
        }

    def _document(self, answer: httpx.Response, call: Call) -> Json:
        if not answer.content:
            return None
        try:
            return decode(answer.content)
        except DecodeError:
            # Records that nobody knows yet: their secrets cannot be told from other words.
            secret = "(not shown: records have secrets)" if self._secret else ""
            raise AnswerError(
                f"{self._named(call)}: the API answered {answer.status_code} with what is not JSON:"
                f" {secret or said(answer, self._hidden(call))}",
                answer.status_code,
            ) from None


def _given_up(failure: Failure, attempt: int, waited: float) -> str:
    tried = f", {attempt} times" if attempt > 1 else ""
    if failure.after is not None and not waited:
        tried = f", and asks to wait {failure.after:.0f} s"
    elif waited >= 1:
        tried += f" in {waited:.0f} s"
    return f"{failure.problem}{tried}; run again when it is well, and it goes on where it stopped"


def fill(template: str, record: Record, live: Record) -> str:
    """The path with `{field}` of the record and `{live.field}` of the API's own record put in.

    Raises:
        AnswerError: a field that is named is not there, or would lead to another path.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        fields = live if name.startswith("live.") else record
        bare = name.removeprefix("live.")
        found = fields.get(bare)
        if found is None or isinstance(found, dict | list) or str(found) in {"", ".", ".."}:
            whose = "the API's record" if fields is live else "the record"
            raise AnswerError(
                f"{template}: {whose} has no usable {bare}, and the request's template names it"
            )
        return quote_url(_text(found), safe="")

    return NAMED.sub(value, template)


def _text(value: Json) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"  # and not 1E+2
    return str(value).lower() if isinstance(value, bool) else str(value)
