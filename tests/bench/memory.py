"""How much memory a first run takes beyond what a small one takes, by the size of the file."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from examples.postgres import Server
from tests.bench import million
from tests.bench.measure import Megabytes, Result, fresh_database, prepared

# In a process of its own, which has imported everything and has a connection before it is measured.
SEED = """
import sys
import psycopg
from compose_seeder import Options, seed
from compose_seeder.sources import Sources

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

for address, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    with psycopg.connect(address, autocommit=True) as connection:
        seed(connection, folder + "/seeds.toml", Sources(), Options())
        print(peak())
"""

LINES = 150.0
"""Megabytes that newline-delimited JSON may take, whatever its size."""

ARRAY = 1.5
"""Times its own size that an array may take."""


def compare(*, quick: bool) -> list[Result]:
    """First runs of lines in two sizes and of an array; lines that are added to a few others."""
    count = 200_000 if quick else 1_000_000
    with Server() as server, tempfile.TemporaryDirectory(prefix="bench-") as name:
        prepared(server, "items", million.DDL)
        small = folder_of(Path(name) / "small", "ndjson", 100)
        results: list[Result] = []
        for kind, number in (("ndjson", count // 4), ("ndjson", count), ("json", count)):
            folder = folder_of(Path(name) / f"{kind}-{number}", kind, number)
            size = (folder / f"items.{kind}").stat().st_size / 2**20
            other = f"other-{kind}-{number}"
            prepared(server, other, million.DDL)
            with fresh_database(server, "items") as address:
                found = taken((server.url(other), small), (address, folder))
            meaning = f"{number:,} records, {size:.0f} MB of {kind}, into an empty table"
            goal = LINES if kind == "ndjson" else ARRAY * size
            results.append(Megabytes(f"memory, {kind}, {number:,}", found, meaning, goal))
        with fresh_database(server, "items") as address:
            found = taken((address, small), (address, Path(name) / f"ndjson-{count}"))
        meaning = f"{count:,} records of which a hundred were there"
        return [*results, Megabytes("memory, added", found, meaning, LINES)]


def taken(*runs: tuple[str, Path]) -> float:
    """Megabytes between the peaks of a small run and of a large one."""
    finished = subprocess.run(
        [sys.executable, "-c", SEED, *(str(part) for run in runs for part in run)],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = map(float, finished.stdout.split())
    return second - first


def folder_of(path: Path, kind: str, count: int) -> Path:
    path.mkdir()
    (path / "seeds.toml").write_text(million.MANIFEST.replace("ndjson", kind))
    with (path / f"items.{kind}").open("w") as file:
        file.writelines(_text(kind, count))
    return path


def _text(kind: str, count: int) -> Iterator[str]:
    array = kind == "json"
    yield "[" if array else ""
    for n, record in enumerate(million.records(count)):
        yield ("," if array and n else "") + json.dumps(record) + "\n"
    yield "]" if array else ""
