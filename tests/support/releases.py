"""Releases of the example in a registry, and a server's folder that deploys them with deploy/stack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.support.docker import (
    APPLICATION_PASSWORD,
    COMMAND_TIMEOUT_SECONDS,
    PASSWORD,
    ROOT,
    Completed,
    Images,
    Stack,
    copy_compose_file,
    docker,
    eventually,
    run,
)
from tests.support.http_server import in_a_thread

SICK = 'HEALTHCHECK --interval=1s --start-period=0s --retries=1 CMD ["false"]\nCMD ["sleep", "600"]'
"""A container that is unhealthy at once, so that a deploy ends by that event and not by a limit."""
RECORD = "RUN compose-init record\nUSER 10001:10001"
OF_TEST = "tests.namespace"
"""The label of images that a test may prune: another worker may just be pulling images without a name."""
HOOK = "hook/with-a-secret-in-it"
TOKEN = "987654:another-secret"
REQUEST_TIMEOUT_SECONDS = 60
REVISION = '''"""{title}"""

from alembic import op

revision = "{id}"
down_revision = {parent!r}
branch_labels = None
depends_on = None
{marks}

def upgrade() -> None:
    op.execute("""{sql}""")


def downgrade() -> None:
    raise NotImplementedError
'''


@dataclass(frozen=True)
class Revision:
    """A migration that a release adds to the example's."""

    id: str
    parent: str | None
    sql: str
    breaks: bool = False

    def text(self) -> str:
        """Return the migration as Python source."""
        marks = "breaks_older_images = True\n" if self.breaks else ""
        title = f"A step of a test: {self.id}."
        return REVISION.format(
            title=title, id=self.id, parent=self.parent, sql=self.sql, marks=marks
        )


@dataclass(frozen=True)
class Registry:
    """A real registry on this machine's loopback."""

    container: str
    port: int
    base: Images
    folder: Path

    @property
    def name(self) -> str:
        """Return the registry's part of an image's name."""
        return f"127.0.0.1:{self.port}"

    def publish(
        self, version: str, *revisions: Revision, sick: bool = False, bot: bool = False
    ) -> None:
        """Build api, init and (where it has changed) bot on the example's, push them as `version` and `latest`."""
        context = self.folder / version
        versions = context / "versions"
        versions.mkdir(parents=True)
        for revision in revisions:
            (versions / f"{revision.id}.py").write_text(revision.text(), encoding="utf-8")
        ends = {"api": SICK if sick else "", "bot": "", "init": RECORD}
        for service, end in ends.items():
            lines = [
                f"FROM {getattr(self.base, service)}",
                "USER root" if service == "init" else "",
                "" if service == "bot" else "COPY versions /app/migrations/versions",
                f"ENV APP_VERSION={version} INIT_IMAGE_VERSION={version}",
                # No revision, since only some services are built for each release.
                f"LABEL org.opencontainers.image.version={version} org.opencontainers.image.revision=",
                f"LABEL {OF_TEST}={self.container}",
                end,
            ]
            (context / f"{service}.Dockerfile").write_text("\n".join(lines), encoding="utf-8")
        services = ("api", "init", "bot") if bot else ("api", "init")
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda service: self._push(context, service), services))

    def _push(self, context: Path, service: str) -> None:
        names = [f"{self.name}/dnd-helper/{service}:{tag}" for tag in (context.name, "latest")]
        tags = [part for name in names for part in ("-t", name)]
        docker("build", "-q", "-f", str(context / f"{service}.Dockerfile"), *tags, str(context))
        for name in names:
            docker("push", "-q", name)
        docker("image", "rm", *names)  # so that the server has to pull

    def stop(self) -> None:
        """Stop answering."""
        docker("stop", "-t", "1", self.container)

    def start(self) -> None:
        """Start again, and wait until the registry answers."""
        docker("start", self.container)
        eventually("the registry", lambda: answers(f"http://{self.name}/v2/") == 200)


@contextmanager
def registry(base: Images, folder: Path) -> Iterator[Registry]:
    """Yield a registry that runs until the block ends."""
    port = free_port()  # a fixed one: a container that is started again would get another
    container = f"registry-{uuid4().hex[:8]}"
    docker("run", "-d", "--name", container, "-p", f"127.0.0.1:{port}:5000", "registry:2")
    found = Registry(container, port, base, folder)
    try:
        eventually("the registry", lambda: answers(f"http://{found.name}/v2/") == 200)
        yield found
    finally:
        docker("rm", "-f", "-v", container)
        forget_images(f"{found.name}/*/*")


@dataclass(frozen=True)
class Server(Stack):
    """A server's folder with deploy/stack in it."""

    port: int = 0

    def stack(self, *words: str, **environment: str) -> Completed:
        """Run `./stack …`."""
        words = (str(self.folder / "stack"), *words)
        return run(*words, timeout=COMMAND_TIMEOUT_SECONDS, cwd=self.folder, **environment)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `./stack …` in a process group of its own."""
        return subprocess.Popen(
            [str(self.folder / "stack"), *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def address(self) -> str:
        """Return the address of the API from outside."""
        return f"http://127.0.0.1:{self.port}"

    def version(self) -> str:
        """Return the version that answers; empty if none does."""
        try:
            return str(
                httpx.get(f"{self.address}/health", timeout=REQUEST_TIMEOUT_SECONDS).json()[
                    "version"
                ]
            )
        except (httpx.TransportError, ValueError):
            return ""

    def image(self, service: str) -> str:
        """Return the image of a service's container."""
        return docker("inspect", "-f", "{{.Config.Image}}", f"{self.project}-{service}-1").strip()

    def history(self) -> list[list[str]]:
        """Return the lines of the history: time, command, result, release, message."""
        path = self.folder / "releases" / "history"
        return [line.split(" ", 4) for line in path.read_text(encoding="utf-8").splitlines()]

    def setting(self, **values: str | None) -> None:
        """Set variables of `.env`; None removes a variable."""
        path = self.folder / ".env"
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.partition("=")[0] not in values]
        kept += [f"{name}={value}" for name, value in values.items() if value is not None]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")


