"""Revisions, and the graph that an image's revision files make: plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


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
        version_table: that it is applied to, where a run has several.
    """

    revision: str
    message: str
    file: str
    parents: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    breaks_older_images: bool = False
    seconds: float | None = None
    version_table: str = ""

    @property
    def prerequisites(self) -> tuple[str, ...]:
        """Ids of all revisions that must be applied before."""
        return (*self.parents, *self.depends_on)


@dataclass(frozen=True, slots=True)
class AppliedRevision:
    """One revision, as the ledger has it.

    Attributes:
        prerequisites: ids of the revisions that had to be applied before.
        image: version and git revision of the image that applied it, for people; "" where unknown.
        applied_at: ISO 8601; None for an adopted revision.
        adopted: it was applied before compose-init came.
    """

    revision: str
    message: str
    prerequisites: tuple[str, ...] = ()
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
class RevisionGraph:
    """All revisions of an image by id, each after its prerequisites."""

    revisions: Mapping[str, Revision] = field(default_factory=dict)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The ids that are nobody's parent."""
        parents = {parent for entry in self.revisions.values() for parent in entry.parents}
        return tuple(sorted(name for name in self.revisions if name not in parents))

    def applied(self, current: Iterable[str]) -> set[str]:
        """Return the ids of all revisions that are applied in a database at the revisions `current`."""
        found: set[str] = set()
        unvisited = [name for name in current if name in self.revisions]
        while unvisited:
            name = unvisited.pop()
            if name not in found:
                found.add(name)
                unvisited += self.revisions[name].prerequisites
        return found

    def pending(self, current: Iterable[str]) -> tuple[Revision, ...]:
        """Return the revisions that are not applied in a database at `current`, in order."""
        applied = self.applied(current)
        return tuple(entry for name, entry in self.revisions.items() if name not in applied)

    def accidental_heads(self) -> tuple[str, ...]:
        """Return the heads that fork one branch.

        Several heads with a branch label each, or without a common base, are intended.
        """
        by_branch: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
        for head in self.heads:
            bases = frozenset(n for n in self.applied([head]) if not self.revisions[n].parents)
            labels = frozenset(self.revisions[head].labels)
            by_branch.setdefault((bases, labels), []).append(head)
        return next((tuple(found) for found in by_branch.values() if len(found) > 1), ())
