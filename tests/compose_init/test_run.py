"""A run as a whole: everything once, then nothing, and the way out when something is wrong."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from io import StringIO
from pathlib import Path

import psycopg
import pytest

from compose_init.cli.context import Context
from compose_init.settings import Settings
from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.programs import API, ROOT, Program, write_history

HEAVY = {"alembic", "sqlalchemy", "httpx", "pydantic", "msgspec", "rich", "tenacity", "obstore"}


def rows(program: Program, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        return connection.execute(query).fetchall()


def edit(program: Program, statement: str) -> None:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute(statement)


def seeds(program: Program) -> Path:
    return Path(program.environ["SEED_MANIFEST"]).parent


def next_transaction(program: Program) -> object:
    """Return the id of the server's next writing transaction."""
    return rows(program, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0][0]


def test_the_first_run_does_everything_and_the_next_nothing(example: Program) -> None:
    """Schema at head, every seed there, and an unchanged run begins no transaction that writes."""
    example = example.with_(API_COMMAND="python -m dnd_helper_api.main")
    report = seeds(example) / "report.json"
    first = example.with_(INIT_REPORT=str(report)).run()
    assert first.code == 0, first.said
    assert rows(example, "SELECT count(*) FROM monsters")[0][0] == 46
    assert rows(example, "SELECT count(*) FROM monster_translations")[0][0] == 92
    assert rows(example, "SELECT count(*) FROM enum_translations")[0][0] == 76
    document = json.loads(report.read_text())
    assert (document["outcome"], document["exit_code"]) == ("done", 0)
    assert [phase["name"] for phase in document["phases"]] == ["wait", "migrate", "seed"]
    assert len(document["migrations"]) == 15
    created = {dataset["name"]: dataset["created"] for dataset in document["datasets"]}
    assert created["monsters"] == 46
    assert not any(dataset["unconfirmed"] for dataset in document["datasets"])

    # Without the report the settings are others, which are left in the ledger.
    assert example.run().names() == ["nothing to do"]
    before = next_transaction(example)
    again = example.run()
    assert (again.code, again.names()) == (0, ["nothing to do"])
    assert next_transaction(example) == before


