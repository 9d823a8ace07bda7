"""The application's API: a client for it, and where it does not run yet, a temporary one on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from logging import DEBUG, WARNING
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from compose_init.errors import NotReadyError, SettingsError
from compose_init.logs import event
from compose_init.settings import Api
from compose_init.wait import wait_for_api

if TYPE_CHECKING:
    import httpx

GRACE = 5.0
"""Seconds that a temporary API has to end after SIGTERM, before SIGKILL; Docker gives us ten in all."""

LAST_WORDS = 20
"""How many lines of a temporary API's output are shown when it fails."""


def environment(plain: Mapping[str, str]) -> dict[str, str]:
    """The variables for the application: values that came from files stand there plainly."""
    taken = {f"{name}_FILE" for name in plain}
    return {**{name: value for name, value in os.environ.items() if name not in taken}, **plain}


@contextmanager
def running(api: Api, plain: Mapping[str, str], timeout: float) -> Iterator[httpx.Client]:
    """A client of the API, started first where there is a command, and stopped afterwards.

    Args:
        api: where it is, or how to start it.
        plain: variables that came from files.
        timeout: seconds to wait for its health.

    Raises:
        NotReadyError: it did not come up, or ended by itself.
        CredentialsRefused: its health answered 401 or 403.
        SettingsError: its command cannot be run, or its port is taken.
    """
    import httpx

    with httpx.Client(
        base_url=api.base_url,
        headers=dict(api.headers),
        auth=_auth(api),
        timeout=30,
        trust_env=not api.command,
        # As many connections as a dataset may have requests at once, and none of them made anew.
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=100),
    ) as client:
        if not api.command:
            wait_for_api(client, api.health_path, timeout)
            yield client
            return
        with _Temporary(api, plain) as process:
            wait_for_api(client, api.health_path, timeout, process.check)
            event("the temporary API is up", address=api.base_url)
            yield client


def _auth(api: Api) -> httpx.Auth | None:
    """What gives each request its token, where there is one."""
    if api.oauth is not None:
        from compose_seeder.http_client.auth import ClientCredentials, OAuthClient

        oauth = api.oauth
        return ClientCredentials(
            OAuthClient(oauth.token_url, oauth.client_id, oauth.client_secret, oauth.parameters)
        )
    if api.token:
        from compose_seeder.http_client.auth import BearerToken

        return BearerToken(api.token, api.token_file)
    return None


class _Temporary:
    """A child process in a group of its own; its output goes to the log at level DEBUG."""

    def __init__(self, api: Api, plain: Mapping[str, str]) -> None:
        self._api = api
        self._plain = plain
        self._last: deque[str] = deque(maxlen=LAST_WORDS)

    def __enter__(self) -> Self:
        self._port_is_free()
        event("starting the temporary API", command=" ".join(self._api.command))
        try:
            self._process: subprocess.Popen[str] = subprocess.Popen(  # noqa: S603 - the user's own command
                self._api.command,
                env=environment(self._plain),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise SettingsError(
                f"API_COMMAND: {self._api.command[0]} cannot be run: {error.strerror}; is init's image built from the"
                " API's image?"
            ) from None
        try:
            self._reader = threading.Thread(target=self._read, name="temporary-api", daemon=True)
            self._reader.start()
        except BaseException:  # a signal: __exit__ is not called for what was not entered
            self._signal(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            event("the temporary API did not end in time and is killed", WARNING, seconds=GRACE)
        self._signal(signal.SIGKILL)  # the whole group: workers that outlive their parent
        self._process.wait()
        self._reader.join(1)
        if self._process.stdout is not None:
            self._process.stdout.close()
        event("the temporary API is stopped")

    def check(self) -> None:
        """Raise `NotReadyError` with its last words where it has ended by itself."""
        status = self._process.poll()
        if status is None:
            return
        self._reader.join(1)
        how = (
            f"was killed by {signal.Signals(-status).name}"
            if status < 0
            else f"ended with exit code {status}"
        )
        words = "\n".join(f"    {line}" for line in self._last) or "    (it said nothing)"
        raise NotReadyError(
            f"the temporary API ({' '.join(self._api.command)}) {how} before it was healthy; its last words:\n{words}"
        )

    def _signal(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for above
        for line in self._process.stdout:
            self._last.append(line.rstrip())
            event("the temporary API says", DEBUG, line=line.rstrip())

    def _port_is_free(self) -> None:
        parts = urlsplit(self._api.base_url)
        address = (parts.hostname or "127.0.0.1", parts.port or 80)
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as probe:
            probe.settimeout(1)
            if probe.connect_ex(address) == 0:
                raise SettingsError(
                    f"API_BASE_URL: something listens on {self._api.base_url} already, so that a temporary API cannot;"
                    " remove API_COMMAND to use it, or choose another port"
                )
