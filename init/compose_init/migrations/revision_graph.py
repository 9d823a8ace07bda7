"""The lineage of revisions, and where a database stands in it: values, and decisions on them.

    empty ─▶ behind ─▶ at head ─▶ ahead           elsewhere: not on this line at all

An image that was rolled back meets revisions that it does not have. The ledger of revisions says what
they descend from, so that *ahead* can be told from *elsewhere*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

FORMAT = 1
RECORD = ".compose-init.json"
"""Beside `alembic.ini`, or in the folder of revisions: the lineage as it was when the image was built."""


class DatabaseState(StrEnum):
    """Where a database is, seen from an image's revisions."""

    EMPTY = "empty"
    BEHIND = "behind"
    AT_HEAD = "at head"
    AHEAD = "ahead"
    DIVERGED = "elsewhere"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision, as its file describes it.

    Attributes:
        revision: its id.
        message: the first line of its docstring.
        file: the name of its file.
        parents: `down_revision`; several for a merge, none for a base.
        depends_on: ids of revisions of other branches that must be applied before.
        labels: of the branch that it is on.
        breaks_older_images: its marker; images that do not have it cannot run once it is applied.
        seconds: how long it took; None while it is pending.
    """

    revision: str
    message: str
    file: str
    parents: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    breaks_older_images: bool = False
    seconds: float | None = None

    @property
    def before(self) -> tuple[str, ...]:
        """Everything that must be applied before it."""
        return (*self.parents, *self.depends_on)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A revision in the ledger.

    Attributes:
        before: what had to be applied before it, by id.
        image: version and git revision of the image that applied it, for people; "" where unknown.
        applied_at: ISO 8601; None for an adopted one.
        adopted: it was there before compose-init came.
    """

    revision: str
    message: str
    before: tuple[str, ...] = ()
    image: str = ""
    applied_at: str | None = None
    adopted: bool = False
    breaks_older_images: bool = False

    def __str__(self) -> str:
        by = f" by image {self.image}" if self.image else ""
        when = f" at {self.applied_at}" if self.applied_at else ""
        title = f" ({self.message})" if self.message else ""
        return f"{self.revision}{title}, applied{by}{when}"


