"""1,000,000 generated records of eight columns into one table, beside raw COPY of the same rows."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import MetaData, Table, create_engine
from sqlalchemy.dialects.postgresql import insert

from compose_seeder import Options, seed
from compose_seeder.sources import Sources
from examples.postgres import Server
from tests.bench.measure import Ratio, Result, Skipped, alternate, fresh_database, prepared, timed
from tests.bench.merging import merge

MANIFEST = """
[[dataset]]
name = "items"
source = "items.ndjson"
table = "items"
key = ["code"]
"""

DDL = """\
CREATE TABLE items (
  id bigint PRIMARY KEY,
  code text NOT NULL UNIQUE,
  name text NOT NULL,
  price numeric,
  active boolean NOT NULL,
  created_at timestamptz,
  parent bigint,
  data jsonb
);
"""

EVERY = 100
"""One record in so many is edited."""

BLOCK = 1 << 20
"""Characters that COPY is given at a time."""

UPSERTS = 5_000
"""Records that are measured one by one; time for more of them is proportional."""

MERGED = 200_000
"""Records that dlt is given; likewise."""

GOALS = {"first": 2.5, "verify": 1.5, "edited": 1.0}


def compare(*, quick: bool) -> list[Result]:
    """First run, unchanged, verified, and one record in a hundred edited."""
    count = 200_000 if quick else 1_000_000
    with Server() as server, tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        prepared(server, "items", DDL)
        (folder / "seeds.toml").write_text(MANIFEST)
        _write(folder / "original.ndjson", count)
        _write(folder / "edited.ndjson", count, every=EVERY)
        copied = _copy_data(count)
        taken: dict[str, list[float]] = {}
        written: list[int] = []

        def raw() -> float:
            with fresh_database(server, "items") as address:
                return timed(lambda: _copy(address, copied))

        def ours() -> float:
            with fresh_database(server, "items") as address:
                _use(folder, "original")
                steps = {
                    "first": timed(lambda: _seed(address, folder)),
                    "unchanged": timed(lambda: _seed(address, folder)),
                }
                _settle(address)
                steps["verify"], wal = _verify(address, folder)
                written.append(wal)
                _use(folder, "edited")
                steps["edited"] = timed(lambda: _seed(address, folder))
            for step, seconds in steps.items():
                taken.setdefault(step, []).append(seconds)
            return steps["first"]

        _, baseline = alternate(1 if quick else 3, ours, raw)
        with fresh_database(server, "items") as address:
            upserts = timed(lambda: _upsert(address)) * count / UPSERTS
        with fresh_database(server, "items") as address:
            _write(folder / "some.ndjson", MERGED)
            merged = merge(address, folder / "some.ndjson")
    meanings = {
        "first": f"{count:,} records into an empty table",
        "unchanged": "the same again: fingerprints alone",
        "verify": f"the same again, every row compared; {max(written)} bytes of WAL",
        "edited": "one record in a hundred edited in the file",
    }
    results = [
        Ratio(
            f"million, {step}",
            sorted(taken[step])[len(taken[step]) // 2],
            baseline,
            meaning,
            GOALS.get(step),
        )
        for step, meaning in meanings.items()
    ]
    first = sorted(taken["first"])[len(taken["first"]) // 2]
    others: list[Result] = [
        Ratio(
            "million, upserts",
            first,
            upserts,
            f"the first run to one upsert a record with SQLAlchemy, {UPSERTS:,} of them measured",
            1 / 30,
        ),
        merged
        if isinstance(merged, Skipped)
        else Ratio(
            "million, dlt",
            first,
            merged * count / MERGED,
            f"the first run to dlt merging the same into the same server, {MERGED:,} of them measured",
            1 / 5,
        ),
    ]
    return [*results, *others]


def records(count: int, *, every: int = 0) -> Iterator[dict[str, Any]]:
    """Generate records, the same in every run; one in `every` is edited."""
    chance = random.Random(1)  # noqa: S311
    for number in range(count):
        edited = " (edited)" if every and number % every == 0 else ""
        yield {
            "id": number + 1,
            "code": f"item-{number:07d}",
            "name": f"Name of item number {number}{edited}",
            "price": round(chance.random() * 1000, 2),
            "active": chance.random() < 0.5,
            "created_at": f"2026-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}T12:00:00Z",
            "parent": None if number % 10 == 0 else chance.randint(1, count),
            "data": {
                "tags": ["a", "b", str(chance.randint(0, 99))],
                "level": chance.randint(1, 20),
                "note": "some text that is a bit longer",
            },
        }


def _write(path: Path, count: int, *, every: int = 0) -> None:
    with path.open("w") as file:
        for record in records(count, every=every):
            file.write(json.dumps(record) + "\n")


def _use(folder: Path, name: str) -> None:
    target = folder / "items.ndjson"
    target.unlink(missing_ok=True)
    target.hardlink_to(folder / f"{name}.ndjson")


def _copy_data(count: int) -> bytes:
    """Return the rows as COPY's text, so that only the COPY itself is measured."""
    return "".join(
        "\t".join(map(_text, record.values())) + "\n" for record in records(count)
    ).encode()


def _text(value: object) -> str:
    if value is None:
        return r"\N"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _upsert(address: str) -> None:
    """As many an application's seed script does it: a statement a record, one transaction."""
    engine = create_engine(address.replace("postgresql:", "postgresql+psycopg:", 1))
    items = Table("items", MetaData(), autoload_with=engine)
    with engine.begin() as connection:
        for record in records(UPSERTS):
            statement = insert(items).values(record)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["code"], set_=statement.excluded)
            )
    engine.dispose()


def _copy(address: str, data: bytes) -> None:
    with (
        psycopg.connect(address) as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY items FROM STDIN") as copy,
    ):
        for start in range(0, len(data), BLOCK):
            copy.write(data[start : start + BLOCK])


def _seed(address: str, folder: Path) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        seed(connection, str(folder / "seeds.toml"), Sources())


def _verify(address: str, folder: Path) -> tuple[float, int]:
    """Seconds that a verified run takes, and the bytes of WAL that its own session writes."""
    with psycopg.connect(address, autocommit=True) as connection:
        manifest = str(folder / "seeds.toml")
        seconds = timed(lambda: seed(connection, manifest, Sources(), Options(verify=True)))
        connection.execute("SELECT pg_stat_force_next_flush()")
        query = "SELECT wal_bytes FROM pg_stat_get_backend_wal(pg_backend_pid())"
        row = connection.execute(query).fetchone()
    return seconds, int(row[0]) if row else -1


def _settle(address: str) -> None:
    """Let nothing of the first run be left to write: hint bits count as WAL where checksums are on."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        # What ANALYZE wrote gets its hint bits from whoever reads it next.
        connection.execute("SELECT count(*) FROM pg_statistic")