def test_an_unchanged_run_imports_nothing_heavy_and_asks_one_query(
    seeded: Program, tmp_path: Path
) -> None:
    """One connection, one query, no lock, and no Alembic, SQLAlchemy or HTTP client."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        f"atexit.register(lambda: open({str(tmp_path / 'modules')!r}, 'w').write(' '.join(sys.modules)))\n"
    )
    watched = seeded.with_(PYTHONPATH=f"{tmp_path}:{ROOT}:{API}")
    assert watched.run().code == 0
    edit(seeded, "SELECT pg_stat_reset()")
    with psycopg.connect(seeded.environ["DATABASE_URL"], autocommit=True) as watcher:
        watcher.execute("ALTER SYSTEM SET log_statement = 'all'")
        watcher.execute("ALTER SYSTEM SET log_connections = on")
        watcher.execute("SELECT pg_reload_conf()")
        log = Path(str(watcher.execute("SHOW data_directory").fetchone()[0])).parent / "log"  # type: ignore[index]
        start = log.stat().st_size
        try:
            run = watched.run()
        finally:
            watcher.execute("ALTER SYSTEM RESET ALL")
            watcher.execute("SELECT pg_reload_conf()")
    assert run.names() == ["nothing to do"]
    loaded = {name.partition(".")[0] for name in (tmp_path / "modules").read_text().split()}
    assert not HEAVY & loaded
    assert "psycopg" in loaded
    name = seeded.environ["DATABASE_URL"].rpartition("/")[2]
    said = log.read_bytes()[start:].decode()
    assert said.count(f"database={name}") == 1
    ours = [
        line for line in said.splitlines() if "statement:" in line and "pg_reload_conf" not in line
    ]
    assert len([line for line in ours if "ALTER SYSTEM" not in line]) == 1, ours


def test_a_seed_edit_brings_exactly_that_change(seeded: Program) -> None:
    """One field of one record and one label; nothing else is written, in any table."""
    marks = (
        "SELECT 'm', slug, xmin::text FROM monsters"
        " UNION ALL SELECT 'e', id::text, xmin::text FROM enum_translations"
    )
    before = set(rows(seeded, marks))
    monsters = seeds(seeded) / "seed_data_monsters.json"
    document = json.loads(monsters.read_text())
    goblin = next(monster for monster in document["monsters"] if monster["slug"] == "goblin")
    goblin["hp"] += 5
    monsters.write_text(json.dumps(document))
    enums = seeds(seeded) / "seed_data_enums.json"
    document = json.loads(enums.read_text())
    document["enum_translations"][3]["label"] = "Changed"
    enums.write_text(json.dumps(document))

    plan = seeded.run("--plan", "--output", "json")
    assert plan.code == 2
    planned = json.loads(plan.out)
    assert {d["name"]: d["update"] for d in planned["datasets"] if d["update"]} == {
        "monsters": 1,
        "enum-translations": 1,
    }
    (change,) = next(d for d in planned["datasets"] if d["name"] == "monsters")["records"]
    assert change["key"] == {"slug": "goblin"}
    assert change["fields"]["hp"]["desired"] == goblin["hp"]
    assert set(rows(seeded, marks)) == before

    run = seeded.run("--output", "json")
    assert run.code == 0, run.said
    updated = {d["name"]: d["updated"] for d in json.loads(run.out)["datasets"] if d["updated"]}
    assert updated == {"monsters": 1, "enum-translations": 1}
    assert len(set(rows(seeded, marks)) - before) == 2
    assert rows(seeded, "SELECT hp FROM monsters WHERE slug = 'goblin'") == [(goblin["hp"],)]
    assert seeded.run("--plan").code == 0


def test_a_hand_edit_survives(seeded: Program) -> None:
    """With on_drift = keep, an edited field stays while the seed changes another record."""
    edit(seeded, "UPDATE monsters SET hp = 1000 WHERE slug = 'goblin'")
    seen = seeded.run("--plan", "--verify")
    assert (seen.code, "edited by hand" in seen.out) == (0, True)
    monsters = seeds(seeded) / "seed_data_monsters.json"
    monsters.write_text(monsters.read_text().replace('"hp": 7,', '"hp": 8,', 1))
    assert seeded.run().code == 0
    assert rows(seeded, "SELECT hp FROM monsters WHERE slug = 'goblin'") == [(1000,)]


def test_one_phase_and_one_dataset(example: Program) -> None:
    """--migrate-only seeds nothing; --seed-only and --dataset seed what they say."""
    assert example.run("--wait-only").code == 0
    assert rows(example, "SELECT to_regclass('alembic_version')") == [(None,)]
    assert example.run("--migrate-only").code == 0
    assert rows(example, "SELECT count(*) FROM habitats") == [(0,)]
    assert example.run("--migrate-only").names() == ["nothing to do"]
    assert example.run("--dataset", "habitats").code == 0
    assert example.run("--dataset", "habitats").names() == ["nothing to do"]
    assert rows(example, "SELECT count(*) FROM habitats") == [(13,)]
    assert rows(example, "SELECT count(*) FROM enum_translations") == [(0,)]
    assert example.run("--seed-only").code == 0
    assert rows(example, "SELECT count(*) FROM spells") == [(46,)]
    assert example.run("--dataset", "habitats").names() == ["nothing to do"]
    assert example.run("--seed-only").names() == ["nothing to do"]
    assert example.run("--dataset", "habitats", "--seed-only").code == 0
    assert example.run("--seed-only").names() == ["nothing to do"]
    assert example.run().names() == ["nothing to do"]


def test_a_plan_shows_as_much_as_one_wants(migrated: Program) -> None:
    """Twenty records of a dataset, or as many as --limit says, and how many there are more."""
    some = ("--plan", "--dataset", "enum-translations")
    marked = "\n    + "
    text = migrated.run(*some).out
    assert (text.count(marked), "and 56 more; --limit all shows them" in text) == (20, True)
    text = migrated.run(*some, "--limit", "5").out
    assert (text.count(marked), "and 71 more" in text) == (5, True)
    text = migrated.run(*some, "--limit", "all").out
    assert (text.count(marked), "more" in text) == (76, False)
    text = migrated.run(*some, "--limit", "76").out
    assert (text.count(marked), "more" in text) == (76, False)
    for limit, count in (("5", 5), ("all", 76)):
        [planned] = json.loads(migrated.run(*some, "--output", "json", "--limit", limit).out)[
            "datasets"
        ]
        assert (len(planned["records"]), planned["create"]) == (count, 76)


def test_a_plan_of_an_empty_database_changes_nothing(example: Program) -> None:
    """Pending revisions and what they make room for; not even the ledger is created."""
    plan = example.run("--plan")
    assert plan.code == 2
    assert "0015" in plan.out
    assert "46 created" in plan.out
    assert rows(example, "SELECT count(*) FROM pg_namespace WHERE nspname = 'compose_init'") == [
        (0,)
    ]
    assert rows(example, "SELECT to_regclass('alembic_version')") == [(None,)]


def test_status_tells_where_everything_is(example: Program, seeded: Program) -> None:
    """Of a database that is empty, and of one at head, with datasets and runs."""
    status = example.run("status", "--output", "json")
    database = json.loads(status.out)["database"]
    lineage = database.pop("lineage")
    assert database == {
        "version_table": "public.alembic_version",
        "revisions": [],
        "heads": ["0015"],
        "state": "empty",
    }
    assert [(entry["revision"], entry["state"]) for entry in lineage[:1]] == [("0001", "pending")]
    found = json.loads(seeded.run("status", "--output", "json").out)
    assert found["database"]["state"] == "at head"
    assert {entry["state"] for entry in found["database"]["lineage"]} == {"applied"}
    assert {d["name"]: d["records"] for d in found["datasets"]}["monsters"] == 46
    assert [run["outcome"] for run in found["runs"]] == ["done"]
    assert "at head" in seeded.run("status").out


def test_check_needs_no_database(example: Program) -> None:
    """Offline, for CI: every fault of every file at once, with its exit code."""
    offline = Program(
        {k: v for k, v in example.environ.items() if k != "DATABASE_URL"}, example.folder
    )
    assert offline.run("check").code == 0
    monsters = seeds(example) / "seed_data_monsters.json"
    monsters.write_text(monsters.read_text().replace('"slug": "goblin"', '"slug": null', 1))
    (seeds(example) / "seed_data_enums.json").write_text('{"enum_translations": [{]}')
    checked = offline.run("check")
    assert checked.code == 65
    assert "seed_data_enums.json:1:25" in checked.said
    assert "field slug" in checked.said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--wait-only", "--migrate-only"], "not allowed with"),
        (["--nonsense"], "unrecognized arguments"),
        (["status", "--revision", "x"], "unrecognized arguments"),
        (["--migrate-only", "--dataset", "x"], "exclude each other"),
        (["--limit", "5"], "--limit is for --plan"),
        (["--plan", "--limit", "few"], "takes a number or all, found 'few'"),
        (["probe"], "the following arguments are required: URL"),
    ],
)
def test_a_wrong_command_line(program: Program, arguments: list[str], said: str) -> None:
    """Exit code 78, never 2, which means that a plan found changes."""
    run = program.run(*arguments)
    assert run.code == 78
    assert said in run.said


def test_help_can_be_read(program: Program) -> None:
    """All calls, all exit codes."""
    run = program.run("--help")
    assert run.code == 0
    assert "--seed-only" in run.out


def test_an_unknown_dataset(migrated: Program) -> None:
    """The nearest name is suggested; nothing is seeded."""
    run = migrated.run("--dataset", "monster")
    assert run.code == 78
    assert "there is no dataset monster (did you mean monsters?)" in run.said


def test_a_broken_seed_file(example: Program) -> None:
    """65, with file, line and column; what was seeded before stays, and the next run goes on."""
    enums = seeds(example) / "seed_data_enums.json"
    whole = enums.read_text()
    enums.write_text(whole.replace("},", "}", 1))
    run = example.run()
    assert run.code == 65
    assert "seed_data_enums.json:" in run.said
    assert "Traceback" not in run.said
    enums.write_text(whole)
    assert example.run().code == 0


def test_nothing_to_migrate_or_seed(program: Program) -> None:
    """Without migrations and manifest a run waits for PostgreSQL, and that is all."""
    run = program.run()
    assert (run.code, run.names()) == (0, ["nothing to do"])
    assert program.run("--migrate-only").code == 78
    assert program.run("--seed-only").code == 78


def test_failed_runs_are_reported(program: Program, tmp_path: Path) -> None:
    """INIT_REPORT, the document on stdout and the ledger say that it failed, and why."""
    history = write_history(
        tmp_path, {"a": "op.execute('CREATE TABLE t ()')", "b": "op.execute('nonsense')"}
    )
    report = tmp_path / "report.json"
    failing = program.with_(ALEMBIC_CONFIG=str(history), INIT_REPORT=str(report))
    run = failing.run("--output", "json")
    assert run.code == 70
    document = json.loads(report.read_text())
    assert json.loads(run.out) == document
    assert (document["outcome"], document["exit_code"]) == ("failed", 70)
    assert "revision b" in document["error"]
    assert [m["revision"] for m in document["migrations"]] == ["a"]
    (last,) = json.loads(failing.run("status", "--output", "json").out)["runs"]
    assert (last["outcome"], last["exit_code"]) == ("failed", 70)


def test_a_defect_keeps_its_traceback(program: Program, tmp_path: Path) -> None:
    """What nobody expected exits 1 with the traceback, in one line, without the password."""
    (tmp_path / "sitecustomize.py").write_text(
        "import compose_init.run\n"
        "def broken(self): raise ZeroDivisionError('with ' + self.settings.database.url)\n"
        "compose_init.run.Run.execute = broken\n"
    )
    password = "p%40ss%3Aw%2Frd"
    run = program.with_(PYTHONPATH=f"{tmp_path}:{ROOT}").run()
    assert run.code == 1
    (event,) = [event for event in run.events if event["level"] == "error"]
    assert "ZeroDivisionError" in event["exception"]
    assert password not in run.said
    assert sys.version_info >= (3, 11)


def test_files_put_back_after_a_failure_are_not_taken_for_done(
    program: Program, tmp_path: Path
) -> None:
    """A run that failed half-way has changed what the last complete run left."""
    (tmp_path / "seeds.toml").write_text(
        '[[dataset]]\nname = "a"\nsource = "a.json"\ntable = "a"\nkey = ["id"]\n'
        '[[dataset]]\nname = "b"\nsource = "b.json"\ntable = "b"\nkey = ["id"]\n'
    )
    edit(program, "CREATE TABLE a (id int, v int); CREATE TABLE b (id int)")
    (tmp_path / "a.json").write_text('[{"id": 1, "v": 1}]')
    (tmp_path / "b.json").write_text('[{"id": 1}]')
    seeding = program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml"))
    assert seeding.run().code == 0
    (tmp_path / "a.json").write_text('[{"id": 1, "v": 2}]')
    (tmp_path / "b.json").write_text('[{"id": }]')
    assert seeding.run().code == 65
    assert rows(seeding, "SELECT v FROM a") == [(2,)]
    (tmp_path / "a.json").write_text('[{"id": 1, "v": 1}]')
    (tmp_path / "b.json").write_text('[{"id": 1}]')
    assert seeding.run().code == 0
    assert rows(seeding, "SELECT v FROM a") == [(1,)]
    assert seeding.run().names() == ["nothing to do"]


@pytest.mark.parametrize("what", ["migrating", "seeding"])
def test_a_lost_connection(program: Program, tmp_path: Path, what: str) -> None:
    """75 with "run again", not a traceback; nothing half-done stays."""
    if what == "migrating":
        config = write_history(tmp_path, {"a": "op.execute('SELECT pg_sleep(60)')"})
        slow = program.with_(ALEMBIC_CONFIG=str(config))
    else:
        (tmp_path / "seeds.toml").write_text(
            '[[dataset]]\nname = "v"\nsource = "v.json"\ntable = "v"\nkey = ["id"]\n'
        )
        (tmp_path / "v.json").write_text('[{"id": 1}]')
        edit(
            program,
            "CREATE TABLE v (id int); CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';"
            " CREATE TRIGGER slow BEFORE INSERT ON v FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        slow = program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml"))
    sleeping = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with slow.start() as process:
        deadline = time.monotonic() + 30
        while not rows(slow, sleeping):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        edit(
            slow,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        out, err = process.communicate(timeout=30)
    assert process.returncode == 75, out + err
    assert "run again" in out + err
    assert "Traceback" not in out + err


def test_a_phase_with_nothing_to_do_is_skipped(seeded: Program) -> None:
    """A seed edit does not cost the import of Alembic."""
    assert seeded.run().code == 0  # its environment is not that of the run before
    path = seeds(seeded) / "seed_data_habitats.json"
    path.write_text(path.read_text() + "\n")
    assert [e.get("phase") for e in seeded.run().events if e["event"] == "phase"] == ["seed"]


def test_a_variable_that_seeds_name(program: Program, tmp_path: Path) -> None:
    """Its value goes into the table; when it alone changes, the next run is not an unchanged one."""
    (tmp_path / "seeds.toml").write_text(
        '[[dataset]]\nname = "contacts"\nsource = "contacts.json"\ntable = "contacts"\nkey = ["slug"]\n'
        'env = ["OWNER"]\n'
    )
    (tmp_path / "contacts.json").write_text('[{"slug": "owner", "name": "${env:OWNER}"}]')
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE contacts (slug text, name text)")
    program = program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml"))

    def name() -> object:
        with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
            return connection.execute("SELECT name FROM contacts").fetchall()

    lacking = program.run()
    assert lacking.code == 78
    assert "dataset contacts: env names OWNER, which the environment does not have" in lacking.said
    assert program.with_(OWNER="ann").run().code == 0
    assert name() == [("ann",)]
    assert program.with_(OWNER="ann").run().names() == ["nothing to do"]
    (tmp_path / "owner").write_text("bob\n")
    assert program.with_(OWNER_FILE=str(tmp_path / "owner")).run().code == 0
    assert name() == [("bob",)]
    assert program.run().code == 78


def test_faults_of_the_settings_leave_stdout_to_the_document(program: Program) -> None:
    """Whoever reads a plan or a status from stdout finds a document there, or nothing."""
    wrong = program.with_(LOG_LEVEL="loud", LOG_SERVICE_NAME="init-shop")
    for call in (("--plan",), ("--output", "json"), ("status",), ("check", "--output", "json")):
        run = wrong.run(*call)
        assert (run.code, run.out) == (78, ""), run.said
        assert "LOG_LEVEL" in run.err
        assert run.events[0]["service"] == "init-shop"


def test_a_report_that_cannot_be_written_hides_nothing(program: Program, tmp_path: Path) -> None:
    """A full disk, say: the run is what it was; a name that is too long stands for it."""
    run = program.with_(INIT_REPORT=str(tmp_path / ("x" * 255))).run()
    assert run.code == 0, run.said
    assert run.names() == ["the report cannot be written", "nothing to do"]


def test_a_document_is_masked_before_it_is_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret with a quote has an escape in JSON, and one of digits must not spoil a number."""
    monkeypatch.setattr("sys.__stdout__", out := StringIO())
    settings = Settings(database=None, secrets=('say "abc"', "1111"))
    context = Context(Namespace(), settings, sys.stderr)
    context.print_json({"live": 'I say "abc"', "create": 11112})
    assert json.loads(out.getvalue()) == {"live": "I ***", "create": 11112}


