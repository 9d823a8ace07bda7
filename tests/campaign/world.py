"""What the deploys of a campaign run in: a registry with faults, a receiver of alerts, a folder on a small disk."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from compose_init import __version__
from tests.support.docker import Images, docker, run
from tests.support.faulty_registry import FaultyRegistry, faulty_registry
from tests.support.releases import SICK, Receiver, Revision, receiver, registry
from tests.support.small_stack import SERVICES, SmallReleases, SmallServer, small_server

DISK_MEGABYTES = 64
FIRST_CREATED = datetime(2026, 1, 1, tzinfo=UTC)
DIES = 'CMD ["python", "-c", "import time; time.sleep(0.3); raise SystemExit(\'gone\')"]'
BROKEN = "CREATE TABLE words (id int)"  # is there already


@dataclass
class World:
    """The parts, and what is known of the releases that were published."""

    releases: SmallReleases
    registry: FaultyRegistry
    receiver: Receiver
    site: SmallServer
    published: int = 0
    good: list[str] = field(default_factory=list)
    """The versions that can work, oldest first."""
    half: str = ""
    """The version of which only the API is published."""
    revisions: list[Revision] = field(default_factory=list)
    """The history of the newest good release, after the first revision."""
    words: list[str] = field(default_factory=lambda: ["one", "two"])
    marker: str = ""

    def publish(self, kind: str) -> str:
        """Publish a release of a kind, as `latest`; return its version.

        Args:
            kind: good, migrating (good, with a revision), sick, dying, broken (its migration fails) or half.
        """
        self.published += 1
        version = f"{self.published}.0.0"
        revisions = list(self.revisions)
        if kind in {"migrating", "broken"}:
            before = revisions[-1].id if revisions else "0001"
            sql = BROKEN if kind == "broken" else f"CREATE TABLE t{self.published} (id int)"
            revisions.append(Revision(f"r{self.published}", before, sql))
        self.releases.publish(
            version,
            *revisions,
            services=("api",) if kind == "half" else SERVICES,
            api={"sick": SICK, "dying": DIES}.get(kind, ""),
            labels=self._labels(),
        )
        self.half = version if kind == "half" else ""
        if kind in {"good", "migrating"}:
            self.good.append(version)
            self.revisions = revisions
        return version

    def complete(self) -> str:
        """Publish the init that a half-published release lacks."""
        version = self.half
        self.releases.publish(version, *self.revisions, services=("init",), labels=self._labels())
        self.good.append(version)
        self.half = ""
        return version

    def replay(self, version: str) -> None:
        """Let `latest` be an older release again, as an old workflow run does."""
        self.releases.point("latest", version)
        self.half = ""

    def _labels(self) -> str:
        created = FIRST_CREATED + timedelta(hours=self.published)
        names = {"created": f"{created:%Y-%m-%dT%H:%M:%SZ}", "revision": f"{self.published:040x}"}
        return " ".join(f"org.opencontainers.image.{name}={text}" for name, text in names.items())

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave no byte free on the disk of the folder."""
        filler = self.site.folder / "filler"
        subprocess.run(  # it fails by design, when the disk is full
            ["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], check=False, capture_output=True
        )
        try:
            yield
        finally:
            filler.unlink(missing_ok=True)

    def seed(self, text: str | None = None) -> None:
        """Write the seed file; by default the words, valid."""
        if text is None:
            self.site.words(*self.words)
        else:
            (self.site.folder / "seeds" / "words.json").write_text(text, encoding="utf-8")

    def plant_marker(self) -> None:
        """Write a row that only this database has."""
        self.marker = f"m{self.site.port}"
        self.site.psql(f"CREATE TABLE marker AS SELECT '{self.marker}' AS text")

    def alerts(self) -> list[tuple[str, str]]:
        """Return the event and the text of each alert that the webhook has taken."""
        bodies = [body for path, body in self.receiver.requests if path.startswith("/hook")]
        return [(body["event"], body["text"]) for body in bodies]

    def newest_dump(self) -> Path | None:
        """Return the dump that was made last."""
        dumps = list((self.site.folder / "backups").glob("*.dump"))
        return max(dumps, key=lambda path: path.stat().st_mtime_ns, default=None)

    def listed(self, dump: Path) -> str:
        """Return what `pg_restore --list` finds in a dump; empty if it cannot be read."""
        container = f"{self.site.project}-postgres-1"
        with dump.open("rb") as content:
            done = subprocess.run(
                ["docker", "exec", "-i", container, "pg_restore", "--list"],
                stdin=content,
                capture_output=True,
                text=True,
                check=False,
            )
        return "" if done.returncode else done.stdout


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of a few megabytes at a folder; needs root."""
    size = f"size={DISK_MEGABYTES}m,mode=0755"
    mounted = run("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder))
    if mounted.returncode:
        raise SystemExit(f"a campaign needs a small disk, as root: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        run("umount", "-l", str(folder))


@contextmanager
def world(folder: Path, image_registry: str, **settings: str) -> Iterator[World]:
    """Yield a new world; its images are built on those of the example."""
    server_folder = folder / "server"
    server_folder.mkdir()
    (folder / "releases").mkdir()
    with ExitStack() as stack:
        stack.enter_context(small_disk(server_folder))
        hub = stack.enter_context(
            registry(Images(image_registry, __version__), folder / "releases")
        )
        proxy = stack.enter_context(faulty_registry(hub.port))
        taken = stack.enter_context(receiver())
        releases = SmallReleases(hub, folder / "releases", "campaign")
        settings = {
            "REGISTRY": f"{proxy.name}/campaign",
            "STACK_BACKUP": "true",
            "STACK_BACKUP_KEEP": "3",
            "STACK_MIN_FREE_MB": "1",
            **settings,
        }
        site = stack.enter_context(small_server(server_folder, releases, **settings))
        site.secret("alert_webhook", f"{taken.address}/hook")
        yield World(releases, proxy, taken, site)


def one_off_containers(world: World) -> list[str]:
    """Return the containers of `run` that are left."""
    labels = (f"com.docker.compose.project={world.site.project}", "com.docker.compose.oneoff=True")
    filters = [part for label in labels for part in ("--filter", f"label={label}")]
    return docker("ps", "-q", *filters).split()


def rows(world: World) -> list[str]:
    """Return the words in the database, by id."""
    text = world.site.psql("SELECT json_agg(word ORDER BY id) FROM words")
    found: list[str] = json.loads(text or "[]") or []
    return found