@contextmanager
def server(folder: Path, registry: Registry, telegram: str) -> Iterator[Server]:
    """Yield an empty server: what a person copies there, and nothing prepared."""
    found = Server(folder, f"deploy-{uuid4().hex[:8]}", free_port())
    copy_compose_file(folder)
    shutil.copy(ROOT / "deploy" / "stack", folder / "stack")
    shutil.copy(ROOT / "deploy" / "roles.sh", folder / "roles.sh")
    (folder / "secrets").mkdir(mode=0o700)
    found.secret("postgres_password", PASSWORD)
    found.secret("application_password", APPLICATION_PASSWORD)
    found.secret("bot_token", "123456:a-token-that-lives-for-a-test")
    found.seeds_as_shipped()
    tags = {"API_TAG": "latest", "BOT_TAG": "latest"}
    with configured(
        found, registry.name, **tags, TELEGRAM_API_BASE_URL=telegram, STACK_WATCH_SECONDS="3"
    ):
        yield found


@contextmanager
def configured(site: Server, registry: str, **settings: str) -> Iterator[None]:
    """Write the `.env` of a server for a machine that is busy; remove at the end all that was started there."""
    values = {
        "COMPOSE_PROJECT_NAME": site.project,
        "COMPOSE_FILE": "compose.yml:release.yml",
        "REGISTRY": registry,
        "API_BIND": f"127.0.0.1:{site.port}",
        "STACK_PROBE_URL": f"{site.address}/health",
        "STACK_WAIT_TIMEOUT": "300",
        "STACK_PROBE_TIMEOUT": "300",
        "STACK_MIN_FREE_MB": "100",
        **settings,
    }
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    path = site.folder / ".env"
    path.write_text(lines, encoding="utf-8")
    path.chmod(0o600)
    try:
        yield
    finally:
        site.compose("down", "-v", "--remove-orphans", "--timeout", "0")
        forget_project(site.project)


@dataclass
class Poll:
    """A client that asks the API without a pause, from another thread."""

    address: str
    answers: list[tuple[float, str]] = field(
        default_factory=list
    )  # when; the version, or what went wrong
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start asking."""
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking."""
        self._over.set()
        assert self._thread
        self._thread.join()

    @property
    def failures(self) -> list[str]:
        """Return what went wrong."""
        return [said for _, said in self.answers if said.startswith("!")]

    @property
    def downtime(self) -> float:
        """Return the seconds from the first failure to the first answer after the last; 0 without any."""
        failed = [n for n, (_, said) in enumerate(self.answers) if said.startswith("!")]
        if not failed:
            return 0.0
        until = min(failed[-1] + 1, len(self.answers) - 1)
        return self.answers[until][0] - self.answers[failed[0]][0]

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            began = time.monotonic()
            try:
                answer = httpx.get(f"{self.address}/health", timeout=REQUEST_TIMEOUT_SECONDS)
                said = str(answer.raise_for_status().json()["version"])
            except (httpx.HTTPError, ValueError) as error:
                said = f"! {error}"
            self.answers.append((began, said))


@dataclass
class Receiver:
    """The alerts that a webhook and a Bot API have received."""

    address: str
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuses: str = "none"
    """The beginning of the paths that are refused."""

    def events(self) -> list[str]:
        """Return the kinds of the alerts at the webhook, in order."""
        return [body["event"] for path, body in self.requests if path.startswith("/hook")]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Yield a real HTTP server for alerts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            taken = not self.path.startswith(found.refuses)
            if taken:
                found.requests.append((self.path, json.loads(body)))
            self.send_response(200 if taken else 503)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"ok": true, "result": {}}')

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Receiver(f"http://127.0.0.1:{listening.server_port}")
    with in_a_thread(listening):
        yield found


@contextmanager
def hearing(site: Server) -> Iterator[Receiver]:
    """Let a server send its alerts, by both channels, to a receiver."""
    with receiver() as found:
        site.secret("alert_webhook", f"{found.address}/{HOOK}")
        site.secret("alert_telegram_token", TOKEN)
        site.setting(STACK_TELEGRAM_API=found.address, STACK_TELEGRAM_CHAT="42")
        yield found


def forget_project(project: str) -> None:
    """Remove what deploy/stack keeps of a project: names of images, and the claim of its folder."""
    forget_images(f"stack.local/{project}/*")
    run("docker", "volume", "rm", f"stack.{project}")


def forget_images(pattern: str) -> None:
    """Remove these names of images; an image with another name stays."""
    form = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
    listed = docker(
        "image", "ls", "--digests", "--format", form, "--filter", f"reference={pattern}"
    )
    names = {name for name in listed.split() if "<none>" not in name}
    if names:
        run("docker", "image", "rm", *names)


def killed(running: subprocess.Popen[str], step: str, after: float = 0.3) -> bool:
    """Kill a program and all that it has started, seconds after it has printed `step`.

    Like a machine that runs out of memory. False if the program ends before.
    """
    assert running.stdout
    found = not step or any(step in line for line in running.stdout)
    time.sleep(after)
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    return found


def answers(url: str) -> int:
    """Return the status of an address; 0 if there is no answer."""
    try:
        return httpx.get(url, timeout=REQUEST_TIMEOUT_SECONDS).status_code
    except httpx.TransportError:
        return 0


def free_port() -> int:
    """Return a free port of this machine's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
