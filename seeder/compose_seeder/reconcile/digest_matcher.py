"""Digests of records' texts, and the records of a file that are found again by them.

The ledger keeps, in the file's order, a digest of each record's text and the record's id.

    a batch ─▶ digests ─▶ same order? ─▶ one comparison of arrays
                              └─▶ moved? ─▶ searched for among the records near by that were not found
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from itertools import compress

from compose_seeder.documents.batch import Batch, Documents

MOVE_WINDOW_RECORDS = 1 << 14
"""How many places a record may have come forward in the file and still be known again."""

DIGEST_BYTES = 8
"""Bytes of a digest, and of an id."""

MIN_UNCHANGED_PER_CHANGED = 8
"""With at least so many unchanged records for each changed one, the records of a batch are compared in their order."""

INVERTED = bytes([1, 0, *range(2, 256)])
"""Translates 1 to 0, and 0 to 1."""


def digests(salt: bytes, texts: Iterable[bytes | memoryview]) -> bytes:
    """Return a digest of each record's text; `salt` says what else decides what becomes of it."""
    start = blake2b(digest_size=DIGEST_BYTES, key=salt).copy
    found = []
    for text in texts:
        one = start()
        one.update(text)
        found.append(one.digest())
    return b"".join(found)


def digests_of(document: Documents, pointer: str, salt: bytes) -> bytearray:
    """Return the digests of all records of the array at `pointer`, in their order."""
    found = bytearray()
    for batch in document.batches(pointer):
        found += digests(salt, batch.texts)
    return found


class DigestMatcher:
    """Tells which records of a file are the last run's.

    Args:
        before: digests and ids of the last run, in its file's order, some at a time.
        salt: as for `digests`.

    Attributes:
        digests: of all records' texts, in the file's order.
        ids: of all records; 0 where one was not found again.
    """

    def __init__(self, before: Iterable[tuple[bytes, array[int]]], salt: bytes) -> None:
        self.digests = bytearray()
        self.ids = array("q")
        self._salt = salt
        self._old, self._old_ids = array("Q"), array("q")
        for some, ids in before:
            self._old.frombytes(some)
            self._old_ids.extend(ids)
        self._found = bytearray(len(self._old))  # by place: 1 where it was found again
        self._next = 0  # the place that should come next
        self._passed: OrderedDict[int, int] = OrderedDict()  # digest -> place, of those not found

    @property
    def ids_to_compare(self) -> array[int]:
        """The ids of the last run's records that were not found again."""
        return array("q", compress(self._old_ids, self._found.translate(INVERTED)))

    def match(self, batch: Batch) -> list[int]:
        """Return which records of a batch are not found again; batches come in the file's order."""
        new = array("Q", digests(self._salt, batch.texts))
        ids = self._match_in_place(new)
        if ids is None:
            ids = self._match_moved(new)
        while len(self._passed) > 2 * MOVE_WINDOW_RECORDS + len(new):
            self._passed.popitem(last=False)
        self.ids.extend(ids)
        self.digests += new.tobytes()
        return [n for n, id_ in enumerate(ids) if not id_]

    def positions_to_compare(self, edited: AbstractSet[int]) -> array[int]:
        """Return the positions of the records to compare, after the last batch; `edited` ids are among them."""
        if edited:
            self.ids = array("q", [0 if id_ in edited else id_ for id_ in self.ids])
        return array("q", [place for place, id_ in enumerate(self.ids) if not id_])

    def _match_in_place(self, new: array[int]) -> array[int] | None:
        """Return the ids of records that mostly are where they were; else None, and change nothing."""
        start, end = self._next, self._next + len(new)
        old, ids, found = self._old[start:end], self._old_ids[start:end], self._found[start:end]
        differ: list[int] = []
        if old != new or 1 in found:
            pairs = zip(old, new, found, strict=False)
            differ = [n for n, (was, now, taken) in enumerate(pairs) if was != now or taken]
            if (len(differ) + len(new) - len(old)) * MIN_UNCHANGED_PER_CHANGED > len(new):
                return None
        self._next = start + len(old)
        self._found[start : self._next] = b"\1" * len(old)
        for n in differ:
            if not found[n]:
                self._found[start + n] = 0
                self._passed.setdefault(old[n], start + n)
        ids.extend([0] * (len(new) - len(old)))
        for n in [*differ, *range(len(old), len(new))]:
            ids[n] = self._take(new[n])
        return ids

    def _match_moved(self, new: array[int]) -> array[int]:
        """Return the ids of records that were near by, and set where the next batch should be."""
        start, end = self._next, min(self._next + len(new) + MOVE_WINDOW_RECORDS, len(self._old))
        for place in range(start, end):
            if not self._found[place]:
                self._passed.setdefault(self._old[place], place)
        places = [self._passed.get(digest, -1) for digest in new]
        ids = array("q", [self._take(digest) for digest in new])
        # As many come after the last one that was found again as there are now.
        last = next((n for n in reversed(range(len(new))) if places[n] >= start), -1)
        after = start if last < 0 else places[last] + 1
        self._next = min(after + len(new) - last - 1, end)
        while self._passed and next(reversed(self._passed.values())) >= self._next:
            self._passed.popitem()
        return ids

    def _take(self, digest: int) -> int:
        """Return the id of the old record that was skipped and has this digest; 0 without one."""
        place = self._passed.pop(digest, None)
        if place is None:
            return 0
        self._found[place] = 1
        return self._old_ids[place]
