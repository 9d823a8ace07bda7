"""Tokens that do not last, and what an API says back of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import httpx
import pytest

from compose_seeder.errors import CredentialsError, InterruptedTargetError, RefusedError
from compose_seeder.http_client.auth import BearerToken, ClientCredentials, OAuthClient
from compose_seeder.http_client.redact import secrets_in_value
from tests.support.endpoint_seeds import Through
from tests.support.http_server import in_a_thread
from tests.support.seed_folder import counts
from tests.support.small_api import Api

SECRET = "s%c:r et/1"  # every character that forms and headers write another way


@dataclass
class Server:
    """A token server: each token is another one, and only the last one counts for the API.

    Attributes:
        forms: what was asked, with who asked, and how.
        basic: whether it knows HTTP Basic.
        status: of its answers; 0 for the right one.
        document: beside the token.
    """

    api: Api
    url: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    basic: bool = True
    status: int = 0
    document: dict[str, Any] = field(default_factory=lambda: {"expires_in": 3600})

    def answer(self, headers: Any, form: dict[str, str]) -> tuple[int, Any]:
        how = "form"
        if "Authorization" in headers and self.basic:
            words = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
            form["client_id"], form["client_secret"] = map(unquote_plus, words.split(":"))
            how = "basic"
        self.forms.append({**form, "how": how})
        if self.status:
            return self.status, {"error": f"not {form.get('client_secret')}", **dict(headers)}
        if form.get("client_secret") != SECRET:
            return 401, {"error": "invalid_client"}
        token = f"token-{len(self.forms)}"
        self.api.tokens = {token}
        return 200, {"access_token": token, "token_type": "bearer", **self.document}


@contextmanager
def serving(server: Server) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, document = server.answer(self.headers, dict(parse_qsl(body)))
            data = json.dumps(document).encode()
            self.send_response(status)
            if status == 307:
                self.send_header("Location", "/oauth2/token?secret")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with in_a_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        server.url = f"{address}/token"
        yield


@pytest.fixture
def tokens(api: Api) -> Iterator[Server]:
    api.tokens = {"none yet"}
    server = Server(api)
    with serving(server):
        yield server


def credentials(tokens: Server, **more: Any) -> ClientCredentials:
    parameters = {"scope": "api:write"}
    return ClientCredentials(OAuthClient(tokens.url, "seeds", SECRET, parameters), **more)


@pytest.mark.parametrize("basic", [True, False])
def test_a_token_is_fetched_once(
    through: Through, client: httpx.Client, tokens: Server, *, basic: bool
) -> None:
    """With HTTP Basic, or in the form where the server does not know that; for all threads."""
    tokens.basic = basic
    client.headers["X-Tenant"] = "blue"
    client.auth = credentials(tokens)
    assert counts(through.run()) == {"created": 3}
    assert tokens.forms[-1] == {
        "grant_type": "client_credentials",
        "scope": "api:write",
        "client_id": "seeds",
        "client_secret": SECRET,
        "how": "basic" if basic else "form",
    }
    assert len(tokens.forms) == (1 if basic else 2)


def test_a_token_is_renewed_before_it_ends(
    through: Through, client: httpx.Client, tokens: Server
) -> None:
    """Not at its very end: a request takes its time."""
    now = 0.0
    client.auth = credentials(tokens, clock=lambda: now)
    through.run()
    now = 3500
    through.run(verify=True)
    assert len(tokens.forms) == 1
    now = 3580
    through.run(verify=True)
    assert len(tokens.forms) == 2


def test_a_token_that_is_refused_is_replaced(
    through: Through, client: httpx.Client, tokens: Server, api: Api
) -> None:
    """Once for all threads; creations too, since a 401 was not acted on."""
    tokens.document = {}  # nobody says how long it lasts
    client.auth = credentials(tokens)
    through.run([{"slug": "first"}])
    api.tokens = {"another"}
    things = [{"slug": "first"}, *({"slug": f"s{n}"} for n in range(20))]
    assert counts(through.run(things)) == {"created": 20, "unchanged": 1}
    assert len(api.rows) == 21
    assert len(tokens.forms) == 2


def test_one_renewal_for_all_threads(tokens: Server) -> None:
    """All of them are refused with the same token; one fetches the next."""
    auth = credentials(tokens)
    flows = [auth.auth_flow(httpx.Request("GET", "http://api/")) for _ in range(8)]
    assert {next(flow).headers["Authorization"] for flow in flows} == {"Bearer token-1"}
    refused = httpx.Response(401)
    with ThreadPoolExecutor(8) as threads:
        again = threads.map(lambda flow: flow.send(refused).headers["Authorization"], flows)
    assert {*again} == {"Bearer token-2"}
    assert len(tokens.forms) == 2


def test_a_token_that_is_never_taken(
    through: Through, client: httpx.Client, tokens: Server, api: Api
) -> None:
    """Asked for once more, then said; the token is not quoted, though the API does."""
    client.auth = credentials(tokens)
    tokens.api = Api()
    api.tokens = {"another"}
    with pytest.raises(CredentialsError, match=r"401: .*unknown: \*\*\*"):
        through.run()
    assert len(tokens.forms) == 2


@pytest.mark.parametrize(("status", "kind"), [(400, CredentialsError), (401, CredentialsError)])
def test_a_client_that_is_refused(
    through: Through,
    client: httpx.Client,
    tokens: Server,
    status: int,
    kind: type[Exception],
) -> None:
    """By name of the settings, without the secret."""
    tokens.status = status
    client.auth = credentials(tokens)
    with pytest.raises(kind, match="API_OAUTH_CLIENT_SECRET") as raised:
        through.run()
    assert SECRET not in str(raised.value)
    assert "***" in str(raised.value)


def test_a_token_server_that_is_away(
    through: Through, client: httpx.Client, tokens: Server, api: Api
) -> None:
    """As if the API were: tried again, then said as a run that can be repeated."""
    tokens.status = 500
    client.auth = credentials(tokens)
    with pytest.raises(InterruptedTargetError, match=r"no token: .*500") as raised:
        through.run()
    assert len(tokens.forms) == 4
    assert '"Authorization": "***"' in str(raised.value), "nor as HTTP Basic has it"
    assert api.requests == []


def test_a_token_server_that_redirects(
    through: Through, client: httpx.Client, tokens: Server
) -> None:
    """The address that it leads to is named: a form with a secret follows no redirect."""
    tokens.status = 307
    client.auth = credentials(tokens)
    with pytest.raises(CredentialsError, match=r"/oauth2/token; check API_OAUTH_TOKEN") as raised:
        through.run()
    assert "?secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [({"access_token": None}, "no access_token"), ({"token_type": "mac"}, "token of type mac")],
)
def test_an_answer_without_a_token(
    through: Through, client: httpx.Client, tokens: Server, document: Any, said: str
) -> None:
    tokens.document = document
    client.auth = credentials(tokens)
    with pytest.raises(CredentialsError, match=said) as raised:
        through.run()
    assert "token-1" not in str(raised.value)


def test_a_token_file_is_read_again(
    through: Through, client: httpx.Client, api: Api, tmp_path: Path
) -> None:
    """When the API refuses what it held, and only where it holds another one by then."""
    path = tmp_path / "token"
    path.write_text("second\n")
    client.auth = BearerToken("first", path)
    api.tokens = {"second"}
    assert counts(through.run()) == {"created": 3}
    api.tokens = {"third"}
    api.requests.clear()
    with pytest.raises(CredentialsError, match=r"401: .*unknown: \*\*\*"):
        through.run(verify=True)
    assert len(api.requests) == 1
    path.unlink()
    with pytest.raises(CredentialsError):
        through.run(verify=True)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfsecond\r\n", "\ufeffsecond".encode()])
def test_a_token_file_may_begin_with_a_byte_order_mark(
    through: Through, client: httpx.Client, api: Api, tmp_path: Path, content: bytes
) -> None:
    """As some editors write it; no header can hold the mark."""
    path = tmp_path / "token"
    path.write_bytes(content)
    client.auth = BearerToken("first", path)
    api.tokens = {"second"}
    assert counts(through.run()) == {"created": 3}


@pytest.mark.parametrize("content", ["sécond", "sec\nond", " second", "\n", "sec\x00ond"])
def test_a_token_that_no_header_may_hold_is_not_sent(
    through: Through, client: httpx.Client, api: Api, tmp_path: Path, content: str
) -> None:
    """The API's refusal of the first token is the answer then, and not a traceback."""
    path = tmp_path / "token"
    path.write_text(content, encoding="utf-8")
    client.auth = BearerToken("first", path)
    api.tokens = {"second"}
    with pytest.raises(CredentialsError, match="401"):
        through.run()


