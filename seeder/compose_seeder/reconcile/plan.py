"""The vocabulary of a plan: what happens to each record, and how often.

action     one per record    create update delete | none deleted kept in_use postponed unconfirmed
                             (written | left as it is)
outcome    one per field     update | drift conflict unconfirmed          (the file changed | the target did)
Counts     one per dataset   how many records had each result
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Action = Literal[
    "create", "update", "delete", "none", "deleted", "kept", "in_use", "postponed", "unconfirmed"
]
"""What happens to a record.

deleted: somebody deleted it by hand, and it stays deleted. kept: it left the file and was edited by hand, so that it is
not deleted. in_use: it left the file and is not deleted, because rows of others refer to it. postponed: it left the
file, and is looked at again after later datasets. unconfirmed: it was sent before and nobody has seen it since, so
that it is not sent again. none: nothing is written, drift included.
"""

Outcome = Literal["update", "drift", "conflict", "unconfirmed", "unseen"]
"""Why a field differs.

update: the file changed. drift: the field was edited by hand. conflict: both. unconfirmed: the target shows another
value than was written. unseen: no answer of an API shows the field, so that nobody can tell; it is not written.
"""

EDITED_BY_HAND: frozenset[Outcome] = frozenset({"drift", "conflict"})


@dataclass(frozen=True)
class Counts:
    """How many records of a dataset had each result, or would have it.

    Attributes:
        created: written for the first time.
        updated: written, and there before.
        deleted: left the file, and deleted from the target.
        unchanged: not written; drift and conflicts that are left as they are included.
        drifted: edited or deleted by hand, while the file did not change.
        conflicts: edited by hand, while the file changed as well; or in use, while they left the file.
        unconfirmed: the target does not show what was written to it, or nothing of the record.
        released: left the file; they stay in the target, and are no longer owned.
    """

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    drifted: int = 0
    conflicts: int = 0
    unconfirmed: int = 0
    released: int = 0

    @property
    def written(self) -> int:
        """The number of records that are written to the target, deletions included."""
        return self.created + self.updated + self.deleted

    def __add__(self, other: Counts) -> Counts:
        """Return the sums, counter by counter."""
        theirs = other.to_dict()
        return Counts(**{name: count + theirs[name] for name, count in self.to_dict().items()})

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name, in the order of `LABELS`."""
        return asdict(self)


LABELS: Mapping[str, str] = {
    "created": "created",
    "updated": "updated",
    "deleted": "deleted",
    "unchanged": "unchanged",
    "drifted": "edited by hand",
    "conflicts": "in conflict",
    "unconfirmed": "unconfirmed",
    "released": "no longer in the file",
}
"""The words for people, by the counter's name; each follows a number: `2 created`."""


@dataclass(frozen=True)
class Change:
    """One record of a plan.

    Attributes:
        position: of the record in the file, from 0; None for a record that left it.
        action: what happens to the record.
        key: key field -> value.
        fields: field -> {"live": …, "desired": …, "outcome": an `Outcome`}; with "write" where a run writes it.
            Empty for a create. A secret field has no values.
        why: the reason that a record which left the file is not deleted, or "".
    """

    position: int | None
    action: Action
    key: dict[str, Any]
    fields: dict[str, dict[str, Any]]
    why: str = ""

    @property
    def edited_fields(self) -> list[str]:
        """The names of the fields that somebody edited by hand."""
        return [name for name, detail in self.fields.items() if detail["outcome"] in EDITED_BY_HAND]


@dataclass(frozen=True)
class Plan:
    """What a run would do, or has done, to one dataset.

    Attributes:
        name: of the dataset.
        target: of the dataset, as `table items` or `endpoint /items`.
        counts: of records.
        records: the records that are written, or differ; where there are many, the first ones: those that are deleted,
            then those that are created or updated, then all others.
        after_migration: the schema is not there yet, so that nothing was compared.
        not_kept: the records that were written just now and that the target shows otherwise: key and fields.
        not_deleted: the records that left the file and stay, though the dataset prunes: kept and in_use.
        postponed: how many records left the file and are looked at again after later datasets.
        unseen: the fields that no answer of an API shows, and parts of them.
        differing: how many records are written or differ, those included that `records` has no room for.
    """

    name: str
    target: str
    counts: Counts = Counts()
    records: tuple[Change, ...] = field(default=(), repr=False)
    after_migration: bool = False
    not_kept: tuple[str, ...] = field(default=(), repr=False)
    not_deleted: tuple[Change, ...] = field(default=(), repr=False)
    postponed: int = 0
    unseen: tuple[str, ...] = ()
    differing: int = 0

    @property
    def changes(self) -> bool:
        """True where a run writes to the target."""
        return bool(self.counts.written or self.after_migration)

    def with_counts(self, **counts: int) -> Plan:
        """Return the plan with some counters replaced."""
        return replace(self, counts=replace(self.counts, **counts))

    def with_postponed(self, later: Plan) -> Plan:
        """Return the plan after the records that were postponed have been looked at again.

        Args:
            later: the plan of the second comparison, which had all records that left the file and are still owned.
        """
        ours = [change for change in self.not_deleted if change.action == "kept"]
        again = {"postponed", "in_use"}
        in_use = len(self.not_deleted) - len(ours)
        counts = {
            "deleted": self.counts.deleted + later.counts.deleted,
            "released": self.counts.released + later.counts.released,
            "conflicts": self.counts.conflicts - in_use + len(later.not_deleted),
        }
        return replace(
            self.with_counts(**counts),
            records=(
                *(change for change in later.records if change.action == "delete"),
                *(change for change in self.records if change.action not in again),
                *(change for change in later.records if change.action == "in_use"),
            ),
            differing=self.differing + later.differing - self.postponed - in_use,
            not_deleted=(*ours, *later.not_deleted),
            postponed=0,
        )

    def with_unconfirmed(self, not_kept: Sequence[str]) -> Plan:
        """Return the plan after some of its writes were not confirmed.

        Args:
            not_kept: one text per record: its key and the fields that the target shows otherwise.
        """
        unconfirmed = self.counts.unconfirmed + len(not_kept)
        return replace(self.with_counts(unconfirmed=unconfirmed), not_kept=tuple(not_kept))
