"""Releases of the example in a registry, and a server's folder that takes them up with deploy/stack."""

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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.support.docker import (
    APPLICATION_PASSWORD,
    PASSWORD,
    ROOT,
    Completed,
    Images,
    Stack,
    docker,
    eventually,
    run,
)

SERVICES = ("api", "bot", "init")
HOOK = "hook/with-a-secret-in-it"
TOKEN = "987654:another-secret"
REVISION = '''"""{title}"""

from alembic import op

revision = "{id}"
down_revision = "{parent}"
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
    parent: str
    sql: str
    breaks: bool = False

    def text(self) -> str:
        """As a file."""
        marks = "breaks_older_images = True\n" if self.breaks else ""
        title = f"A step of a test: {self.id}."
        return REVISION.format(
            title=title, id=self.id, parent=self.parent, sql=self.sql, marks=marks
        )


@dataclass(frozen=True)
class Registry:
    """A real one, on this machine's loopback."""

    container: str
    port: int
    base: Images
    folder: Path

    @property
    def name(self) -> str:
        """As images begin."""
        return f"127.0.0.1:{self.port}"

    def publish(self, version: str, *revisions: Revision, sick: bool = False) -> None:
        """Build api, bot and init on top of the example's, push them as `version` and as `latest`."""
        context = self.folder / version
        versions = context / "versions"
        versions.mkdir(parents=True)
        for revision in revisions:
            (versions / f"{revision.id}.py").write_text(revision.text(), encoding="utf-8")
        ends = {
            "api": 'CMD ["sleep", "600"]' if sick else "",
            "bot": "",
            "init": "RUN compose-init record\nUSER 10001:10001",
        }
        for service in SERVICES:
            lines = [
                f"FROM {getattr(self.base, service)}",
                "USER root" if service == "init" else "",
                "" if service == "bot" else "COPY versions /app/migrations/versions",
                f"ENV APP_VERSION={version} INIT_IMAGE_VERSION={version}",
                f"LABEL org.opencontainers.image.version={version}",
                ends[service],
            ]
            (context / "Dockerfile").write_text("\n".join(lines), encoding="utf-8")
            named = [f"{self.name}/dnd-helper/{service}:{tag}" for tag in (version, "latest")]
            docker("build", "-q", "-t", named[0], "-t", named[1], str(context))
            for name in named:
                docker("push", "-q", name)
                docker("image", "rm", name)  # so that the server has to pull

    def stop(self) -> None:
        """As it is when one needs it."""
        docker("stop", "-t", "1", self.container)

    def start(self) -> None:
        """And wait until it answers."""
        docker("start", self.container)
        eventually("the registry", lambda: answers(f"http://{self.name}/v2/") == 200)


@contextmanager
def registry(base: Images, folder: Path) -> Iterator[Registry]:
    """A registry that is there until the block ends."""
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

    def stack(self, *words: str, timeout: float = 240, **environment: str) -> Completed:
        """`./stack …`."""
        return run(
            str(self.folder / "stack"), *words, cwd=self.folder, timeout=timeout, **environment
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """`./stack …`, with a process group of its own."""
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
        """Where the API is from outside."""
        return f"http://127.0.0.1:{self.port}"

    def version(self) -> str:
        """The version that answers; empty where nobody does."""
        try:
            return str(httpx.get(f"{self.address}/health", timeout=5).json()["version"])
        except (httpx.TransportError, ValueError):
            return ""

    def image(self, service: str) -> str:
        """The image that a service's container has been made of."""
        return docker("inspect", "-f", "{{.Config.Image}}", f"{self.project}-{service}-1").strip()

    def history(self) -> list[list[str]]:
        """What runs have written down: time, command, result, release, words."""
        path = self.folder / "releases" / "history"
        return [line.split(" ", 4) for line in path.read_text(encoding="utf-8").splitlines()]

    def setting(self, **values: str | None) -> None:
        """Set variables of `.env`; None takes one away."""
        path = self.folder / ".env"
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.partition("=")[0] not in values]
        kept += [f"{name}={value}" for name, value in values.items() if value is not None]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")


@contextmanager
def server(folder: Path, registry: Registry, telegram: str) -> Iterator[Server]:
    """An empty server: what a person brings there, and nothing prepared."""
    found = Server(folder, f"deploy-{uuid4().hex[:8]}", free_port())
    shutil.copy(ROOT / "compose.prod.example.yml", folder / "compose.yml")
    shutil.copy(ROOT / "deploy" / "stack", folder / "stack")
    shutil.copy(ROOT / "deploy" / "roles.sh", folder / "roles.sh")
    (folder / "secrets").mkdir(mode=0o700)
    found.secret("postgres_password", PASSWORD)
    found.secret("application_password", APPLICATION_PASSWORD)
    found.secret("bot_token", "123456:a-token-that-lives-for-a-test")
    found.seeds_as_shipped()
    settings = {
        "COMPOSE_PROJECT_NAME": found.project,
        "COMPOSE_FILE": "compose.yml:release.yml",
        "REGISTRY": registry.name,
        "API_TAG": "latest",
        "BOT_TAG": "latest",
        "API_BIND": f"127.0.0.1:{found.port}",
        "TELEGRAM_API_BASE_URL": telegram,
        "STACK_PROBE_URL": f"{found.address}/health",
        "STACK_WAIT_TIMEOUT": "60",
        "STACK_MIN_FREE_MB": "100",
    }
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    (folder / ".env").write_text(lines, encoding="utf-8")
    (folder / ".env").chmod(0o600)
    try:
        yield found
    finally:
        found.compose("down", "-v", "--remove-orphans", "--timeout", "2")
        forget_images(f"stack.local/{found.project}/*")


@dataclass
class Poll:
    """Somebody who asks the API all the while, from another thread."""

    address: str
    answers: list[tuple[float, str]] = field(
        default_factory=list
    )  # when; the version, or what went wrong
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._over.set()
        assert self._thread
        self._thread.join()

    @property
    def failures(self) -> list[str]:
        """What went wrong."""
        return [said for _, said in self.answers if said.startswith("!")]

    @property
    def downtime(self) -> float:
        """Seconds from the first failure to the first answer after the last one; 0 without any."""
        failed = [n for n, (_, said) in enumerate(self.answers) if said.startswith("!")]
        if not failed:
            return 0.0
        until = min(failed[-1] + 1, len(self.answers) - 1)
        return self.answers[until][0] - self.answers[failed[0]][0]

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            began = time.monotonic()
            try:
                answer = httpx.get(f"{self.address}/health", timeout=5)
                said = str(answer.raise_for_status().json()["version"])
            except (httpx.HTTPError, ValueError) as error:
                said = f"! {error}"
            self.answers.append((began, said))


@dataclass
class Receiver:
    """What has been told to a webhook and to a Bot API."""

    address: str
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuses: str = "none"
    """What begins like this is not taken."""

    def events(self) -> list[str]:
        """Kinds of the alerts at the webhook, in order."""
        return [body["event"] for path, body in self.requests if path.startswith("/hook")]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A real HTTP server for alerts."""

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
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def forget_images(pattern: str) -> None:
    """By these names; an image that has others as well stays."""
    form = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
    listed = docker(
        "image", "ls", "--digests", "--format", form, "--filter", f"reference={pattern}"
    )
    names = {name for name in listed.split() if "<none>" not in name}
    if names:
        run("docker", "image", "rm", *names)


def killed(running: subprocess.Popen[str], step: str, after: float = 0.3) -> bool:
    """Seconds after it says `step`, as a machine does that runs out of memory: with all it has started."""
    assert running.stdout
    found = not step or any(step in line for line in running.stdout)
    time.sleep(after)
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    return found


def answers(url: str) -> int:
    """The status; 0 where nobody answers."""
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return 0


def free_port() -> int:
    """Of this machine's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
