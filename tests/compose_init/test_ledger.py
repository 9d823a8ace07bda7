"""The ledger over several versions of the program: upgraded by a run, left alone by an older one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from compose_seeder.reconcile.ledger_schema import FORMAT
from tests.support.ledgers import DUMPS, restore
from tests.support.programs import Program, write_history
from tests.support.small_api import Api, serving

MANIFEST = """
[[dataset]]
name = "places"
source = "places.json"
table = "places"
key = ["slug"]

[[dataset]]
name = "things"
source = "things.json"
endpoint = "/things"
key = ["slug"]
[dataset.http]
list = "GET /things"
confirm = "GET /things/{live.id}"
create = "POST /things"
update = "PUT /things/{live.id}"
"""
TABLE = "op.execute('CREATE TABLE places (slug text PRIMARY KEY, name text)')"
PLACES = [{"slug": "arctic", "name": "Arctic"}, {"slug": "coast", "name": None}, {"slug": "desert"}]
THINGS = [{"slug": "a", "v": 10}, {"slug": "b", "v": 25}]
APPLICATION = """
CREATE TABLE places (slug text PRIMARY KEY, name text);
INSERT INTO places VALUES ('arctic', 'Arctic'), ('coast', NULL), ('desert', NULL);
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
"""


@pytest.fixture
def seeded(program: Program, tmp_path: Path) -> Iterator[Program]:
    """Yield the application of the dumps, in its state before them; its API keeps tens."""
    (tmp_path / "seeds.toml").write_text(MANIFEST)
    (tmp_path / "places.json").write_text(json.dumps(PLACES))
    (tmp_path / "things.json").write_text(json.dumps(THINGS))
    api = Api()
    api.habit = lambda record: {**record, "v": record["v"] // 10 * 10}
    api.add(slug="a", v=10)
    api.add(slug="b", v=20)
    with serving(api) as client:
        yield program.with_(
            ALEMBIC_CONFIG=str(write_history(tmp_path, {"0001": TABLE})),
            SEED_MANIFEST=str(tmp_path / "seeds.toml"),
            API_BASE_URL=str(client.base_url),
            API_HEALTH_PATH="/things",
        )


@pytest.mark.parametrize("number", DUMPS)
def test_a_ledger_of_an_earlier_format(
    seeded: Program, connection: psycopg.Connection, number: int
) -> None:
    """A plan reads it and leaves it, a run upgrades it: both find nothing to change."""
    connection.execute(APPLICATION)
    restore(connection, number)
    assert "applied" in seeded.run("status").out
    plan = seeded.run("--plan", "--verify")
    assert plan.code == 0, plan.said
    assert connection.execute("SELECT version FROM compose_init.format").fetchall() == [(number,)]
    run = seeded.run("--verify", "--output", "json")
    assert run.code == 0, run.said
    assert connection.execute("SELECT version FROM compose_init.format").fetchall() == [(FORMAT,)]
    for dataset, records in zip(json.loads(run.out)["datasets"], (3, 2), strict=True):
        assert dataset["unchanged"] == records
        assert (dataset["created"], dataset["updated"], dataset["drifted"]) == (0, 0, 0)
    assert seeded.run().names() == ["nothing to do"]


def test_a_ledger_of_a_later_format(seeded: Program, connection: psycopg.Connection) -> None:
    """78 before anything is changed, and no word of a defect."""
    assert seeded.run().code == 0
    connection.execute("UPDATE compose_init.format SET version = 99")
    for call in ((), ("--seed-only",), ("--plan",), ("--migrate-only",)):
        again = seeded.with_(
            ALEMBIC_CONFIG=str(write_history(seeded.folder, {"0001": TABLE, "0002": "pass"}))
        )
        run = again.run("--verify", *call) if call != ("--migrate-only",) else again.run(*call)
        assert run.code == 78, run.said
        assert "a newer version of compose-init wrote it" in run.said
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]


def test_a_rollback_over_a_later_format(seeded: Program, connection: psycopg.Connection) -> None:
    """An older image of the application may have an older compose-init: it says that the database is ahead."""
    newer = write_history(seeded.folder / "newer", {"0001": TABLE, "0002": "pass"})
    assert seeded.with_(ALEMBIC_CONFIG=str(newer)).run().code == 0
    connection.execute("UPDATE compose_init.format SET version = 99")
    run = seeded.run("--verify")
    assert run.code == 0, run.said
    assert "the database is ahead of this image" in run.said
