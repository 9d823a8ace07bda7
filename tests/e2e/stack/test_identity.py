"""One project, one folder, one database: anything else is refused before it is started, pulled or written."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from tests.support.docker import PASSWORD, ROOT, docker, run
from tests.support.releases import free_port
from tests.support.small_stack import SmallReleases, SmallServer, small_server

COMMANDS = (("deploy", "--timer"), ("rollback",), ("plan",), ("install", "--no-timer"))
REFUSED = 78
SOCKET = ("-e", "PGHOST=/var/run/postgresql")
PSQL = "psql -U dnd_helper -At -c"


@pytest.fixture(scope="module", name="prepared")
def _prepared(small_hub: SmallReleases, small_site: SmallServer) -> SmallServer:
    """Return the server, installed, before its first release."""
    small_hub.publish("1.0.0")
    small_site.install()
    return small_site


@pytest.fixture(scope="module", name="site")
def _site(prepared: SmallServer) -> SmallServer:
    """Return the server after its first release."""
    prepared.deploy()
    return prepared


def containers(site: SmallServer) -> list[str]:
    """Return the containers of the project, which a refused command leaves alone."""
    label = f"label=com.docker.compose.project={site.project}"
    return sorted(docker("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split())


def inside(site: SmallServer, command: str) -> str:
    """Run a shell command in the container of PostgreSQL, whatever Compose would say."""
    return docker("exec", *SOCKET, f"{site.project}-postgres-1", "sh", "-c", command).strip()


def rows(site: SmallServer) -> str:
    """Return how many rows the seeded table has."""
    return inside(site, f"{PSQL} 'SELECT count(*) FROM words'")


def volumes() -> set[str]:
    return set(docker("volume", "ls", "--quiet").split())


def refused(site: SmallServer, *words: str) -> str:
    """Run a command that must refuse, and must have started and made nothing; return what it said."""
    before, made, counted = containers(site), volumes(), rows(site)
    done = site.stack(*words)
    assert done.returncode == REFUSED, done.stdout + done.stderr
    assert containers(site) == before
    assert not {name for name in volumes() - made if site.project in name}
    assert rows(site) == counted
    return done.stderr


def recorded(site: SmallServer, key: str) -> list[str]:
    """Return what the state file says of this installation."""
    lines = (site.folder / "releases" / "installation").read_text(encoding="utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith(f"{key} ")]


@contextmanager
def changed(
    site: SmallServer, *pairs: tuple[str, str], name: str = "compose.yml"
) -> Iterator[None]:
    """Replace texts in a file of the server's folder, until the block ends."""
    path = site.folder / name
    text = path.read_text(encoding="utf-8")
    new = text
    for before, after in pairs:
        assert before in new
        new = new.replace(before, after)
    path.write_text(new, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def state_of(folder: Path) -> str:
    """Return a digest of all that is in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    texts = (f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files)
    return "\n".join(texts)


def test_a_project_is_claimed_before_it_has_containers(
    prepared: SmallServer, tmp_path: Path
) -> None:
    """For the folder that was installed; nothing is written into another one, nor into the timer's units."""
    shutil.copytree(
        prepared.folder,
        tmp_path / "bare",
        ignore=shutil.ignore_patterns("releases", "release.yml"),
    )
    bare, units = replace(prepared, folder=tmp_path / "bare"), tmp_path / "units"
    units.mkdir()
    before = state_of(bare.folder)
    done = bare.stack("install", STACK_UNITS=str(units))
    assert done.returncode == REFUSED
    assert f"the project {prepared.project} belongs to {prepared.folder}" in done.stderr
    assert state_of(bare.folder) == before
    assert list(units.iterdir()) == []


def test_what_is_recorded(site: SmallServer) -> None:
    """The project, the folder, the database's id as init tells it, what services write."""
    assert recorded(site, "project") == [site.project]
    assert recorded(site, "folder") == [str(site.folder)]
    assert recorded(site, "data") == [
        f"postgres\t/var/lib/postgresql/data\tvolume {site.project}_postgres"
    ]
    [database] = recorded(site, "database")
    assert site.init("installation").stdout.strip() == database
    assert (site.folder / "releases" / "version").read_text() == "2\n"


def test_a_copy_of_the_folder_is_refused(site: SmallServer, tmp_path: Path) -> None:
    """With its state, and under another name too as long as it has that."""
    copy = replace(site, folder=tmp_path / "copy")
    shutil.copytree(site.folder, copy.folder)
    for words in COMMANDS:
        said = refused(copy, *words)
        assert f"the project {site.project} belongs to {site.folder}" in said
        assert "COMPOSE_PROJECT_NAME" in said
    with changed(copy, (site.project, f"{site.project}-2"), name=".env"):
        said = refused(copy, "install", "--no-timer")
    assert f"is a copy of {site.folder}, with its releases/" in said


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_project_of_another_name_is_refused(site: SmallServer, words: tuple[str, ...]) -> None:
    """Two bots on one token would stay up beside each other."""
    with changed(site, (site.project, f"{site.project}-2"), name=".env"):
        said = refused(site, *words)
    assert f"the project was {site.project}, and is {site.project}-2 now" in said
    assert "Change the name back" in said


VOLUME = "postgres:/var/lib/postgresql/data"
RENAMED = (
    (VOLUME, "pgdata:/var/lib/postgresql/data"),
    ("volumes:\n  postgres:", "volumes:\n  pgdata:"),
)
CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "renamed": RENAMED,
    "another name in Docker": (
        ("volumes:\n  postgres:", "volumes:\n  postgres: {name: elsewhere}"),
    ),
    "no name": ((VOLUME, "/var/lib/postgresql/data"),),
    "no volume": ((f'    volumes: ["{VOLUME}"]\n', ""),),
    "a folder": ((VOLUME, "./postgres:/var/lib/postgresql/data"),),
    "in memory": ((f'volumes: ["{VOLUME}"]', "tmpfs: [/var/lib/postgresql/data]"),),
    "another place": ((VOLUME, "postgres:/var/lib/postgresql"),),
    "read-only": ((VOLUME, f"{VOLUME}:ro"),),
    "the service too": (
        *RENAMED,
        ("  postgres:\n    image", "  db:\n    image"),
        ("      postgres: {c", "      db: {c"),
    ),
}


