"""A small stack for tests of deploy/stack: PostgreSQL, an init with one table, and an API of a few lines.

A release of it is built in two seconds and deployed in five, since init starts no API and the images share all layers.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.support.docker import PASSWORD, ROOT, docker
from tests.support.releases import OF_TEST, Registry, Revision, Server, configured, free_port

FIRST = Revision("0001", None, "CREATE TABLE words (id int PRIMARY KEY, word text NOT NULL)")
SERVICES = ("init", "api")
API = """\
import http.server, json, os

class Health(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        body = json.dumps({"status": "ok", "version": os.environ["APP_VERSION"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Health).serve_forever()
"""
HEALTHCHECK = (
    "HEALTHCHECK --interval=2s --timeout=60s --start-period=60s --start-interval=200ms CMD "
    'python -c "import urllib.request as u;'
    " u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:8000')\""
)
"""In the image, so that a sick release has another one and is unhealthy at once."""
COMPOSE = """\
services:
  postgres:
    image: postgres:16-alpine
    environment: &database
      POSTGRES_USER: dnd_helper
      POSTGRES_DB: dnd_helper
      POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password
    secrets: [postgres_password]
    volumes: ["postgres:/var/lib/postgresql/data"]
    healthcheck:
      test: [CMD-SHELL, pg_isready -q -h 127.0.0.1]
      interval: 2s
      start_period: 60s
      start_interval: 200ms
  init:
    image: ${REGISTRY}/init:${TAG:-latest}
    restart: "no"
    environment: {<<: *database, POSTGRES_HOST: postgres, ALEMBIC_CONFIG: /versions, LOG_JSON: "false"}
    secrets: [postgres_password]
    volumes: ["./seeds:/seeds:ro"]
    depends_on:
      postgres: {condition: service_healthy}
  api:
    image: ${REGISTRY}/api:${TAG:-latest}
    init: true
    restart: unless-stopped
    stop_grace_period: 1s
    ports: ["${API_BIND}:8000"]
    depends_on:
      init: {condition: service_completed_successfully}
volumes:
  postgres:
secrets:
  postgres_password:
    file: ./secrets/postgres_password
"""
MANIFEST = """\
[[dataset]]
name = "words"
table = "words"
source = "words.json"
key = ["id"]
"""


@dataclass(frozen=True)
class SmallReleases:
    """Releases of the small stack in a registry, under a name of their own."""

    registry: Registry
    folder: Path
    namespace: str

    @property
    def name(self) -> str:
        """Return what comes before the name of a service in the name of its image."""
        return f"{self.registry.name}/{self.namespace}"

    def publish(
        self,
        version: str,
        *revisions: Revision,
        services: Sequence[str] = SERVICES,
        api: str = "",
        init: str = "",
        labels: str = "",
        tags: Sequence[str] = ("latest",),
    ) -> None:
        """Build services and push them as `version` and each of `tags`.

        Args:
            version: the version that the API answers with and the images are labelled with.
            revisions: the history, after the revision that creates the table `words`.
            services: what is built; a half-published release has one of them.
            api: lines at the end of the API's Dockerfile, such as SICK.
            init: lines at the end of init's Dockerfile.
            labels: more labels of both, as `NAME=VALUE NAME=VALUE`.
            tags: the tags that move to these images.
        """
        context = self.folder / uuid4().hex
        (context / "versions").mkdir(parents=True)
        for revision in (FIRST, *revisions):
            path = context / "versions" / f"{revision.id}.py"
            path.write_text(revision.text(), encoding="utf-8")
        (context / "api.py").write_text(API, encoding="utf-8")
        label = (
            f"LABEL org.opencontainers.image.version={version} {OF_TEST}={self.namespace} {labels}"
        )
        dockerfiles = {
            "init": (
                f"FROM {self.registry.base.init}\nUSER root\nRUN rm -f /app/.compose-init.json\n"
                f"COPY versions /versions\nENV INIT_IMAGE_VERSION={version} API_COMMAND=\n"
                f"{label}\nUSER 10001:10001\n{init}"
            ),
            "api": (
                f"FROM python:3.13-slim\nCOPY api.py /api.py\nENV APP_VERSION={version}\n"
                f'{label}\n{HEALTHCHECK}\nCMD ["python", "/api.py"]\n{api}'
            ),
        }
        for service in services:
            path = context / f"{service}.Dockerfile"
            path.write_text(dockerfiles[service], encoding="utf-8")
            names = [f"{self.name}/{service}:{tag}" for tag in (version, *tags)]
            named = [part for name in names for part in ("-t", name)]
            docker("build", "-q", "-f", str(path), *named, str(context))
            for name in names:
                docker("push", "-q", name)
            docker("image", "rm", *names)  # so that the server has to pull

    def point(self, tag: str, version: str, *services: str) -> None:
        """Move a tag to images that are already in the registry."""
        for service in services or SERVICES:
            name = f"{self.name}/{service}"
            docker("buildx", "imagetools", "create", "-t", f"{name}:{tag}", f"{name}:{version}")


@dataclass(frozen=True)
class SmallServer(Server):
    """A server's folder with the small stack and deploy/stack in it."""

    def words(self, *words: str) -> None:
        """Write the seed file: a row for each word."""
        rows = [{"id": number, "word": word} for number, word in enumerate(words, 1)]
        (self.folder / "seeds" / "words.json").write_text(json.dumps(rows), encoding="utf-8")

    def install(self) -> None:
        """Prepare the folder, without a timer."""
        done = self.stack("install", "--no-timer")
        assert done.returncode == 0, done.stdout + done.stderr

    def deploy(self, *words: str) -> str:
        """Deploy, which must succeed; return what was said."""
        done = self.stack("deploy", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def small_server(folder: Path, releases: SmallReleases, **settings: str) -> Iterator[SmallServer]:
    """Yield a folder as a person has made it on an empty server; remove all that it started at the end."""
    found = SmallServer(folder, f"small-{uuid4().hex[:8]}", free_port())
    (folder / "compose.yml").write_text(COMPOSE, encoding="utf-8")
    shutil.copy(ROOT / "deploy" / "stack", folder / "stack")
    (folder / "secrets").mkdir(mode=0o700)
    found.secret("postgres_password", PASSWORD)
    (folder / "seeds").mkdir()
    (folder / "seeds" / "seeds.toml").write_text(MANIFEST, encoding="utf-8")
    found.words("one", "two")
    settings = {"REGISTRY": releases.name, "STACK_WATCH_SECONDS": "1", **settings}
    with configured(found, settings.pop("REGISTRY"), **settings):
        yield found
