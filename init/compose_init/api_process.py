"""The application's API: a client for it, and a temporary process on loopback where it does not run yet."""

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
from typing import Self
from urllib.parse import urlsplit

import httpx

from compose_init.api_health import wait_for_api
from compose_init.errors import NotReadyError, SettingsError
from compose_init.logs import event
from compose_init.settings import Api
from compose_seeder.http_client.auth import BearerToken, ClientCredentials, OAuthClient
from compose_seeder.http_transport import Transport

GRACE_SECONDS = 5.0
"""Time that a temporary API has to end after SIGTERM, before SIGKILL; Docker gives us ten seconds in all."""

SHOWN_LINES = 20
"""How many of the last lines of a temporary API's output a message quotes."""

LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100)
"""As many connections as a dataset may have requests at once, so that no request needs a new connection."""

READER_TIMEOUT_SECONDS = 1
"""Time for the last lines of an ended process to arrive."""

PROBE_TIMEOUT_SECONDS = 1
"""Time to find out if the API's port is taken."""


def application_environment(file_values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for the application: `NAME` with the file's value in place of `NAME_FILE`."""
    taken = {f"{name}_FILE" for name in file_values}
    inherited = {name: value for name, value in os.environ.items() if name not in taken}
    return {**inherited, **file_values}


@contextmanager
def open_api(api: Api, file_values: Mapping[str, str], timeout: float) -> Iterator[httpx.Client]:
    """Return a client of the healthy API, which is started before and stopped afterwards where there is a command.

    Args:
        api: where it is, or how to start it.
        file_values: values of variables that came from files.
        timeout: seconds to wait until it is healthy.

    Raises:
        NotReadyError: it did not come up, or ended by itself.
        CredentialsRefused: its health check was answered with 401 or 403.
        SettingsError: its command cannot be run, or its port is taken.
    """
    with httpx.Client(
        base_url=api.base_url,
        headers=dict(api.headers),
        auth=_auth(api),
        timeout=api.request_timeout,
        transport=Transport(LIMITS),
    ) as client:
        if not api.command:
            wait_for_api(client, api.health_path, timeout)
            yield client
            return
        with _TemporaryApi(api, file_values) as process:
            wait_for_api(client, api.health_path, timeout, process.check)
            event("the temporary API is up", address=api.base_url)
            yield client


def _auth(api: Api) -> httpx.Auth | None:
    """Return what gives each request its token, where there is a token."""
    if api.oauth is not None:
        oauth = api.oauth
        return ClientCredentials(
            OAuthClient(oauth.token_url, oauth.client_id, oauth.client_secret, oauth.parameters)
        )
    if api.token:
        return BearerToken(api.token, api.token_file)
    return None


class _TemporaryApi:
    """A child process in a process group of its own; its output goes to the log at level DEBUG."""

    def __init__(self, api: Api, file_values: Mapping[str, str]) -> None:
        self._api = api
        self._file_values = file_values
        self._last_lines: deque[str] = deque(maxlen=SHOWN_LINES)

    def __enter__(self) -> Self:
        self._check_port()
        event("starting the temporary API", command=" ".join(self._api.command))
        try:
            self._process: subprocess.Popen[str] = subprocess.Popen(  # noqa: S603 - the user's own command
                self._api.command,
                env=application_environment(self._file_values),
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
        except BaseException:  # a signal: without __enter__ there is no __exit__
            self._signal(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            event(
                "the temporary API did not end in time and is killed",
                WARNING,
                seconds=GRACE_SECONDS,
            )
        self._signal(signal.SIGKILL)  # the whole group: workers may outlive their parent
        self._process.wait()
        self._reader.join(READER_TIMEOUT_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        event("the temporary API is stopped")

    def check(self) -> None:
        """Raise `NotReadyError` with the last lines of its output where it has ended by itself."""
        status = self._process.poll()
        if status is None:
            return
        self._reader.join(READER_TIMEOUT_SECONDS)
        how = (
            f"was killed by {signal.Signals(-status).name}"
            if status < 0
            else f"ended with exit code {status}"
        )
        shown = "\n".join(f"    {line}" for line in self._last_lines) or "    (no output)"
        raise NotReadyError(
            f"the temporary API ({' '.join(self._api.command)}) {how} before it was healthy; the end of its"
            f" output:\n{shown}"
        )

    def _signal(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - PIPE, above
        for line in self._process.stdout:
            self._last_lines.append(line.rstrip())
            event("the temporary API says", DEBUG, line=line.rstrip())

    def _check_port(self) -> None:
        parts = urlsplit(self._api.base_url)
        address = (parts.hostname or "127.0.0.1", parts.port or 80)
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as probe:
            probe.settimeout(PROBE_TIMEOUT_SECONDS)
            if probe.connect_ex(address) == 0:
                raise SettingsError(
                    f"API_BASE_URL: another process listens on {self._api.base_url}, so a temporary API cannot"
                    " start there; remove API_COMMAND to use that process, or choose another port"
                )
