"""One request to the application's API, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx

from compose_seeder.exact_json import Json
from compose_seeder.http_client.path_template import Record

IDEMPOTENT_METHODS = {"GET", "PUT", "DELETE"}
"""Methods with the same effect when they are done twice (RFC 9110, 9.2.2)."""


class AnswerError(Exception):
    """The API answered with an error that concerns the record of the request alone."""

    def __init__(self, problem: str, status: int = 0, text: str = "") -> None:
        """Take what a message says, and what the API answered: `text` may have secrets, and is for no message."""
        super().__init__(problem)
        self.problem = problem
        self.status = status
        self.text = text

    @property
    def accepted(self) -> bool:
        """True where the status is a success, and only the body cannot be read."""
        return httpx.codes.is_success(self.status)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, the same in each attempt.

    Attributes:
        idempotency_key: makes any request repeatable; "" for no key.
        records: the records in the request; messages do not show their secret fields.
    """

    method: str
    url: str
    body: bytes | None = None
    idempotency_key: str = ""
    records: tuple[Record, ...] = ()

    @property
    def repeatable(self) -> bool:
        """True where the request has the same effect when it is done twice."""
        return bool(self.idempotency_key) or self.method in IDEMPOTENT_METHODS

    @property
    def headers(self) -> dict[str, str]:
        """The headers beside the client's own."""
        headers = {} if self.body is None else {"Content-Type": "application/json"}
        key = self.idempotency_key
        return {**headers, "Idempotency-Key": key} if key else headers


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API.

    Attributes:
        document: its JSON; None where it has no body.
        describe: returns the request, the status and the body in short, for people.
    """

    document: Json
    describe: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    Attributes:
        url: its own.
        link: the URL of the next page, from the `Link` header.
        status: of the answer.
        headers: of the answer.
        is_blank: the answer has no body; a body of `null` is none.
    """

    document: Json
    url: httpx.URL
    link: str | None
    status: int = HTTPStatus.OK
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    is_blank: bool = False
