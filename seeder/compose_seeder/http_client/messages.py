"""What messages say of requests and answers: without the values of secret fields."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from compose_seeder.http_client.call import Call
from compose_seeder.http_client.redact import quote_answer, secrets_in_headers, secrets_in_value
from compose_seeder.masking import SecretMask
from compose_seeder.proxy import describe_route

PROXY_STATUSES = {407, 502, 503, 504}
"""Statuses by which a proxy answers for an API that it does not reach."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Describes requests and answers.

    Attributes:
        base: the API's base URL.
        secret: names of fields whose values are not shown.
    """

    base: httpx.URL
    secret: frozenset[str]

    def of_call(self, call: Call) -> str:
        """Return the method and the URL of a request."""
        return f"{call.method} {SecretMask(self._field_secrets(call))(call.url)}"

    def of_answer(self, answer: httpx.Response, call: Call) -> str:
        """Return a request with the status and the beginning of its answer."""
        words = quote_answer(answer, self._field_secrets(call))
        url = self._mask(answer, call)(call.url)
        way = self.route if answer.status_code in PROXY_STATUSES else ""
        return f"{call.method} {url}: the API answered {answer.status_code}: {words}{way}"

    def of_redirect(self, answer: httpx.Response, call: Call) -> str:
        """Return where an answer redirects to."""
        target = self._mask(answer, call)(answer.headers["Location"])
        return (
            f"{self.of_answer(answer, call)} and redirects to {target}; name that address in http"
        )

    def of_invalid_json(self, answer: httpx.Response, call: Call) -> str:
        """Return a request with an answer whose text may hold unknown records: no secret can be found in these."""
        words = (
            "(not shown: records have secrets)"
            if self.secret
            else quote_answer(answer, self._field_secrets(call))
        )
        return f"{self.of_call(call)}: the API answered {answer.status_code} with invalid JSON: {words}"

    @property
    def route(self) -> str:
        """The proxy between here and the API, if there is one."""
        return describe_route(self.base)

    def _mask(self, answer: httpx.Response, call: Call) -> SecretMask:
        return SecretMask(self._field_secrets(call) | {*secrets_in_headers(answer.request)})

    def _field_secrets(self, call: Call) -> set[str]:
        return {
            value
            for record in call.records
            for name in self.secret
            for value in secrets_in_value(record.get(name))
        }
