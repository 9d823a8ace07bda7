"""Text in another encoding to UTF-8: as a byte order mark says, which is certain, or as the manifest says."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from compose_seeder.errors import Fault, RecordError
from compose_seeder.sources.content import Pieces

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_known(encoding: str) -> bool:
    """Tell if there is such an encoding of text."""
    try:
        "".encode(encoding)
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError):  # a codec that is none of text
        return False
    return True


def to_utf8(name: str, pieces: Pieces, declared: str | None) -> Pieces:
    """Return a text as UTF-8.

    Args:
        name: of the file.
        pieces: the bytes, decompressed.
        declared: the encoding that the manifest says.

    The returned pieces raise `RecordError` where the text is not in that encoding, with the line.
    """
    first = next(pieces(), b"")
    marked = first.startswith(UTF_16_MARKS)
    encoding = declared if declared and not marked else "utf-16" if marked else ""
    if not encoding or codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}:
        return pieces

    def text() -> Iterator[bytes]:
        decoder, lines = codecs.getincrementaldecoder(encoding)(), 0
        try:
            for piece in pieces():
                found = decoder.decode(piece)
                lines += found.count("\n")
                yield found.encode()
            yield decoder.decode(b"", final=True).encode()
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, "replace").count("\n")
            problem = f"is not {encoding}: {error.reason}; name its encoding in the manifest, or save it as UTF-8"
            fault = Fault(f"{name}:{lines + before + 1}", "", "", problem)
            raise RecordError("a seed file cannot be read", [fault]) from None

    return text
