"""Docker, and a folder as it is on a server, for the end-to-end tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.support.http_server import in_a_thread

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "examples" / "dnd-helper" / "seeds"
PASSWORD = "p@ss:w/rd #1% 'x'"  # every character that an address could stumble over
APPLICATION_PASSWORD = 'an0ther "p@ss:w/rd" $2% \\x'
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
COMMAND_TIMEOUT_SECONDS = 600
"""A bound for a program that hangs; nothing waits for it to pass."""
EVENT_TIMEOUT_SECONDS = 180
"""A bound for an event that should come within a second or two on an idle machine."""
Completed = subprocess.CompletedProcess[str]


def run(
    *words: str, timeout: float = COMMAND_TIMEOUT_SECONDS, cwd: Path = ROOT, **environment: str
) -> Completed:
    """Run a program to its end; its exit code is the caller's to look at."""
    return subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=timeout,
        check=False,
        capture_output=True,
        text=True,
    )


def docker(*words: str) -> str:
    """Return the output of a docker command that must succeed."""
    done = run("docker", *words)
    assert done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Images:
    """The images of the example, under one registry and tag."""

    registry: str
    tag: str

    def __getattr__(self, name: str) -> str:
        """`images.api`, `images.bot`, `images.init`."""
        return f"{self.registry}/dnd-helper/{name}:{self.tag}"


