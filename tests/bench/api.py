"""653 records through the example's API, beside a plain loop of the same requests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from compose_seeder import Options, seed
from compose_seeder.sources import Sources
from examples.postgres import Server, free_port
from tests.bench.measure import Ratio, Result, Skipped, alternate, fresh_database, timed
from tests.support import srd
from tests.support.programs import API, Program

CONCURRENCY = 4
GOAL = 1 / 0.9  # of the requests a second that a bare client makes, at least nine tenths

Body = dict[str, Any]


def compare(*, quick: bool) -> list[Result]:
    """Each on a fresh database and an API that has just started."""
    name = "SRD through the API"
    if not srd.DATA.is_dir():
        return [Skipped(name, f"real data is not there: {srd.DATA}")]
    data = srd.load()
    bodies = {"monsters": _bodies(data, "monster"), "spells": _bodies(data, "spell")}
    with Server() as server, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        manifest = data.write(Path(folder), srd.through_the_api())
        _migrate(server)

        def ours(client: httpx.Client, address: str) -> None:
            with psycopg.connect(address, autocommit=True) as connection:
                seed(connection, str(manifest), Sources(), Options(api=lambda: client))

        def theirs(client: httpx.Client, _: str) -> None:
            for resource, records in bodies.items():
                _plain_loop(client, resource, records)

        ours_took, theirs_took = alternate(
            2 if quick else 5, lambda: _once(server, ours), lambda: _once(server, theirs)
        )
    count = sum(map(len, bodies.values()))
    meaning = (
        f"{count} records written and read back, to a plain loop of the same requests,"
        f" {CONCURRENCY} at once"
    )
    return [Ratio(name, ours_took, theirs_took, meaning, GOAL)]


def _once(server: Server, action: Callable[[httpx.Client, str], None]) -> float:
    with fresh_database(server, "migrated") as address, _api(address) as client:
        seconds = timed(lambda: action(client, address))
        monsters = client.get("/monsters/list/raw").json()
        spells = client.get("/spells/list/raw").json()
        if (len(monsters), len(spells)) != (334, 319):
            raise RuntimeError(f"{len(monsters)} monsters and {len(spells)} spells are there")
        return seconds


def _plain_loop(client: httpx.Client, resource: str, records: list[Body]) -> None:
    """Do what a hand-written script would do: list, then POST and read back, four at a time."""
    client.get(f"/{resource}/list/raw").raise_for_status()

    def one(body: Body) -> None:
        answer = client.post(f"/{resource}", json=body).raise_for_status().json()
        client.get(f"/{resource}/{answer['id']}").raise_for_status().json()
        client.get(f"/{resource}/{answer['id']}/translations").raise_for_status().json()

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        list(threads.map(one, records))


def _bodies(data: srd.Srd, one: str) -> list[Body]:
    texts: dict[str, dict[str, Body]] = {}
    for text in getattr(data, f"{one}_translations"):
        fields = {k: v for k, v in text.items() if v is not None and k != f"{one}_slug"}
        texts.setdefault(text[f"{one}_slug"], {})[fields.pop("lang")] = fields
    return [
        {k: v for k, v in record.items() if v is not None} | {"translations": texts[record["slug"]]}
        for record in getattr(data, f"{one}s")
    ]


def _migrate(server: Server) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
    settings = {
        "DATABASE_URL": server.url("migrated"),
        "ALEMBIC_CONFIG": str(API / "alembic.ini"),
    }
    done = Program(settings).run("--migrate-only")
    if done.code:
        raise RuntimeError(done.said)


@contextmanager
def _api(address: str) -> Iterator[httpx.Client]:
    """Yield a client of an API that has just started and is healthy."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "dnd_helper_api.main"],
        env={
            "PYTHONPATH": str(API),
            "DATABASE_URL": address,
            "API_HOST": "127.0.0.1",
            "API_PORT": str(port),
            "LOG_LEVEL": "WARNING",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _wait(client, process)
            yield client
    finally:
        process.terminate()
        process.wait()


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if client.get("/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the API ended with exit code {process.returncode}")