@dataclass(frozen=True)
class Lineage:
    """All revisions of an image by id, each after what must be applied before it."""

    revisions: Mapping[str, Revision] = field(default_factory=dict)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The ids that are nobody's parent."""
        parents = {parent for entry in self.revisions.values() for parent in entry.parents}
        return tuple(sorted(name for name in self.revisions if name not in parents))

    def applied(self, current: Iterable[str]) -> set[str]:
        """Everything that is applied in a database that is at these revisions."""
        found: set[str] = set()
        left = [name for name in current if name in self.revisions]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self.revisions[name].before
        return found

    def pending(self, current: Iterable[str]) -> tuple[Revision, ...]:
        """What is not applied in a database that is at these revisions, in order."""
        applied = self.applied(current)
        return tuple(entry for name, entry in self.revisions.items() if name not in applied)

    def accidental_heads(self) -> tuple[str, ...]:
        """Heads that fork one branch; several with labels of their own, or without a common base, are meant."""
        by_branch: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
        for head in self.heads:
            bases = frozenset(n for n in self.applied([head]) if not self.revisions[n].parents)
            labels = frozenset(self.revisions[head].labels)
            by_branch.setdefault((bases, labels), []).append(head)
        return next((tuple(found) for found in by_branch.values() if len(found) > 1), ())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database stands, seen from an image.

    Attributes:
        unknown: what the database has and the image has not, oldest first.
        problem: why it is elsewhere; "" where it is not.
    """

    state: DatabaseState
    unknown: tuple[Recorded, ...] = ()
    problem: str = ""


def place(lineage: Lineage, current: Iterable[str], ledger: Mapping[str, Recorded]) -> Place:
    """Where a database that is at `current` stands.

    Args:
        lineage: the image's.
        current: the ids in the database's version table.
        ledger: revisions that were applied to it, by id; read only where `current` has an id that the
            image does not know.
    """
    here = set(current)
    foreign = sorted(here - lineage.revisions.keys())
    if not foreign:
        applied = lineage.applied(here)
        if applied.issuperset(lineage.heads):
            return Place(DatabaseState.AT_HEAD)
        return Place(DatabaseState.BEHIND if here else DatabaseState.EMPTY)
    unknown, missing = _back_to(lineage, foreign, ledger)
    if missing:
        return Place(DatabaseState.DIVERGED, unknown, _not_connected(foreign, missing))
    applied = lineage.applied([*here, *(name for entry in unknown for name in entry.before)])
    pending = [head for head in lineage.heads if head not in applied]
    if pending:
        return Place(DatabaseState.DIVERGED, unknown, _forked(unknown, pending))
    breaking = [entry for entry in unknown if entry.breaks_older_images]
    if breaking:
        return Place(DatabaseState.DIVERGED, unknown, _incompatible(breaking))
    return Place(DatabaseState.AHEAD, unknown)


def _back_to(
    lineage: Lineage, foreign: Iterable[str], ledger: Mapping[str, Recorded]
) -> tuple[tuple[Recorded, ...], list[str]]:
    """From ids that the image does not have, back to those that it has; and ids that nobody knows."""
    ordered: dict[str, Recorded] = {}
    missing: list[str] = []
    left = [(name, False) for name in foreign]
    seen: set[str] = set()
    while left:
        name, expanded = left.pop()
        if expanded:
            ordered[name] = ledger[name]
        elif name in lineage.revisions or name in seen:
            continue
        elif name not in ledger:
            seen.add(name)
            missing.append(name)
        else:
            seen.add(name)
            left.append((name, True))
            left += [(before, False) for before in ledger[name].before]
    return tuple(ordered.values()), sorted(missing)


def _not_connected(foreign: list[str], missing: list[str]) -> str:
    return (
        f"the database is at revision {', '.join(foreign)}, which this image does not have, and the ledger does not"
        f" know {', '.join(missing)}; is it the right database, and the right image? If it is, deploy the image that"
        " has it, or a later one; nothing was changed"
    )


def _forked(unknown: tuple[Recorded, ...], pending: list[str]) -> str:
    said = "; ".join(str(entry) for entry in unknown)
    return (
        f"the database has gone another way: it has {said}; this image does not have that, and its own"
        f" {', '.join(sorted(pending))} is not applied; join both histories with `alembic merge`, or deploy the image"
        " that the database was migrated by; nothing was changed"
    )


def _incompatible(breaking: list[Recorded]) -> str:
    said = "; ".join(str(entry) for entry in breaking)
    return (
        f"the database has a revision that breaks older images, this one included: {said}; deploy the image that has"
        " it, or a later one; nothing was changed"
    )


# the record of an image's build


def record_of(config: Path) -> Path:
    """Where the lineage of an `alembic.ini`, or of a folder of revisions, is recorded."""
    return (config if config.is_dir() else config.parent) / RECORD


def write_record(config: Path, lineage: Lineage, fingerprint: str) -> Path:
    """Record a lineage with the fingerprint of the files that it was read from.

    Raises:
        OSError: the folder cannot be written.
    """
    entries = [
        [e.revision, e.message, e.file, e.parents, e.depends_on, e.labels, e.breaks_older_images]
        for e in lineage.revisions.values()
    ]
    document = {"format": FORMAT, "fingerprint": fingerprint, "revisions": entries}
    path = record_of(config)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def read_record(config: Path, fingerprint: str) -> Lineage | None:
    """The recorded lineage; None where there is none, or the files have changed since."""
    try:
        document: Any = json.loads(record_of(config).read_bytes())
        if document["format"] != FORMAT or document["fingerprint"] != fingerprint:
            return None
        entries = [
            Revision(name, message, file, tuple(parents), tuple(needs), tuple(labels), breaks)
            for name, message, file, parents, needs, labels, breaks in document["revisions"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a record that cannot be read costs the slower way, and no more
    return Lineage({entry.revision: entry for entry in entries})
