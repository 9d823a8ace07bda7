"""Many small files cost what one large file costs: one batch, each file read once."""

from __future__ import annotations

import json
from collections.abc import Iterator

from compose_seeder.documents.batch import BATCH_RECORDS, JoinedDocuments
from compose_seeder.documents.open_document import SMALL_BYTES, open_document


def test_small_files_share_a_batch() -> None:
    """Each record keeps its place; a file that would not fit begins a batch."""
    sizes = [1, 0, 3, BATCH_RECORDS - 5, 2, BATCH_RECORDS + 1, 1]
    texts = [json.dumps([{"n": n} for n in range(size)]).encode() for size in sizes]
    parts = [
        open_document(f"{n}.json", lambda text=text: iter([text]))  # type: ignore[misc]
        for n, text in enumerate(texts)
    ]
    batches = list(JoinedDocuments(parts).batches(""))
    found = [(batch.first, len(batch.texts)) for batch in batches]
    assert found == [
        (0, BATCH_RECORDS - 1),
        (BATCH_RECORDS - 1, 2),
        (BATCH_RECORDS + 1, BATCH_RECORDS),
        (2 * BATCH_RECORDS + 1, 2),
    ]
    places = [batch.where(n) for batch in batches for n in range(len(batch.texts))]
    assert places == [f"{n}.json#/{k}" for n, size in enumerate(sizes) for k in range(size)]


def test_a_small_file_is_opened_once() -> None:
    """A large one is not kept, and read again for each pass."""

    def openings(text: bytes) -> int:
        times: list[int] = []

        def pieces() -> Iterator[bytes]:
            times.append(1)
            yield text

        document = open_document("f.json", pieces)
        list(document.batches(""))
        document.array("")
        return len(times)

    assert openings(b'[{"slug": "a"}]') == 1
    assert openings(b"[" + b" " * SMALL_BYTES + b"]") > 1
