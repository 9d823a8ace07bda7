"""What must hold after every deploy of a campaign, whatever went wrong during it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.campaign.world import World, one_off_containers, rows


def broken_promises(world: World) -> list[str]:
    """Return what does not hold; empty if all does."""
    return [*_serving(world), *_database(world), *_backup(world), *_told(world), *_left(world)]


def _serving(world: World) -> Iterator[str]:
    version = world.site.version()
    if version not in world.good:
        yield f"what answers is {version or 'nothing'}, which never worked"


def _database(world: World) -> Iterator[str]:
    marker = world.site.psql("SELECT text FROM marker")
    if marker != world.marker:
        yield f"the database is another one: its marker is {marker!r}"
    found = rows(world)
    if found != world.words[: len(found)]:
        yield f"the words are {found}"


def _backup(world: World) -> Iterator[str]:
    if len(world.site.history()) < 2:
        return
    newest = world.newest_dump()
    if newest is None:
        yield "there is no dump"
    elif "TABLE DATA public marker" not in world.listed(newest):
        yield f"the newest dump, {newest.name}, is not whole or of another database"


def _told(world: World) -> Iterator[str]:
    told = world.alerts()
    for before, after in pairwise(told):
        if before == after:
            yield f"told twice: {after}"
    texts = " ".join(text for _, text in told)
    for _, event, result, _, message in world.site.history():
        said = message.partition(":")[0]
        if result in {"failed", "rolled-back"} and said not in texts:
            yield f"nobody was told that a {event} {result}: {message}"


def _left(world: World) -> Iterator[str]:
    if left := one_off_containers(world):
        yield f"containers of init are left: {left}"
    parts = [
        path.name
        for folder in ("releases", "backups")
        for path in (world.site.folder / folder).glob("*.part")
    ]
    if parts:
        yield f"files are left half-written: {parts}"
