"""The stack of compose.prod.example.yml, from an empty server on; the tests build on one another."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.support.docker import PASSWORD, SEEDS, Completed, Stack, docker, eventually, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TABLES = {"habitats": "habitats", "enum_translations": "enums", "ui_translations": "ui"}
RECORDS = ("monster", "spell")
HEALTHY = ("postgres", "redis", "api", "bot")


def expected() -> dict[str, int]:
    """Count the rows that the seed files make, by table."""
    counts = {}
    for table, file in TABLES.items():
        document = json.loads((SEEDS / f"seed_data_{file}.json").read_text(encoding="utf-8"))
        counts[table] = len(document[table] if isinstance(document, dict) else document)
    for kind in RECORDS:
        document = json.loads((SEEDS / f"seed_data_{kind}s.json").read_text(encoding="utf-8"))
        counts[f"{kind}s"] = len(document[f"{kind}s"])
        counts[f"{kind}_translations"] = len(document[f"{kind}_translations"])
    return counts


def edit_monster(stack: Stack, slug: str, **changes: Any) -> None:
    """Edit one monster of the seed file."""
    path = stack.folder / "seeds" / "seed_data_monsters.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    [monster] = [each for each in document["monsters"] if each["slug"] == slug]
    monster.update(changes)
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")


def edit_label(stack: Stack, label: str) -> dict[str, Any]:
    """Edit the first enum's label; return the record as it was."""
    path = stack.folder / "seeds" / "seed_data_enums.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    first: dict[str, Any] = dict(document["enum_translations"][0])
    document["enum_translations"][0]["label"] = label
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")
    return first


@pytest.fixture(scope="module", name="first")
def _first(stack: Stack) -> Completed:
    """Start on an empty server."""
    return stack.up()


def test_an_empty_server_starts_with_one_command(stack: Stack, first: Completed) -> None:
    """Exit 0, and everything is healthy."""
    assert first.returncode == 0, first.stderr + stack.log("init") + stack.log("bot")
    for service in HEALTHY:
        assert stack.state(service)["Health"]["Status"] == "healthy"
    assert stack.state("init")["ExitCode"] == 0
    assert "Traceback" not in stack.log("init")


def test_every_seed_is_there(stack: Stack, first: Completed) -> None:
    """As many rows as the files have records, children included."""
    assert first.returncode == 0
    found = {table: len(rows) for table, rows in stack.tables().items()}
    assert found.items() >= expected().items()


def test_api_and_bot_started_after_init_had_finished(stack: Stack, first: Completed) -> None:
    """And init after PostgreSQL."""
    assert first.returncode == 0
    finished = stack.state("init")["FinishedAt"]
    assert stack.state("postgres")["StartedAt"] < stack.state("init")["StartedAt"] < finished
    assert finished < stack.state("api")["StartedAt"] < stack.state("bot")["StartedAt"]


def test_the_containers_are_hardened(stack: Stack, first: Completed) -> None:
    """No root, no capability, no writing; no port but the API's, on loopback alone."""
    assert first.returncode == 0
    for service in ("postgres", "redis", "init", "api", "bot"):
        [found] = json.loads(docker("inspect", f"{stack.project}-{service}-1"))
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0
        assert host["Memory"] <= 512 * 2**20
        assert found["Config"]["User"] not in {"", "root", "0"}
        assert PASSWORD not in json.dumps(found)
        ports = [each for bound in (host["PortBindings"] or {}).values() for each in bound]
        assert [each["HostIp"] for each in ports] == (["127.0.0.1"] if service == "api" else [])
    for service in ("postgres", "redis", "api", "bot"):
        status = stack.compose("exec", "-T", service, "cat", "/proc/1/status").stdout
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status


def test_the_second_start_writes_nothing(stack: Stack, first: Completed) -> None:
    """No transaction gets a number, so that none has written; init says so and exits 0."""
    assert first.returncode == 0
    stack.psql("ALTER SYSTEM SET autovacuum = off")  # it would write by itself
    stack.psql("SELECT pg_reload_conf()")
    running = "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'autovacuum'"
    eventually("the end of autovacuum", lambda: stack.psql(running) == "0")
    next_transaction = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
    before, api = stack.psql(next_transaction), stack.state("api")["StartedAt"]
    again = stack.up()
    assert again.returncode == 0, again.stderr
    assert stack.psql(next_transaction) == before
    assert stack.state("init")["ExitCode"] == 0
    assert "nothing to do" in stack.log("init")
    assert stack.state("api")["StartedAt"] == api


def test_run_with_words(stack: Stack, first: Completed) -> None:
    """`run --rm init --seed-only`, `--plan` and `status` do what they say."""
    assert first.returncode == 0
    assert stack.init("--seed-only").returncode == 0
    plan = stack.init("--plan")
    assert plan.returncode == 0
    assert plan.stdout.strip() == "nothing would change"
    status = stack.init("status", "--output", "json")
    assert json.loads(status.stdout)["database"]["state"] == "at head"


