"""Which records of a file are, word for word, what was last applied: they need no look.

The ledger keeps, in the file's order, a digest of each record's text and the record's id. A record
that is found there again, and whose row the target shows unchanged, is neither parsed nor compared.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from hashlib import blake2b

from seeder.records import Batch

WINDOW = 1 << 14
"""How many places a record may have come forward in the file and still be known again."""

SIZE = 8
"""Bytes of a digest, and of an id."""


def digests(salt: bytes, texts: Iterable[bytes | memoryview]) -> list[bytes]:
    """A digest of each record's text; `salt` says what else decides what becomes of it."""
    start = blake2b(digest_size=SIZE, key=salt)
    found = []
    for text in texts:
        one = start.copy()
        one.update(text)
        found.append(one.digest())
    return found


class Sieve:
    """Tells which records of a file are those of the last run.

    Args:
        before: digests and ids of the last run, in its file's order, some at a time.
        salt: as for `digests`.

    Attributes:
        digests: of all records' texts, in the file's order.
        ids: of all records; 0 where one was not found again.
        open: the ids of the last run's records that were not found again.
    """

    def __init__(self, before: Iterable[tuple[bytes, array[int]]], salt: bytes) -> None:
        self.digests = bytearray()
        self.ids = array("q")
        self.open: set[int] = set()
        self._before = iter(before)
        self._salt = salt
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._loaded = 0

    def sift(self, batch: Batch) -> list[int]:
        """Which records of a batch are not found again; batches come in the file's order."""
        found = digests(self._salt, batch.texts)
        self._load(batch.first + len(found) + WINDOW)
        take = self._known.pop
        ids = [take(digest, 0) for digest in found]
        self.ids.extend(ids)
        self.digests += b"".join(found)
        self._forget(2 * WINDOW + len(found))
        return [n for n, id_ in enumerate(ids) if not id_]

    def finish(self, edited: AbstractSet[int]) -> list[int]:
        """The places of the records that have to be looked at; `edited` ids are among them."""
        self._load(None)
        self._forget(0)
        self.open |= edited
        if edited:
            self.ids = array("q", [0 if id_ in edited else id_ for id_ in self.ids])
        return [place for place, id_ in enumerate(self.ids) if not id_]

    def edited(self, batch: Batch) -> list[int]:
        """After `finish`: which records of a batch have to be looked at."""
        ids = self.ids[batch.first : batch.first + len(batch.texts)]
        return [n for n, id_ in enumerate(ids) if not id_]

    def _load(self, until: int | None) -> None:
        while until is None or self._loaded < until:
            row = next(self._before, None)
            if row is None:
                return
            digests_, ids = row
            self._loaded += len(ids)
            for n, id_ in enumerate(ids):
                digest = digests_[n * SIZE : n * SIZE + SIZE]
                if self._known.setdefault(digest, id_) != id_:
                    self.open.add(id_)

    def _forget(self, keep: int) -> None:
        while len(self._known) > keep:
            self.open.add(self._known.popitem(last=False)[1])
