"""The progress of a plan that is sent to an endpoint, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import Fault, RefusedError
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import Progress
from compose_seeder.targets.endpoint.unconfirmed import Unseen
from compose_seeder.targets.endpoint.written import Written


@dataclass
class Tally:
    """What is done, refused, not shown, and not kept by the API.

    Attributes:
        total: how many records are to be sent, those included that earlier runs sent.
        unseen: records that were sent, and that the API does not show.
        not_kept: records whose values the API shows otherwise.
        unseen_fields: paths of values of new records that no answer shows.
    """

    dataset: Dataset
    total: int
    progress: Progress
    done: int = 0
    refused: list[Fault] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    not_kept: list[str] = field(default_factory=list)
    unseen_fields: set[str] = field(default_factory=set)

    def add(self, count: int) -> None:
        """Count records that are done."""
        self.done += count
        self.progress(self.done, self.total)

    def refuse(self, written: Sequence[Written], desired: Sequence[Desired]) -> None:
        """Take the faults of records that the API has not taken, or cannot show."""
        for one in sorted(written, key=lambda each: each.position):
            wanted = desired[one.position]
            named = format_key(self.dataset.key, wanted.key)
            self.refused.append(Fault(wanted.where, named, "", one.problem))

    def miss(self, written: Sequence[Written], desired: Sequence[Desired]) -> None:
        """Take the values that the API did not keep of records that it has taken."""
        for one in written:
            if one.missing:
                key = format_key(self.dataset.key, desired[one.position].key)
                self.not_kept.append(f"{key}: {', '.join(one.missing)}")

    def check(self) -> None:
        """Raise `RefusedError` where records were refused, or are not shown."""
        refused, unseen = len(self.refused), len(self.unseen)
        if not refused and not unseen:
            return
        others = "; the others are written" if self.total > refused + unseen else ""
        parts = [f"refused {refused}"] if refused else []
        parts += [f"does not show {unseen}"] if unseen else []
        self.unseen.sort(key=lambda one: one.wanted.position)
        faults = [*self.refused, *(one.fault(self.dataset.key) for one in self.unseen)]
        said = f"{self.dataset.target} {' and '.join(parts)} of {self.total} records{others}"
        raise RefusedError(said, faults)
