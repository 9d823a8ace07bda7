"""A dataset's desired records, read some at a time; and once more the records that a message names.

    batches of texts ─▶ raw records ─▶ stage ─▶ the target takes them
                                         └─▶ `records_at`: a few of them again

So a large file is never in memory completely, and a message shows a record as the file has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from compose_seeder.documents.batch import Batch, Documents, RawRecord, raw_records
from compose_seeder.errors import RecordError
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.staging import Desired, Lookup, stage, stage_all

Batches = Callable[[], Iterator[Batch]]
"""The records, some at a time; each call begins again."""

RecordsAt = Callable[[Iterable[int]], dict[int, Desired]]
"""The records at some positions."""


@dataclass
class DesiredRecords:
    """The desired records of a dataset.

    Attributes:
        batches: its records, or only the records to compare.
        document: the document that holds them.
        lookup: finds what they refer to.
        count: how many there are; known after the first pass.
        waiting: how many more there are whose key holds an id that an earlier dataset of the plan creates. They are
            new, and there is nothing to compare them with.
    """

    dataset: Dataset
    batches: Batches
    document: Documents
    lookup: Lookup
    count: int = field(default=0, init=False)
    waiting: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[list[Desired]]:
        """Yield the records, some at a time, by position.

        Raises:
            RecordError: records of the file are wrong; all faults, as `stage_all`.
        """
        failed: RecordError | None = None
        count = waiting = 0
        try:
            for raw in self._raw():
                some = stage(self.dataset, raw, self.lookup, count)
                known = [record for record in some if not record.pending]
                if len(known) < len(some):
                    waiting += len(some) - len(known)
                    known = [replace(record, position=count + n) for n, record in enumerate(known)]
                count += len(known)
                yield known
        except RecordError as error:
            failed = error
        if failed:
            # Once more, all at a time: a key that occurs twice may do so in different batches.
            stage_all(self.dataset, self.document, self.lookup)
            raise failed
        self.count, self.waiting = count, waiting

    def records_at(self, positions: Iterable[int]) -> dict[int, Desired]:
        """Return the records at some positions, which are read once more for it."""
        wanted = set(positions)
        found: dict[int, Desired] = {}
        if not wanted:
            return {}
        for some in self:
            first = some[0].position if some else 0
            found |= {n: some[n - first] for n in wanted if first <= n < first + len(some)}
            if len(found) == len(wanted):
                break
        return found

    def _raw(self) -> Iterator[list[RawRecord]]:
        for batch in self.batches():
            yield raw_records(self.document, self.dataset.records, batch)