def test_an_edited_seed_comes_with_the_next_start(stack: Stack, first: Completed) -> None:
    """Exactly that change, in a table and through the API; before it, the plan says so."""
    assert first.returncode == 0
    before = stack.tables()
    edit_monster(stack, "goblin", hp=9)
    label = edit_label(stack, "Handmade")
    plan = stack.init("--plan", "--output", "json")
    assert plan.returncode == 2, plan.stderr
    planned = {each["name"]: each for each in json.loads(plan.stdout)["datasets"]}
    assert planned["monsters"]["update"] == planned["enum-translations"]["update"] == 1
    assert stack.tables() == before
    assert stack.up().returncode == 0, stack.log("init")
    changes = {
        (table, key, field): value
        for table, rows in stack.tables().items()
        for key, row in rows.items()
        for field, value in row.items()
        if before[table].get(key, {}).get(field) != value and field != "updated_at"
    }
    goblin = next(k for k, row in before["monsters"].items() if row["slug"] == "goblin")
    edited = next(
        k
        for k, row in before["enum_translations"].items()
        if all(row[name] == label[name] for name in ("enum_type", "enum_value", "lang"))
    )
    assert changes == {
        ("monsters", goblin, "hp"): 9,
        ("enum_translations", edited, "label"): "Handmade",
    }


def test_a_deploy_tries_first(stack: Stack, first: Completed) -> None:
    """`run --rm --no-deps init` fails with the old containers still serving."""
    assert first.returncode == 0
    stack.edit("seed_data_habitats.json", syntax=("[", "[,"))
    try:
        tried = stack.init()
    finally:
        stack.seeds_as_shipped()
    assert tried.returncode == 65
    assert stack.state("api")["Health"]["Status"] == "healthy"


def break_seed(stack: Stack) -> dict[str, str]:
    stack.edit("seed_data_habitats.json", syntax=("\n", '\n  {"slug": "x" "name": 1},\n'))
    return {}


def break_password(stack: Stack) -> dict[str, str]:
    stack.secret("postgres_password", "another one")
    return {}


def break_address(stack: Stack) -> dict[str, str]:
    del stack
    return {"POSTGRES_HOST": "nowhere", "INIT_DATABASE_TIMEOUT": "2"}


def break_api(stack: Stack) -> dict[str, str]:
    edit_monster(stack, "goblin", hp=11)
    return {"API_COMMAND": "python -c \"print('my last words'); exit(3)\""}


@pytest.mark.parametrize(
    ("cause", "code", "words"),
    [
        (break_seed, 65, ["seed_data_habitats.json:2:"]),
        (break_password, 77, ["password", "dnd_helper"]),
        (break_address, 69, ["nowhere", "2 s"]),
        (break_api, 69, ["my last words", "exit code 3"]),
    ],
    ids=["broken-seed", "wrong-password", "unreachable-database", "api-dies"],
)
def test_what_fails_is_said_and_nothing_starts(
    stack: Stack, first: Completed, cause: Any, code: int, words: list[str]
) -> None:
    """The right exit code, a message that says what and where, and neither API nor bot."""
    assert first.returncode == 0
    stack.compose("rm", "--stop", "--force", "init", "api", "bot")
    try:
        file = stack.over("broken.yml", {"init": {"environment": cause(stack)}})
        failed = stack.up(file)
        said = stack.log("init")
        assert failed.returncode != 0
        assert stack.state("init")["ExitCode"] == code, said
        assert stack.state("api")["Status"] in {"created", "absent"}
        assert stack.state("bot")["Status"] in {"created", "absent"}
    finally:
        stack.secret("postgres_password", PASSWORD)
        stack.seeds_as_shipped()
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert PASSWORD not in said
    assert "another one" not in said


def start(stack: Stack, **environment: str) -> str:
    """Start only init, in the background; return its container."""
    named = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
    done = stack.compose("run", "--detach", "--no-deps", *named, "init")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def stop(container: str) -> tuple[int, str]:
    """Stop a container as Compose does; return its exit code (137 if it had to be killed) and its log."""
    docker("stop", "--time", "120", container)
    code = int(docker("wait", container))
    log = run("docker", "logs", container).stdout
    docker("rm", container)
    return code, log


def test_sigterm_while_waiting(stack: Stack, first: Completed) -> None:
    """143 before the wait is over."""
    assert first.returncode == 0
    container = start(stack, POSTGRES_HOST="nowhere", INIT_DATABASE_TIMEOUT="600")
    eventually("waiting", lambda: "waiting for PostgreSQL" in docker("logs", container))
    code, _ = stop(container)
    assert code == 143


def test_sigterm_while_seeding(stack: Stack, first: Completed) -> None:
    """In the middle of a request: 143, the lock is free, the next run does what is left."""
    assert first.returncode == 0
    edit_monster(stack, "goblin", hp=13)
    block = "BEGIN; LOCK TABLE monsters IN EXCLUSIVE MODE; SELECT pg_sleep(600)"
    blocker = threading.Thread(target=lambda: stack.compose(*psql(block)))
    blocker.start()
    held = "SELECT count(*) FROM pg_locks WHERE {}"
    try:
        exclusive = held.format("mode = 'ExclusiveLock' AND relation = 'monsters'::regclass")
        eventually("the table's lock", lambda: stack.psql(exclusive) == "1")
        container = start(stack)
        waiting = held.format("NOT granted AND relation = 'monsters'::regclass")
        eventually("a request that waits", lambda: stack.psql(waiting) == "1")
        code, said = stop(container)
        assert code == 143, said
        assert blocker.is_alive()  # the request was still waiting
        assert stack.psql(held.format("locktype = 'advisory'")) == "0"
    finally:
        stack.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^BEGIN'")
        blocker.join()
    assert stack.init().returncode == 0
    assert stack.psql("SELECT hp FROM monsters WHERE slug = 'goblin'") == "13"


def psql(sql: str) -> tuple[str, ...]:
    """Return the arguments of `docker compose exec … psql`."""
    login = ("-h", "127.0.0.1", "-U", "dnd_helper", "-d", "dnd_helper")
    environment = ("-e", f"PGPASSWORD={PASSWORD}")
    return ("exec", "-T", *environment, "postgres", "psql", *login, "-c", sql)
