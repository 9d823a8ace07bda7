"""Requests to the application's API: path, retries, and the meaning of an answer.

2xx JSON ─▶ the document      401, 403 ─▶ CredentialsError
other 3xx, 4xx ─▶ AnswerError      429, 5xx, no answer ─▶ again (`retry`), then InterruptedTargetError
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import httpx
from msgspec import DecodeError

from compose_seeder.errors import CredentialsError, InterruptedTargetError, quote
from compose_seeder.exact_json import Json, decode
from compose_seeder.http_client.call import Answer, AnswerError, Call, Page
from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit
from compose_seeder.http_client.messages import Messages
from compose_seeder.http_client.path_template import PathError, Record, expand_path
from compose_seeder.http_client.retry import (
    REQUEST_ERRORS,
    Failure,
    delay_before_retry,
    failure_from_answer,
    failure_from_error,
)

DEFAULT_TIMEOUT_SECONDS = 30.0
"""The seconds that a request of a client without a timeout is taken to need."""


class Requests:
    """Sends requests with one client, which threads share.

    Args:
        client: with the API's base URL and authentication.
        limit: of the requests that run at once.
        secret: names of fields whose values messages do not show.
    """

    def __init__(
        self, client: httpx.Client, limit: ConcurrencyLimit, secret: Iterable[str] = ()
    ) -> None:
        self._client = client
        self._limit = limit
        self._messages = Messages(client.base_url, frozenset(secret))

    def send(
        self,
        template: str,
        record: Record,
        live: Record,
        body: bytes | None = None,
        idempotency_key: str = "",
    ) -> Answer:
        """Send one request and decode its answer.

        Args:
            template: method and path, with placeholders for fields.
            record: the record whose fields are put into the path.
            live: the API's own record.
            body: JSON text.
            idempotency_key: sent as a header; "" for no key.

        Raises:
            AnswerError: a 4xx, an answer that is not JSON, or an invalid URL.
            CredentialsError: 401 or 403.
            InterruptedTargetError: the API gives no answer, or has a fault of its own.
        """
        method, _, path = template.partition(" ")
        try:
            url = expand_path(path, record, live)
        except PathError as error:
            raise AnswerError(str(error)) from None
        call = Call(method, url, body, idempotency_key, (record, live))
        answer = self._ask(call)
        return Answer(self._document(answer, call), partial(self._messages.of_answer, answer, call))

    def send_all(
        self, template: str, records: tuple[Record, ...], body: bytes, idempotency_key: str = ""
    ) -> Json:
        """Send one request for many records, as `send` does."""
        method, _, path = template.partition(" ")
        call = Call(method, path, body, idempotency_key, records)
        return self._document(self._ask(call), call)

    def page(self, url: str) -> Page:
        """Return one page of a list.

        Raises:
            AnswerError, CredentialsError, InterruptedTargetError: as `send`.
        """
        call = Call("GET", url)
        answer = self._ask(call)
        links = answer.links.values()
        following = (each for each in links if "next" in each.get("rel", "").lower().split())
        link = next(following, {}).get("url")
        document = self._document(answer, call)
        blank = not answer.content
        return Page(document, answer.request.url, link, answer.status_code, answer.headers, blank)

    @property
    def timeout(self) -> float:
        """The seconds that the API has to answer."""
        return self._client.timeout.read or DEFAULT_TIMEOUT_SECONDS

    @property
    def base(self) -> httpx.URL:
        """The API's base URL."""
        return self._client.base_url

    def _ask(self, call: Call) -> httpx.Response:
        attempt, waited, arrived = 0, 0.0, False
        while True:
            try:
                outcome = self._attempt(call)
                if isinstance(outcome, httpx.Response):
                    self._check_status(outcome, call)
                    return outcome
                attempt, arrived = attempt + 1, arrived or outcome.may_have_arrived
                waited += self._pause(call, outcome, attempt, waited)
            except InterruptedTargetError as error:
                error.may_have_arrived = arrived  # also where the run ends before another attempt
                raise

    def _pause(self, call: Call, failure: Failure, attempt: int, waited: float) -> float:
        """Wait until a request is sent again, and return the seconds.

        Raises:
            InterruptedTargetError: it is not sent again.
        """
        seconds = delay_before_retry(failure, attempt, waited, repeatable=call.repeatable)
        if seconds is None:
            raise InterruptedTargetError(_describe_failure(failure, attempt, waited))
        self._limit.sleep(seconds)
        return seconds

    def _attempt(self, call: Call) -> httpx.Response | Failure:
        round_ = self._limit.acquire()
        outcome: httpx.Response | Failure = Failure(may_have_arrived=True)
        try:
            answer = self._client.request(
                call.method, call.url, content=call.body, headers=call.headers
            )
            failure = failure_from_answer(answer)
            problem = self._messages.of_answer(answer, call) if failure else ""
            outcome = replace(failure, problem=problem) if failure else answer
        except httpx.InvalidURL as error:
            raise AnswerError(
                f"{quote(self._messages.of_call(call))}: cannot be sent: {error}"
            ) from None
        except REQUEST_ERRORS as error:
            outcome = failure_from_error(error, self._messages.of_call(call), self._messages.route)
        finally:
            busy = isinstance(outcome, Failure) and outcome.busy
            after = (outcome.retry_after or 0.0) if isinstance(outcome, Failure) else 0.0
            self._limit.release(round_, busy=busy, retry_after=after)
        return outcome

    def _check_status(self, answer: httpx.Response, call: Call) -> None:
        status = answer.status_code
        if answer.is_success:
            return
        problem = self._messages.of_answer(answer, call)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise CredentialsError(
                f"{problem}; check API_TOKEN, API_HEADERS or API_OAUTH_…, and the permissions that they give"
            )
        if answer.has_redirect_location:
            problem = self._messages.of_redirect(answer, call)
        raise AnswerError(problem, status, answer.text)

    def _document(self, answer: httpx.Response, call: Call) -> Json:
        if not answer.content:
            return None
        try:
            return decode(answer.content)
        except DecodeError:
            problem = self._messages.of_invalid_json(answer, call)
            raise AnswerError(problem, answer.status_code) from None


def _describe_failure(failure: Failure, attempt: int, waited: float) -> str:
    tried = f", {attempt} times" if attempt > 1 else ""
    if failure.retry_after is not None and not waited:
        tried = f", and asks to wait {failure.retry_after:.0f} s"
    elif waited >= 1:
        tried += f" in {waited:.0f} s"
    return f"{failure.problem}{tried}; run again when the API works, and seeding continues where it stopped"