def lost(site: SmallServer, *pairs: tuple[str, str]) -> str:
    """Return what the script finds lost with a changed compose.yml."""
    parts = ("state", "model", "compose", "settings", "data")
    sources = " ".join(f"source {ROOT}/deploy/stack.d/{name}.sh;" for name in parts)
    script = f"set -Eeuo pipefail; STATE=releases PROJECT={site.project}; {sources} read_variables;"
    script += " MODEL=$(compose_model); SERVICES=$(list_services); lost_data"
    with changed(site, *pairs):
        done = run("bash", "-c", script, cwd=site.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("change", CHANGES)
def test_a_volume_that_is_another_is_noticed(site: SmallServer, change: str) -> None:
    """The database would be empty, and would be migrated and seeded as a new one."""
    volume = f"the volume {site.project}_postgres at /var/lib/postgresql/data"
    said = lost(site, *CHANGES[change])
    assert said.startswith(f"postgres has {volume}, and would have ")
    assert said.count("\n") == 1


UNCHANGED: dict[str, tuple[tuple[str, str], ...]] = {
    "a service of another name": CHANGES["the service too"][2:],
    "a service less": (
        ("  postgres:\n    image", "  postgres:\n    profiles: [other]\n    image"),
        ("    depends_on:\n      postgres: {condition: service_healthy}\n", ""),
    ),
    "a volume more": ((VOLUME, f'{VOLUME}", "more:/more'), ("volumes:\n", "volumes:\n  more:\n")),
    "written at length": (
        (f'["{VOLUME}"]', "[{type: volume, source: postgres, target: /var/lib/postgresql/data}]"),
    ),
}


@pytest.mark.parametrize("change", UNCHANGED)
def test_data_that_stays_is_no_loss(site: SmallServer, change: str) -> None:
    """Whatever else is changed beside it."""
    assert lost(site, *UNCHANGED[change]) == ""


def test_every_command_refuses_a_volume_that_is_another(site: SmallServer) -> None:
    """Install only says it: it starts nothing."""
    with changed(site, *RENAMED):
        for words in COMMANDS[:-1]:
            said = refused(site, *words)
            assert f"and would have the volume {site.project}_pgdata there" in said
            assert "run ./stack deploy --new-data" in said
        installed = site.stack("install", "--no-timer")
        assert installed.returncode == 0
        assert "warning  data: postgres has the volume" in installed.stderr
    (site.folder / "releases" / "installation").unlink()  # as before there was such a file
    with changed(site, *RENAMED):
        refused(site, "deploy")
    site.words("one", "two", "three")
    assert "1.0.0" in site.deploy()


def test_a_volume_that_is_gone_is_refused(site: SmallServer) -> None:
    """It would be made again, empty; and a dump restored into an empty one is the same installation."""
    known, dump = recorded(site, "database"), "/kept.dump"
    inside(site, f"pg_dump -Fc -U dnd_helper dnd_helper >{dump}")
    kept = site.folder / "kept.dump"
    docker("cp", f"{site.project}-postgres-1:{dump}", str(kept))
    site.compose("down", "--volumes")
    done = site.stack("deploy")
    assert done.returncode == REFUSED
    assert "which does not exist any more, and would have an empty one" in done.stderr
    assert containers(site) == []
    assert site.compose("up", "-d", "--wait", "postgres").returncode == 0
    before = containers(site)
    for words in (("deploy",), ("plan",)):
        done = site.stack(*words)
        assert done.returncode == REFUSED, done.stdout + done.stderr
        assert "no run of init has been in it" in done.stderr
        assert containers(site) == before
    assert inside(site, f"{PSQL} '\\dt' 2>&1") == "Did not find any relations."
    docker("cp", str(kept), f"{site.project}-postgres-1:{dump}")
    inside(site, f"pg_restore -U dnd_helper --exit-on-error -d dnd_helper {dump}")
    assert "1.0.0" in site.deploy()
    assert recorded(site, "database") == known


def test_a_folder_that_was_moved(site: SmallServer, tmp_path: Path) -> None:
    """It is adopted by a word, with the data that is in it, and not before."""
    moved = replace(site, folder=tmp_path / "moved to here")
    shutil.move(site.folder, moved.folder)
    try:
        said = refused(moved, "deploy")
        assert f"{site.folder}, which is not there any more" in said
        assert "run ./stack install" in said
        moved.install()
        assert recorded(moved, "folder") == [str(moved.folder)]
        moved.deploy()
    finally:
        shutil.move(moved.folder, site.folder)
    assert "run ./stack install" in refused(site, "deploy")
    site.install()


def test_another_engine_is_noticed(site: SmallServer) -> None:
    """A folder that was copied to another machine has its releases, and no containers there."""
    with changed(site, (recorded(site, "engine")[0], "another"), name="releases/installation"):
        assert "on another machine" in refused(site, "deploy")
        refused(site, "plan")
        assert site.stack("install", "--no-timer").returncode == 0
        assert recorded(site, "engine") != ["another"]


def test_a_newer_folder_is_refused(site: SmallServer) -> None:
    """By every command, and nothing is changed; an older one is brought to this version."""
    version = site.folder / "releases" / "version"
    for text, words in {"3\n": "was written by a newer stack", "": "must hold a number"}.items():
        version.write_text(text)
        before = state_of(site.folder)
        for command in (*COMMANDS, ("logs",), ("status",), ("doctor",)):
            assert words in refused(site, *command)
        assert state_of(site.folder) == before
    version.unlink()
    (site.folder / "releases" / "installation").unlink()
    docker("volume", "rm", f"stack.{site.project}")  # as `docker volume prune --all` does
    site.deploy()
    assert f"stack.{site.project}" in volumes()
    assert version.read_text() == "2\n"
    assert recorded(site, "folder") == [str(site.folder)]


def test_a_project_is_renamed(site: SmallServer) -> None:
    """As the runbook says: taken down, with the volume's own name, adopted by install."""
    old, new, counted = site.project, f"{site.project}-new", rows(site)
    units = site.folder / "units"
    units.mkdir()
    assert site.stack("install", STACK_UNITS=str(units)).returncode == 0
    volume = ("volumes:\n  postgres:", f"volumes:\n  postgres: {{name: {old}_postgres}}")
    renamed = replace(site, project=new)
    with changed(site, volume), changed(site, (old, new), name=".env"):
        said = refused(site, "install")
        assert f"beside the containers of {old}" in said
        assert site.compose("--project-name", old, "down").returncode == 0
        said = renamed.stack("deploy").stderr
        assert f"run ./stack install if {new} is its new name" in said
        assert renamed.stack("install", STACK_UNITS=str(units)).returncode == 0
        assert sorted(path.name for path in units.iterdir()) == [
            f"stack-{new}-mail.service",
            f"stack-{new}.service",
            f"stack-{new}.timer",
        ]
        renamed.deploy()
        assert rows(renamed) == counted
        assert f"stack.{old}" not in volumes()
        renamed.compose("down")
        docker("volume", "rm", f"stack.{new}")


def test_a_database_of_another_installation_is_refused(site: SmallServer) -> None:
    """Also with all its tables; a person who means it says so once."""
    site.install()
    assert site.compose("up", "-d", "--wait", "postgres").returncode == 0
    [known] = recorded(site, "database")
    inside(site, f"{PSQL} 'UPDATE compose_init.format SET salt = salt + 1'")
    site.words("one", "two", "three", "four")
    done = site.stack("deploy")
    assert done.returncode == REFUSED
    assert (
        f"it belongs to the installation {site.init('installation').stdout.strip()}" in done.stderr
    )
    assert f"and this one is {known}" in done.stderr
    assert rows(site) == "3"
    with changed(site, *RENAMED):
        assert "as --new-data says" in site.deploy("--new-data")
        assert rows(site) == "4"
        assert recorded(site, "database") not in ([known], [])
        assert recorded(site, "data")[0].endswith(f"volume {site.project}_pgdata")
        assert "nothing new" in site.deploy()
    refused(site, "deploy")  # the old one is now the other one


def test_a_database_outside_of_the_stack(small_hub: SmallReleases, tmp_path: Path) -> None:
    """No volume tells whose it is; init does."""
    outside = [f"outside-{uuid4().hex[:8]}" for _ in range(2)]
    ports = [free_port(), free_port()]
    try:
        for name, port in zip(outside, ports, strict=True):
            given = ("-e", "POSTGRES_USER=dnd_helper", "-e", f"POSTGRES_PASSWORD={PASSWORD}")
            published = ("-p", f"127.0.0.1:{port}:5432")
            docker("run", "-d", "--name", name, *given, *published, "postgres:16-alpine")
        with small_server(tmp_path, small_hub, PORT=str(ports[0])) as site:
            compose = yaml.safe_load((site.folder / "compose.yml").read_text())
            del compose["services"]["postgres"], compose["services"]["init"]["depends_on"]
            compose["services"]["init"]["network_mode"] = "host"
            compose["services"]["init"]["environment"] |= {
                "POSTGRES_HOST": "127.0.0.1",
                "POSTGRES_PORT": "${PORT}",
            }
            (site.folder / "compose.yml").write_text(yaml.safe_dump(compose))
            site.install()
            site.deploy()
            known = recorded(site, "database")
            site.setting(PORT=str(ports[1]))
            done = site.stack("deploy")
            assert done.returncode == REFUSED
            assert "no run of init has been in it" in done.stderr
            assert site.init("installation").stdout == "none\n"
            assert recorded(site, "database") == known
    finally:
        docker("rm", "-f", "-v", *outside)
