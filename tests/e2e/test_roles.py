"""Two roles in the database: the owner, which is init's, and the API's; the tests build on one another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import PASSWORD, Completed, Images, Stack, docker, run
from tests.support.releases import Poll, Revision

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROLE = "dnd_helper_api"
LOGGED = {"postgres": {"command": ["postgres", "-c", "log_connections=on"]}}
NOT_GRANTED = Revision(
    "0016", "0015", f"CREATE TABLE notes (id int PRIMARY KEY); REVOKE INSERT ON notes FROM {ROLE}"
)
AS_THE_API = """
import os, sys
from dnd_helper_api.settings import load
from sqlalchemy import create_engine, text
with create_engine(load(os.environ).database).connect() as connection:
    print(connection.execute(text(sys.argv[1])).scalar())
"""
SCRIPT = ("exec", "-T", "postgres", "sh", "/docker-entrypoint-initdb.d/roles.sh")


@pytest.fixture(scope="module", name="first")
def _first(stack: Stack) -> str:
    """Start on an empty server, with a database that logs connections; return init's log."""
    done = stack.up(stack.over("logged.yml", LOGGED))
    assert done.returncode == 0, done.stderr + stack.log("init")
    return stack.log("init")


@pytest.fixture(scope="module", name="next_image")
def _next_image(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield an image of init with one more revision."""
    folder: Path = tmp_path_factory.mktemp("next")
    (folder / "0016.py").write_text(NOT_GRANTED.text(), encoding="utf-8")
    lines = [
        f"FROM {images.init}",
        "USER root",
        "COPY 0016.py /app/migrations/versions/",
        "RUN compose-init record",
        "USER 10001:10001",
    ]
    (folder / "Dockerfile").write_text("\n".join(lines), encoding="utf-8")
    name = "localhost/roles-test/init:next"
    docker("build", "-q", "-t", name, str(folder))
    yield name
    run("docker", "image", "rm", name)


def as_the_api(stack: Stack, sql: str) -> Completed:
    """Run a query in the API's container, with the API's own settings."""
    return stack.compose("exec", "-T", "api", "python", "-c", AS_THE_API, sql)


def connected(stack: Stack, *words: str) -> set[str]:
    """Return the roles that have connected over the network, from PostgreSQL's log."""
    said = run("docker", "logs", *words, f"{stack.project}-postgres-1")
    lines = [line for line in (said.stdout + said.stderr).splitlines() if "authorized" in line]
    return {line.partition("user=")[2].split()[0] for line in lines if "[local]" not in line}


def test_the_api_is_not_the_owner(stack: Stack, first: str) -> None:
    """It connects as its own role, reads and writes, and changes no table; no secret of init's is there."""
    assert first
    assert as_the_api(stack, "SELECT current_user").stdout.strip() == ROLE
    assert as_the_api(stack, "SELECT count(*) FROM monsters").stdout.strip() == "46"
    for sql in (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE monsters ADD COLUMN mine int",
        "DROP TABLE spells",
        "CREATE SCHEMA mine",
        "UPDATE alembic_version SET version_num = '0001' RETURNING 1",
        "SELECT count(*) FROM compose_init.phase",
    ):
        refused = as_the_api(stack, sql)
        assert refused.returncode != 0
        assert "InsufficientPrivilege" in refused.stderr, refused.stderr
    [found] = json.loads(docker("inspect", f"{stack.project}-api-1"))
    assert [mount["Destination"] for mount in found["Mounts"]] == [
        "/run/secrets/application_password"
    ]
    assert PASSWORD not in json.dumps(found)


def test_the_temporary_api_is_not_the_owner_either(stack: Stack, first: str) -> None:
    """Before the real one has started, its role has connected: so a missing grant shows in init."""
    assert first
    before = ("--until", stack.state("api")["StartedAt"])
    assert connected(stack, *before) == {"dnd_helper", ROLE}


def test_the_database_has_not_seen_the_passwords(stack: Stack, first: str) -> None:
    """And no log has."""
    assert first
    everything = stack.compose("logs").stdout
    assert "roles.sh: dnd_helper_api reads and writes the data of dnd_helper" in everything
    assert PASSWORD not in everything
    assert "an0ther" not in everything


def test_a_table_that_is_not_granted(stack: Stack, first: str, next_image: str) -> None:
    """A run names it, with the GRANT that fixes it, while the old API serves every request; then it goes on."""
    assert first
    address = "http://" + stack.compose("port", "api", "8000").stdout.strip()
    started = stack.state("api")["StartedAt"]
    newer = stack.over("next.yml", {"init": {"image": next_image}})
    words = ("run", "--rm", "--no-deps", "-T", "init")
    with Poll(address) as poll:
        failed = stack.compose(*words, files=(newer,))
        again = stack.compose(*words, files=(newer,))
    fix = f"GRANT INSERT ON public.notes TO {ROLE};"
    for done in (failed, again):
        assert done.returncode == 77, done.stdout
        assert f"it has no INSERT on public.notes: {fix}" in done.stdout
    assert poll.answers
    assert poll.failures == []
    assert stack.state("api")["StartedAt"] == started
    plan = stack.compose(*words, "--plan", files=(newer,))
    assert plan.returncode == 77
    assert fix in plan.stdout
    stack.psql(fix)
    assert stack.compose(*words, files=(newer,)).returncode == 0
    assert as_the_api(stack, "INSERT INTO notes VALUES (1) RETURNING id").stdout.strip() == "1"
    assert stack.init().returncode == 0  # the older image: ahead


def test_an_installation_without_the_role(stack: Stack, first: str) -> None:
    """What is missing is said, and one command makes it, as docs/runbook.md has it."""
    assert first
    stack.compose("rm", "--stop", "--force", "api", "bot")
    stack.psql(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}; DROP TABLE notes")
    stack.psql("UPDATE alembic_version SET version_num = '0015'; DELETE FROM compose_init.phase")
    stack.psql("DELETE FROM compose_init.revision WHERE revision = '0016'")
    refused = stack.init()
    assert refused.returncode == 77
    assert f'it does not exist: CREATE ROLE \\"{ROLE}\\"' in refused.stdout
    done = stack.compose(*SCRIPT)
    assert done.returncode == 0, done.stderr
    up = stack.up("logged.yml")
    assert up.returncode == 0, up.stderr + stack.log("init")
    assert as_the_api(stack, "SELECT count(*) FROM monsters").stdout.strip() == "46"


def test_its_password_is_rotated(stack: Stack, first: str) -> None:
    """As docs/runbook.md has it: the file in place, the same command, and the API anew."""
    assert first
    path = stack.folder / "secrets" / "application_password"
    path.chmod(0o644)
    path.write_text("a-n3w-one\n", encoding="utf-8")  # the same file, so that containers see it
    path.chmod(0o444)
    before = stack.state("postgres")["StartedAt"]
    assert stack.compose(*SCRIPT).returncode == 0
    words = ("up", "-d", "--no-deps", "--force-recreate", "--wait", "api")
    up = stack.compose(*words, files=("logged.yml",))
    assert up.returncode == 0, up.stderr
    assert as_the_api(stack, "SELECT current_user").stdout.strip() == ROLE
    assert stack.state("postgres")["StartedAt"] == before
