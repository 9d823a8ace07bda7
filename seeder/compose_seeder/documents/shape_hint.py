"""What to write in the manifest for a file whose records stand elsewhere than it says: only what would work.

Each proposal is tried on the document before it is made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice

from msgspec import DecodeError, Raw, ValidationError
from msgspec.json import decode

from compose_seeder.documents.pointer_pattern import kind_of
from compose_seeder.errors import closest_match
from compose_seeder.exact_json import encode
from compose_seeder.json_pointer import join_pointer

MAX_DEPTH = 4
"""How deep a document is searched for arrays of records."""

MAX_PLACES = 200
"""How many objects of a document are searched."""

SHOWN_NAMES = 8

DJANGO = {"model", "pk", "fields"}
"""The members of a record in a fixture of Django."""

Members = Mapping[str, Raw]


def hint_for_document(data: bytes | bytearray, pointer: str) -> str:
    """Return where the records of a document may be, as there is no array at a pointer.

    Args:
        data: JSON text, which is valid.
        pointer: of the manifest.
    """
    root = _members(Raw(data))
    if root is None:
        return "the document is not an object"
    if not root:
        return "the document has no fields"
    some = ", ".join(map(_pointer, islice(root, SHOWN_NAMES)))
    known = f"the document has {some}{', …' if len(root) > SHOWN_NAMES else ''}"
    arrays = list(_arrays_of_objects(root))
    if arrays:
        best = closest_match(pointer, arrays) or arrays[0]
        return f'{known}; name the array in the manifest, as in records = "{best}"'
    if not pointer and all(_members(raw) is not None for raw in root.values()):
        return (
            f"{known}, which are objects; if they are the records, name the field that gets their names, as in"
            ' key_as = "slug"'
        )
    if not pointer:
        return (
            f"{known}, and no array of objects; if it is one record, write single = true; if each member is one, write"
            ' key_as = "key" and value_as = "value"'
        )
    return f"{known}, and no array of objects"


def hint_for_elements(elements: Iterable[Raw]) -> str:
    """Return how elements that are no objects become records; "" where they are not all alike."""
    kinds = {kind_of(one) for one in elements}
    if kinds == {"an array"}:
        return 'name the values of each in the manifest, as in columns = ["code", "name"]'
    if kinds and not kinds & {"an array", "an object"}:
        return 'name the field that gets the value, as in value_as = "name"'
    return ""


def hint_for_key(field: str, record: Members) -> str:
    """Return how a field of the key is read from deeper in a record; "" where it is not there.

    Args:
        field: that the record lacks.
        record: as it is in the file.
    """
    if set(record) == DJANGO:
        return _for_django(record)
    for name, raw in record.items():
        if field in (_members(raw) or {}):
            pointer = join_pointer([name, field])
            return f'it is at {pointer}; write map = {{ {_quoted(field)} = "{pointer}", … }}'
    return ""


def hint_for_column(field: str, record: Members, columns: Iterable[str]) -> str:
    """Return how the members of a field become columns; "" where they are not called as columns are.

    Args:
        field: that is no column.
        record: which has it.
        columns: of the table.
    """
    if set(record) == DJANGO:
        return _for_django(record)
    inner = _members(record[field]) or {}
    if not set(inner) & set(columns):
        return ""
    pointer = join_pointer([field, "*"])
    own = [f'{_quoted(name)} = "{join_pointer([name])}", ' for name in record if name in columns]
    return f'its members are columns: write map = {{ {"".join(own)}"*" = "{pointer}" }}'


def _for_django(record: Members) -> str:
    model = bytes(encode(record["model"])).decode()
    return (
        f'this is a fixture of Django: write where = {{ model = {model} }} and map = {{ id = "/pk", "*" ='
        ' "/fields/*" }'
    )


def _arrays_of_objects(root: Members) -> Iterator[str]:
    """Yield the pointers to arrays whose elements are objects, the nearest first."""
    waiting: deque[tuple[tuple[str, ...], Members]] = deque([((), root)])
    places = 0
    while waiting and places < MAX_PLACES:
        path, members = waiting.popleft()
        places += 1
        for name, raw in members.items():
            if kind_of(raw) == "an array" and _holds_objects(raw):
                yield join_pointer([*path, name])
        if len(path) + 1 < MAX_DEPTH:
            for name, raw in members.items():
                if (inner := _members(raw)) is not None:
                    waiting.append(((*path, name), inner))


def _holds_objects(raw: Raw) -> bool:
    try:
        decode(raw, type=list[dict[str, Raw]])
    except (ValidationError, DecodeError, RecursionError):
        return False
    return True


def _members(raw: Raw) -> dict[str, Raw] | None:
    with suppress(ValidationError, DecodeError, RecursionError):
        return decode(raw, type=dict[str, Raw])
    return None


def _pointer(name: str) -> str:
    return join_pointer([name])


def _quoted(name: str) -> str:
    """Return a key as TOML has it."""
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else encode(name).decode()
