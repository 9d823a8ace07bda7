"""The records of a file whose text is what was last applied: they are not compared.

A record whose digest is in the ledger, and whose row the target shows unchanged, is neither parsed nor compared.

    batches ─▶ DigestMatcher ─▶ records that changed in the file ┐
    the target ─▶ ids of records that changed there ─────────────┴─▶ ChangedRecords
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from msgspec import Raw

from compose_seeder.documents.batch import BATCH_RECORDS, Batch, Documents
from compose_seeder.reconcile.digest_matcher import DIGEST_BYTES, DigestMatcher, digests_of

MAX_KEPT_RECORDS = 1 << 14
"""The number of changed records that are kept in memory; with more of them, the file is read again."""


@dataclass
class ChangedRecords:
    """The records that have to be compared: those of a file that the ledger does not know as unchanged.

    Attributes:
        positions: of the records to compare, in the file.
        ids_to_compare: the ids of applied records to compare; an id may be there twice.
        digests: of all records' texts.
        ids: of all records; 0 where not known yet.
        kept: the records to compare, where they are few.
    """

    positions: array[int]
    ids_to_compare: array[int]
    digests: bytearray
    ids: array[int]
    kept: Batch | None = None

    @property
    def count(self) -> int:
        """How many records the file has."""
        return len(self.ids)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing has to be compared."""
        return not self.positions and not self.ids_to_compare

    def record_applied(self, ids: Sequence[int], applied: bytes) -> None:
        """Set the ids of the compared records, and clear the digests of those that are not fully applied.

        Args:
            ids: of the records at `positions`.
            applied: a byte for each of them, 1 where all that it says was applied.
        """
        for place, id_, is_applied in zip(self.positions, ids, applied, strict=True):
            self.ids[place] = id_
            if not is_applied:
                self.digests[place * DIGEST_BYTES : place * DIGEST_BYTES + DIGEST_BYTES] = bytes(
                    DIGEST_BYTES
                )

    def append(self, ids: Sequence[int]) -> None:
        """Add records that are not in the file, and have to be compared again."""
        self.digests += bytes(DIGEST_BYTES * len(ids))
        self.ids.extend(ids)

    def batches(self, document: Documents, pointer: str) -> Iterator[Batch]:
        """Yield the records to compare, some at a time; of the array at `pointer`."""
        if self.kept:
            yield self.kept
        elif self.positions:
            yield from select_records(document.batches(pointer), self.positions)


def find_changed_records(
    document: Documents,
    pointer: str,
    matcher: DigestMatcher,
    edited: Callable[[], AbstractSet[int]],
) -> ChangedRecords:
    """Find the records of the array at `pointer` that changed in the file or in the target.

    Args:
        document: read from its beginning.
        pointer: to the array.
        matcher: fresh.
        edited: asked at the end: the ids of applied records that the target does not show as they were.

    Raises:
        RecordError: no array there.
    """
    few: dict[int, tuple[Raw | bytes, str]] | None = {}
    for batch in document.batches(pointer):
        differ = matcher.match(batch)
        if few is not None and len(few) + len(differ) > MAX_KEPT_RECORDS:
            few = None
        if few is not None:
            few |= {batch.first + n: (batch.texts[n], batch.where(n)) for n in differ}
    others = edited()
    places = matcher.positions_to_compare(others)
    left = ChangedRecords(
        places, matcher.ids_to_compare + array("q", others), matcher.digests, matcher.ids
    )
    if few and len(few) == len(places):
        texts, wheres = zip(*few.values(), strict=True)
        left.kept = Batch(0, texts, wheres.__getitem__)
    return left


def all_changed(document: Documents, pointer: str, salt: bytes) -> ChangedRecords:
    """Return all of a file as changed, after all of it was compared."""
    found = digests_of(document, pointer, salt)
    ids = array("q", bytes(len(found)))
    return ChangedRecords(array("q", range(len(ids))), array("q"), found, ids)


def select_records(batches: Iterator[Batch], places: Sequence[int]) -> Iterator[Batch]:
    """Yield the records at some positions, in their order."""
    texts: list[Raw | bytes] = []
    wheres: list[str] = []
    start = 0
    for batch in batches:
        end = bisect_left(places, batch.first + len(batch.texts), start)
        some = [place - batch.first for place in places[start:end]]
        texts += [batch.texts[n] for n in some]
        wheres += [batch.where(n) for n in some]
        start = end
        if len(texts) >= BATCH_RECORDS or (texts and end == len(places)):
            yield Batch(start - len(texts), texts, wheres.__getitem__)
            texts, wheres = [], []
        if end == len(places):
            return