# what is quoted


def test_what_an_api_says_back_is_masked(through: Through, client: httpx.Client, api: Api) -> None:
    """Headers of whatever name, cookies, and secret fields at every depth, in any form; bounded."""
    client.headers.update({"X-Key": 'k"1234', "Cookie": "a=cookie-value"})
    client.auth = BearerToken("bearer-token")
    api.refuse, api.echo = {"b"}, True
    through.manifest(options="fields = { pin = { secret = true } }")
    pin = {"of": ["hunter22", 87654321, 'ö"ö12']}
    with pytest.raises(RefusedError) as raised:
        through.run([{"slug": "b", "pin": pin, "note": "shown"}])
    said = str(raised.value)
    for secret in ("1234", "cookie-value", "bearer-token", "hunter22", "87654321", "ö12", "u00f6"):
        assert secret not in said
    assert "***" in said
    assert len(said) < 700


def test_a_secret_too_short_to_mask_hides_the_whole_answer(through: Through, api: Api) -> None:
    api.refuse, api.echo = {"b"}, True
    through.manifest(options="fields = { pin = { secret = true } }")
    with pytest.raises(RefusedError, match="422: \\(not shown"):
        through.run([{"slug": "b", "pin": 123}])


def test_a_redirect_is_not_followed_and_named_without_the_token(through: Through) -> None:
    """It would carry the token to another server."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        to = request.headers["Authorization"].replace(" ", "?token=")
        return httpx.Response(307, headers={"Location": f"http://elsewhere.test/{to}"})

    through.client = httpx.Client(
        transport=httpx.MockTransport(answer),
        base_url="http://api.test",
        auth=BearerToken("bearer-token"),
    )
    with pytest.raises(
        RefusedError, match=r"redirects to http://elsewhere\.test/\S+\*\*\*; name that address"
    ):
        through.run()
    assert asked == ["api.test"]


def test_what_holds_secrets_that_nobody_knows_is_not_quoted(through: Through) -> None:
    """Such as a list of live records that is not JSON: not those of the file alone are secret."""
    through.manifest(options="fields = { pin = { secret = true } }")
    lines = b'{"slug": "a", "pin": "edited-by-hand"}\n{"slug": "b"}'
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=lines))
    through.client = httpx.Client(transport=transport, base_url="http://api.test")
    with pytest.raises(RefusedError, match=r"with invalid JSON: \(not shown"):
        through.run([{"slug": "a", "pin": "of-the-seed"}])


def test_the_secrets_in_a_value() -> None:
    """At every depth; null and booleans are none."""
    assert set(secrets_in_value({"a": [1, "x", None, True, {"b": "y"}]})) == {"1", "x", "y"}