@pytest.mark.parametrize("call", [("--plan",), ("status",), ()])
def test_what_an_application_prints_is_no_part_of_a_document(
    program: Program, tmp_path: Path, call: tuple[str, ...]
) -> None:
    """An env.py and revisions may print what they like."""
    ini = write_history(tmp_path, {"0001": "print('upgrading')"}, env=f"print('online')\n{SYNC}")
    run = program.with_(ALEMBIC_CONFIG=str(ini)).run(*call, "--output", "json")
    assert run.code in {0, 2}, run.said
    assert json.loads(run.out)
    assert "online" in run.err


def test_a_manifest_without_datasets_is_one(program: Program, tmp_path: Path) -> None:
    """`check` does not say that there is none."""
    (tmp_path / "seeds.toml").write_text("")
    said = program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml")).run("check").out
    assert said == "settings, manifest and seed files are fine\n"


@pytest.mark.parametrize(
    "call",
    [
        ("check", "--compose-file", "compose.yml"),
        ("wait", "--revision", ""),
        ("probe", "http://127.0.0.1:9", "--timeout", "nan"),
    ],
)
def test_words_that_mean_nothing_are_refused(program: Program, call: tuple[str, ...]) -> None:
    """Left aside, they would be taken for something else, or wait without end."""
    run = program.run(*call, timeout=30)
    assert run.code == 78, run.said
    assert "the command line is wrong" in run.said


@pytest.mark.parametrize("arguments", [[], ["--plan"]])
def test_a_database_that_is_read_only(database: str, tmp_path: Path, arguments: list[str]) -> None:
    """It has gone away for a run, as in a failover; that is no defect."""
    (tmp_path / "seeds.toml").write_text(
        '[[dataset]]\nname = "x"\nsource = "x.json"\ntable = "x"\nkey = ["slug"]\n'
    )
    (tmp_path / "x.json").write_text("[]")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE x (slug text)")
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    manifest = str(tmp_path / "seeds.toml")
    program = Program({"DATABASE_URL": database, "SEED_MANIFEST": manifest}, tmp_path)
    finished = program.run(*arguments)
    assert finished.code == 75, finished.said
    assert "is read-only" in finished.said
