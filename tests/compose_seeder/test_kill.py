"""`kill -9` at one step after the other, then a run: what is there is what the file says, once, hand edits kept."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from compose_seeder import Options, seed
from compose_seeder.sources import Sources
from compose_seeder.targets.endpoint import unconfirmed
from tests.support.killed_at_step import KILL_HEADER
from tests.support.seed_folder import Seeds
from tests.support.small_api import NO_CERTIFICATES, Api, serving

KILLS = 70
RECORDS = 30

MANIFEST = """
[defaults]
key = ["slug"]
prune = true
max_prune = 0.2

[[dataset]]
name = "table"
source = "things.json"
table = "things"

[[dataset]]
name = "endpoint"
source = "things.json"
endpoint = "/things"
[dataset.http]
create = "POST /things"
update = "PUT /things/{live.id}"
delete = "DELETE /things/{live.id}"
list = "GET /things"
"""


@dataclass
class World:
    """What the file says, what hands did, and what both targets must then hold."""

    chance: random.Random
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_hand: dict[str, str] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    def edit_file(self, number: int) -> None:
        """Give a third another value, add one or two, and remove one."""
        self.edit_values(number)
        for part in ("", "b")[: 1 + (len(self.wanted) < RECORDS)]:
            self.wanted[f"s{number}{part}"] = {"value": number, "note": "as seeded"}
        if len(self.wanted) > RECORDS:
            slug = self.chance.choice(sorted(self.wanted))
            row = self.wanted.pop(slug)
            if slug in self.by_hand:
                self.kept[slug] = {**row, "note": self.by_hand.pop(slug)}

    def edit_values(self, number: int) -> None:
        """Give a third another value."""
        for slug in self.chance.sample(sorted(self.wanted), len(self.wanted) // 3):
            self.wanted[slug]["value"] = number

    def expected(self) -> dict[str, dict[str, Any]]:
        """By slug, what must be there."""
        ours = {
            slug: {**row, "note": self.by_hand.get(slug, row["note"])}
            for slug, row in self.wanted.items()
        }
        return {**ours, **{slug: {"note": row["note"]} for slug, row in self.kept.items()}}


@pytest.fixture
def runner() -> Iterator[subprocess.Popen[str]]:
    """Start runs that can be killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.seed_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.slow
def test_killed_at_any_moment(
    seeds: Seeds,
    database: str,
    runner: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """70 kills over a table and an endpoint that has no unique key."""
    monkeypatch.setattr(unconfirmed, "OPEN_TIMEOUTS", 0.0)  # `settle` waits for the API itself
    api = KillingApi()
    seeds.do("CREATE TABLE things (id serial PRIMARY KEY, slug text, value int, note text)")
    seeds.write(MANIFEST)
    world = World(random.Random(20))  # noqa: S311
    kills, following = 0, {"step": 1, "request": 1}
    with serving(api) as client:
        address = str(client.base_url)
        for number in count():
            world.edit_file(number)
            write(world, seeds)
            edit_by_hand(world, seeds, api, number)
            moment = "request" if number % 4 == 1 else "step"
            call = f"{seeds.manifest} {database} {address} {moment} {following[moment]}"
            killed = kill(runner, call)
            settle(api, address)
            kills, following[moment] = kills + killed, following[moment] + 1 if killed else 1
            if number % 3 == 0:  # the run that follows finds another file than the killed one
                world.edit_values(-number)
                write(world, seeds)
            run(seeds, address)
            check(world, seeds, api)
            if kills == KILLS:
                break
    assert api.kills > KILLS // 10, "few requests were under way when their sender was killed"


class KillingApi(Api):
    """Kills the sender of a request that wants it, and does what is asked all the same."""

    kills = 0

    def answer(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Status and document."""
        if KILL_HEADER in headers:
            os.kill(int(headers[KILL_HEADER]), signal.SIGKILL)
            self.kills += 1
        return super().answer(method, path, body, headers)


def settle(api: Api, address: str) -> None:
    """Wait until the API has done what a killed run asked for."""
    with httpx.Client(base_url=address, verify=NO_CERTIFICATES) as client:
        client.get("/things")  # connections are accepted in order: those of the run have been
    deadline = time.monotonic() + 60
    while api.connections:
        assert time.monotonic() < deadline, "a request has not come to its end"
        time.sleep(0.001)


def write(world: World, seeds: Seeds) -> None:
    """Return the file, as the world wants it."""
    seeds.source("things", [{"slug": slug, **row} for slug, row in world.wanted.items()])


def edit_by_hand(world: World, seeds: Seeds, api: Api, number: int) -> None:
    """Every fourth time, somebody edits a note that is in both targets already."""
    there = sorted(row["slug"] for row in api.rows.values() if row["slug"] in world.wanted)
    if number % 4 == 0 and there:
        slug = world.chance.choice(there)
        world.by_hand[slug] = f"edited {number}"
        api.find(slug)["note"] = world.by_hand[slug]
        seeds.do("UPDATE things SET note = %s WHERE slug = %s", world.by_hand[slug], slug)


def kill(runner: subprocess.Popen[str], call: str) -> bool:
    """Start a run that is killed at its step; return False where it came to its end before."""
    assert runner.stdin is not None
    assert runner.stdout is not None
    print(call, file=runner.stdin, flush=True)
    code = int(runner.stdout.readline())
    assert code in {0, -signal.SIGKILL}
    return code != 0


def run(seeds: Seeds, api: str) -> None:
    """To its end."""
    with httpx.Client(base_url=api, verify=NO_CERTIFICATES) as client:
        seed(seeds.connection, seeds.manifest, Sources(), Options(api=lambda: client))


def check(world: World, seeds: Seeds, api: Api) -> None:
    """Both targets hold each record once, as the file and the hands say."""
    table = seeds.rows("SELECT slug, value, note FROM things ORDER BY slug")
    things = sorted((row["slug"], row["value"], row["note"]) for row in api.rows.values())
    expected = world.expected()
    for target, rows in (("table", table), ("endpoint", things)):
        assert [slug for slug, _, _ in rows] == sorted(expected)
        for slug, value, note in rows:
            assert note == expected[slug]["note"], (target, slug)
            assert value == expected[slug].get("value", value), (target, slug)
