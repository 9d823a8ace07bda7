"""222,583 records into three tables, beside raw COPY of the same rows into the same tables."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from compose_seeder import Options, seed
from compose_seeder.sources import Sources
from examples.postgres import Server
from tests.bench.measure import Ratio, Result, Skipped, alternate, fresh_database, timed
from tests.support import geo
from tests.support.srd import DATA

COLUMNS = {
    "admin1": "id, code, name",
    "admin2": "id, code, admin1_id, name",
    "cities": "id, name, country, admin1_id, lat, lng",
}

EVERY = 100
"""One record in so many is edited."""


def compare(*, quick: bool) -> list[Result]:
    """First run, unchanged, verified, and one record in a hundred edited."""
    if not DATA.is_dir():
        return [Skipped("places into tables", f"real data is not there: {DATA}")]
    with Server() as server, tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _prepare(server)
        original = geo.write_seeds(folder / "original")
        edited = _edit(folder / "edited")
        copied = _copy_data()
        taken: dict[str, list[float]] = {}

        def raw() -> float:
            with fresh_database(server, "places") as address:
                return timed(lambda: _copy(address, copied))

        def ours() -> float:
            with fresh_database(server, "places") as address:
                steps = {
                    "first": timed(lambda: _seed(address, original)),
                    "unchanged": timed(lambda: _seed(address, original)),
                    "verify": timed(lambda: _seed(address, original, verify=True)),
                }
                _as_location(original, edited)
                steps["edited"] = timed(lambda: _seed(address, original))
                _as_location(original, DATA / "geo")
            for step, seconds in steps.items():
                taken.setdefault(step, []).append(seconds)
            return steps["first"]

        _, baseline = alternate(1 if quick else 3, ours, raw)
    count = f"{sum(geo.COUNTS.values()):,}"
    meanings = {
        "first": f"{count} records into three empty tables, parents by reference",
        "unchanged": "the same again: fingerprints alone",
        "verify": "the same again, every row compared with the tables",
        "edited": "one record in a hundred edited in the files",
    }
    return [
        Ratio(f"places, {step}", sorted(taken[step])[len(taken[step]) // 2], baseline, meaning)
        for step, meaning in meanings.items()
    ]


def _prepare(server: Server) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE places")
    with psycopg.connect(server.url("places")) as connection:
        connection.execute(geo.DDL.encode())


def _seed(address: str, manifest: Path, *, verify: bool = False) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        seed(connection, str(manifest), Sources(), Options(verify=verify))


def _edit(folder: Path) -> Path:
    """Write the sources with one record in a hundred renamed."""
    folder.mkdir()
    for name, records in geo.load().items():
        for record in records[::EVERY]:
            record["name"] += " (edited)"
        text = json.dumps(records, ensure_ascii=False).encode()
        if name == "cities":
            (folder / "cities.json.gz").write_bytes(gzip.compress(text, 1))
        else:
            (folder / f"{name}.json").write_bytes(text)
    return folder


def _as_location(manifest: Path, sources: Path) -> None:
    """Let the files beside the manifest be those of another folder."""
    for name in ("admin1.json", "admin2.json", "cities.json.gz"):
        (manifest.parent / name).write_bytes((sources / name).read_bytes())


def _copy_data() -> dict[str, bytes]:
    """Return the rows as COPY's text, references resolved, so that only the COPY itself is measured."""
    data = geo.load()
    ids = {record["code"]: number for number, record in enumerate(data["admin1"], 1)}
    rows: dict[str, list[tuple[Any, ...]]] = {
        "admin1": [(n, r["code"], r["name"]) for n, r in enumerate(data["admin1"], 1)],
        "admin2": [
            (n, r["code"], ids[r["admin1"]], r["name"]) for n, r in enumerate(data["admin2"], 1)
        ],
        "cities": [
            (r["id"], r["name"], r["country"], ids.get(r["admin1"]), r["lat"], r["lng"])
            for r in data["cities"]
        ],
    }
    return {
        table: "".join("\t".join(map(_text, row)) + "\n" for row in found).encode()
        for table, found in rows.items()
    }


def _text(value: object) -> str:
    if value is None:
        return r"\N"
    text = str(value).replace("\\", r"\\").replace("\t", r"\t")
    return text.replace("\n", r"\n").replace("\r", r"\r")


def _copy(address: str, data: dict[str, bytes]) -> None:
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        for table, text in data.items():
            with cursor.copy(f"COPY {table} ({COLUMNS[table]}) FROM STDIN".encode()) as copy:
                copy.write(text)
