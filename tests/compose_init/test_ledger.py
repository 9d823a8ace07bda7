"""The ledger over several versions of the program: upgraded by a run, left alone by an older one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from compose_init import ledger
from compose_seeder.reconcile.ledger_schema import FORMAT, prepare
from examples.postgres import Server
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


ESCAPED = {
    "LATIN1": "é \\u6f22 \\U0001f438",
    "EUC_JP": "é 漢 \\U0001f438",
    "SQL_ASCII": "\\xe9 \\u6f22 \\U0001f438",
}


@pytest.mark.parametrize("encoding", ESCAPED)
def test_a_report_in_another_encoding(server: Server, encoding: str) -> None:
    """A character that the database does not have is escaped, so that the run is recorded; inputs stay as they are."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS encoded")
        create = f"CREATE DATABASE encoded TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
        admin.execute(create.encode())
        with psycopg.connect(
            server.url("encoded"), autocommit=True, client_encoding="UTF8"
        ) as connection:
            prepare(connection)
            report = {"outcome": "failed", "exit_code": 65, "datasets": [{"name": "é 漢 🐸"}]}
            ledger.record_run(connection, 0, "1.0", report)
            found = connection.execute(
                "SELECT report #>> '{datasets,0,name}' FROM compose_init.run"
            )
            assert found.fetchall() == [(ESCAPED[encoding],)]
            ledger.record_phase(connection, "seed", {"é": "x"})
            found = connection.execute("SELECT inputs FROM compose_init.phase")
            assert found.fetchall() == [({"é": "x"},)]
        admin.execute("DROP DATABASE encoded")


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
