"""Broken inputs, each with the message that it must get (`corpus/*.toml`), and nothing is written.

A case has a `name`, what it is made of, the exit `code`, and what is said, to the letter (`says`).
The manifest's folder stands as FOLDER in it.

    columns, sql, rows   of the table `things` beside its `slug`; before it; after it
    records, files       of things.json; or files by name; or `made` by what TOML cannot hold
    options, key, source of the dataset; or a `manifest` of its own
    role                 what somebody who seeds may do; the owner by default
    check                `compose-init check` says the same, without a database
    plan                 false where only the write itself can tell
    database             false where only `check` tells
"""

from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from compose_seeder import Options, check, seed
from compose_seeder.errors import SeedError
from compose_seeder.sources import Sources
from tests.support.seed_folder import Connection

Case = dict[str, Any]

CASES: list[Case] = [
    case
    for path in sorted((Path(__file__).parent / "corpus").glob("*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]

GOOD = b'[{"slug": "a"}, {"slug": "b"}]'

MADE: dict[str, Callable[[], bytes]] = {
    "deep": lambda: b'[{"slug": ' + b"[" * 5000 + b"]" * 5000 + b"}]",
    "deep, and twice": lambda: (
        b'[{"slug": "a", "extra": ' + b'{"x": ' * 800 + b'{"y": 1, "y": 2}' + b"}" * 800 + b"}]"
    ),
    "latin-1": lambda: b"[\n" + '{"slug": "é"}]'.encode("latin-1"),
    "gzip cut off": lambda: gzip.compress(GOOD)[:-6],
    "gzip damaged": lambda: gzip.compress(GOOD)[:-8] + b"\xff" * 8,
    "gzip bomb": lambda: gzip.compress(b" " * (3 << 20)),
    "zstd cut off": lambda: zstandard.ZstdCompressor().compress(GOOD)[:-3],
    "zstd damaged": lambda: b"\x28\xb5\x2f\xfd" + b"\xff" * 40,
    "many": lambda: json.dumps([{"slug": f"s{n}", "n": "x"} for n in range(100)]).encode(),
    "long": lambda: json.dumps(
        [{"slug": "a", "name": "".join(chr(33 + n * n % 8009) for n in range(9000))}]
    ).encode(),
}


def write(folder: Path, case: Case) -> str:
    """Write the case's files; return the path of its manifest."""
    source = case.get("source", "things.json")
    manifest = case.get("manifest") or "\n".join(
        [
            "[[dataset]]",
            'name = "things"',
            f'source = "{source}"',
            'table = "things"',
            f"key = {json.dumps(case.get('key', ['slug']))}",
            case.get("options", ""),
        ]
    )
    (folder / "seeds.toml").write_text(manifest, encoding="utf-8")
    records = case["records"].encode() if "records" in case else GOOD
    (folder / "things.json").write_bytes(MADE[case["made"]]() if "made" in case else records)
    for name, text in case.get("files", {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in case.get("remove", []):
        (folder / name).unlink()
    return str(folder / "seeds.toml")


def prepare(connection: Connection, case: Case) -> None:
    """Create the case's tables and the role that seeds."""
    columns = ", ".join(filter(None, ["slug text", case.get("columns")]))
    connection.execute(case.get("sql", ""))
    connection.execute(f"CREATE TABLE things ({columns})")
    connection.execute(case.get("rows", ""))
    if "role" not in case:
        return
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'somebody'").fetchone():
        connection.execute("CREATE ROLE somebody")
    connection.execute(
        "DO $$ BEGIN EXECUTE format('GRANT CREATE, TEMP ON DATABASE %I TO somebody', current_database()); END $$"
    )
    connection.execute(case["role"])
    connection.execute("SET ROLE somebody")


def held(connection: Connection) -> dict[str, Any]:
    """All rows of the application's tables, and how many records the ledger has."""
    connection.execute("RESET ROLE")
    tables = connection.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND (relnamespace = 'public'::regnamespace"
        " OR oid IN (to_regclass('compose_init.record'), to_regclass('compose_init.source')))"
    ).fetchall()
    rows = {
        table: connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1").fetchall()
        for (table,) in tables
    }
    return {table: found for table, found in rows.items() if found}


def said(act: Callable[[], object], folder: Path) -> tuple[int, str]:
    """Return the exit code of the exception that is raised, and its message."""
    with pytest.raises(SeedError) as raised:
        act()
    return raised.value.exit_code, str(raised.value).replace(str(folder), "FOLDER")


def sources() -> Sources:
    return Sources({}, {"PATH_OF_SEEDS": "/seeds"})


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower a limit so that a test can reach it."""
    monkeypatch.setattr("compose_seeder.sources.decompress.MAX_BYTES", 1 << 20)


def cases(*, of: str, default: bool) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in CASES if case.get(of, default)]


@pytest.mark.parametrize("case", cases(of="database", default=True))
def test_a_run_says_what_is_wrong(case: Case, tmp_path: Path, connection: Connection) -> None:
    """To the letter, with its exit code, and leaves everything as it was.

    What can be known before anything is written is known to `--plan`.
    """
    manifest = write(tmp_path, case)
    prepare(connection, case)
    before = held(connection)
    for plan in (True, False) if case.get("plan", True) else (False,):
        if "role" in case:
            connection.execute("SET ROLE somebody")
        options = Options(plan=plan)
        found = said(lambda: seed(connection, manifest, sources(), options), tmp_path)  # noqa: B023
        assert found == (case["code"], case["says"]), f"{plan=}"
        assert held(connection) == before


@pytest.mark.parametrize("case", cases(of="check", default=False))
def test_check_says_the_same(case: Case, tmp_path: Path) -> None:
    """Without a database."""
    manifest = write(tmp_path, case)
    assert said(lambda: check(manifest, sources()), tmp_path) == (case["code"], case["says"])


@pytest.mark.parametrize(
    "case", [c for c in CASES if "secret" in c["name"]], ids=lambda c: c["name"]
)
def test_no_secret_is_said(case: Case) -> None:
    assert "s3cret" in case["records"]
    assert "s3cret" not in case["says"]


def test_the_corpus_is_large() -> None:
    """A hundred broken inputs and more, with a name each."""
    names = [case["name"] for case in CASES]
    assert len(names) >= 100
    assert sorted(set(names)) == sorted(names)