@dataclass(frozen=True)
class Stack:
    """A server's folder, and a Compose project in it."""

    folder: Path
    project: str

    def compose(self, *words: str, files: tuple[str, ...] = ()) -> Completed:
        """Run `docker compose …`, with files laid over compose.yml."""
        named = [part for file in ("compose.yml", *files) for part in ("-f", file)]
        clean = {"COMPOSE_FILE": "", "COMPOSE_PROFILES": ""}
        words = ("docker", "compose", *named, *words)
        return run(*words, timeout=COMMAND_TIMEOUT_SECONDS, cwd=self.folder, **clean)

    def up(self, *files: str) -> Completed:
        """Run the one command of a deploy."""
        return self.compose("up", "-d", "--wait", files=files)

    def init(self, *words: str, **environment: str) -> Completed:
        """Run `docker compose run --rm init …`."""
        named = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
        return self.compose("run", "--rm", "--no-deps", *named, "init", *words)

    def state(self, service: str) -> dict[str, Any]:
        """Return the state of a service's container; its status is `absent` if there is none."""
        found = run("docker", "inspect", f"{self.project}-{service}-1")
        if found.returncode:
            return {"Status": "absent"}
        state: dict[str, Any] = json.loads(found.stdout)[0]["State"]
        return state

    def log(self, service: str) -> str:
        """Return the log of a service's container since it was last started."""
        since = self.state(service)["StartedAt"]
        name = f"{self.project}-{service}-1"
        return docker("logs", "--since", since, name)

    def psql(self, sql: str, database: str = "dnd_helper") -> str:
        """Return the answer to a query, as psql prints it."""
        login = ("-h", "127.0.0.1", "-U", "dnd_helper", "-d", database)
        done = self.compose(
            *("exec", "-T", "-e", f"PGPASSWORD={PASSWORD}", "postgres"),
            *("psql", *login, "-v", "ON_ERROR_STOP=1", "-At", "-c", sql),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def tables(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return every row of the application, by table and id."""
        names = self.psql(
            "SELECT string_agg(table_name, ' ') FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).split()
        rows = "SELECT coalesce(json_agg(t), '[]') FROM {} t"
        answers = self.psql("; ".join(rows.format(name) for name in names)).split("\n[")
        found = {}
        for name, answer in zip(names, answers, strict=True):
            listed = json.loads(answer if answer.startswith("[") else f"[{answer}")
            found[name] = {str(row.get("id", row)): row for row in listed}
        return found

    def edit(self, name: str, **changes: tuple[str, str]) -> None:
        """Replace one text by another in a seed file, as a person would."""
        path = self.folder / "seeds" / name
        text = path.read_text(encoding="utf-8")
        for before, after in changes.values():
            assert before in text
            text = text.replace(before, after, 1)
        path.write_text(text, encoding="utf-8")

    def seeds_as_shipped(self) -> None:
        """Undo every edit of the seeds."""
        shutil.copytree(SEEDS, self.folder / "seeds", dirs_exist_ok=True)

    def secret(self, name: str, value: str) -> None:
        """Write a secret's file: readable in every container, in a folder that no other user may enter."""
        path = self.folder / "secrets" / name
        path.unlink(missing_ok=True)
        path.write_text(f"{value}\n", encoding="utf-8")
        path.chmod(0o444)

    def over(self, name: str, services: Mapping[str, Any]) -> str:
        """Write a file to lay over compose.yml; return its name."""
        (self.folder / name).write_text(yaml.safe_dump({"services": services}), encoding="utf-8")
        return name


@contextmanager
def server(folder: Path, images: Images, telegram: str) -> Iterator[Stack]:
    """Yield a folder as README puts it on a server; remove the project and its volumes at the end."""
    stack = Stack(folder, f"e2e-{uuid4().hex[:8]}")
    copy_compose_file(folder)
    shutil.copy(ROOT / "deploy" / "roles.sh", folder / "roles.sh")
    (folder / "secrets").mkdir(mode=0o700)
    stack.secret("postgres_password", PASSWORD)
    stack.secret("application_password", APPLICATION_PASSWORD)
    stack.secret("bot_token", "123456:a-token-that-lives-for-a-test")
    stack.seeds_as_shipped()
    settings = {
        "COMPOSE_PROJECT_NAME": stack.project,
        "REGISTRY": images.registry,
        "API_TAG": images.tag,
        "BOT_TAG": images.tag,
        "API_BIND": "127.0.0.1:0",
        "TELEGRAM_API_BASE_URL": telegram,
    }
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    (folder / ".env").write_text(lines, encoding="utf-8")
    try:
        yield stack
    finally:
        stack.compose("down", "-v", "--remove-orphans", "--timeout", "0")


@contextmanager
def telegram_server() -> Iterator[str]:
    """Yield the address of a Bot API server without messages, where containers reach this machine."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            method = self.path.rpartition("/")[2]
            if method == "getUpdates":
                closing.wait(1)
            me = {"id": 123456, "is_bot": True, "first_name": "Helper", "username": "dnd_bot"}
            result: Any = {"getMe": me, "getUpdates": []}.get(method, True)
            body = json.dumps({"ok": True, "result": result}).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):  # the bot was stopped meanwhile
                pass

        def log_message(self, *_: Any) -> None:
            pass

    # The bridge's own end is this machine; it can be reached from every other network as well.
    [bridge] = json.loads(docker("network", "inspect", "bridge"))
    gateway = bridge["IPAM"]["Config"][0]["Gateway"]
    listening = ThreadingHTTPServer((gateway, 0), Handler)
    listening.daemon_threads = True
    with in_a_thread(listening):
        try:
            yield f"http://{gateway}:{listening.server_port}"
        finally:
            closing.set()


def copy_compose_file(folder: Path) -> None:
    """Copy the example's Compose file, for a machine that is busy with other tests.

    Python starts twice as fast without the limits of CPU, and no health check fails because it waited for a
    core. Everything else stays as on a server.
    """
    text = (ROOT / "compose.prod.example.yml").read_text(encoding="utf-8")
    text, limits = re.subn(r"(, )?cpus: \"[\d.]+\"(?(1)|, )", "", text)
    text, checks = re.subn(r"timeout: \d+s$", "timeout: 60s", text, flags=re.MULTILINE)
    assert limits
    assert checks
    (folder / "compose.yml").write_text(text, encoding="utf-8")


def eventually(what: str, ask: Any, seconds: float = EVENT_TIMEOUT_SECONDS) -> None:
    """Wait until `ask()` is true."""
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.1)
