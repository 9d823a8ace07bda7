"""YAML as the JSON that it means: YAML 1.2's core schema, and nothing that surprises.

    events of libyaml ─▶ JSON text, and the line of each value

Numbers keep every digit. A date is text, as in JSON; so are `no`, `off`, `1:30` and `0123`, which the versions of
YAML read differently. Tags, merge keys, keys that occur twice and anchors that multiply are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from msgspec.json import encode

from compose_seeder.documents.strict_json import TOO_DEEP
from compose_seeder.errors import Fault, RecordError
from compose_seeder.json_pointer import join_pointer

MAX_DEPTH = 200

ALIAS_BYTES = 1 << 24
"""How much text aliases may add to a document."""

CONSTANTS = {
    "": b"null", "~": b"null", "null": b"null", "Null": b"null", "NULL": b"null",
    "true": b"true", "True": b"true", "TRUE": b"true",
    "false": b"false", "False": b"false", "FALSE": b"false",
}  # fmt: skip
"""What stands for null, true and false, where it has no quotes."""

NUMBER = re.compile(r"([-+]?)(0|[1-9]\d*)?(\.\d*)?([eE][-+]?\d+)?", re.ASCII)
OTHER_BASE = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

ODD_BREAK = re.compile(b"\xc2\x85|\xe2\x80[\xa8\xa9]")
"""Characters that end a line in YAML 1.1 and none in YAML 1.2."""


@dataclass(frozen=True)
class Converted:
    """A YAML text as JSON.

    Attributes:
        text: JSON.
        places: line and column of each value, by its JSON Pointer.
    """

    text: bytes
    places: dict[str, str]


@dataclass
class _Open:
    """A mapping or a sequence that is being read.

    Attributes:
        path: to it.
        is_mapping: or a sequence.
        parts: texts of its members or elements so far.
        names: of its members.
        key: of the member that comes next.
        anchor: its own.
    """

    path: tuple[str, ...]
    is_mapping: bool
    anchor: str | None
    parts: list[bytes] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    key: str | None = None

    def text(self) -> bytes:
        joined = b",".join(self.parts)
        return b"{" + joined + b"}" if self.is_mapping else b"[" + joined + b"]"

    def next_path(self) -> tuple[str, ...]:
        return (*self.path, self.key if self.key is not None else str(len(self.parts)))


class _Converter:
    """Puts events together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: list[_Open] = []
        self.anchors: dict[str, bytes | None] = {}
        self.places: dict[str, str] = {}
        self.documents: list[bytes] = []
        self.added = 0

    def convert(self, yaml: Any, data: bytes) -> Converted:
        """Return the only document of a YAML text."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        for event in yaml.parse(data, Loader=loader):
            kind = type(event).__name__
            if kind in {"MappingStartEvent", "SequenceStartEvent"}:
                self._begin(event, is_mapping=kind.startswith("Mapping"))
            elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
                ended = self.open.pop()
                self._add(ended.text(), ended.anchor, event)
            elif kind == "ScalarEvent":
                self._scalar(event)
            elif kind == "AliasEvent":
                self._alias(event)
            elif kind == "DocumentStartEvent" and self.documents:
                raise self.wrong(
                    event, "a second document begins here; write one document, with one list"
                )
        if not self.documents:
            raise self._wrong(self.name, "is empty; write [] for no records")
        return Converted(self.documents[0], self.places)

    def _begin(self, event: Any, *, is_mapping: bool) -> None:
        self._check_tag(event)
        above = self.open[-1] if self.open else None
        if above and above.is_mapping and above.key is None:
            raise self.wrong(event, "a key must be a text, and not a list or an object")
        if len(self.open) >= MAX_DEPTH:
            raise self.wrong(event, TOO_DEEP)
        path = above.next_path() if above else ()
        self._note(path, event)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.open.append(_Open(path, is_mapping, event.anchor))

    def _scalar(self, event: Any) -> None:
        self._check_tag(event)
        above = self.open[-1] if self.open else None
        if above and above.is_mapping and above.key is None:
            self._key(above, event)
            return
        self._note(above.next_path() if above else (), event)
        plain = event.style is None or event.style == ""
        try:
            text = _plain(event.value) if plain else encode(event.value)
        except ValueError as error:
            raise self.wrong(event, str(error)) from None
        self._add(text, event.anchor, event)

    def _key(self, above: _Open, event: Any) -> None:
        name = event.value
        if name == "<<" and not event.style:
            raise self.wrong(event, "a merge key (<<) is not supported; write its members out")
        line = event.start_mark.line + 1
        if name in above.names:
            problem = f"{name} occurs twice in one object, first in line {above.names[name]}; remove one of them"
            raise self.wrong(event, problem)
        above.names[name] = line
        above.key = name
        if event.anchor:
            self.anchors[event.anchor] = encode(name)

    def _alias(self, event: Any) -> None:
        above = self.open[-1] if self.open else None
        found = self.anchors.get(event.anchor)
        if found is None:
            problem = f"the alias *{event.anchor} stands within its own anchor, or before it"
            raise self.wrong(event, problem)
        if above and above.is_mapping and above.key is None:
            raise self.wrong(event, f"a key must be a text, and not the alias *{event.anchor}")
        self.added += len(found)
        if self.added > ALIAS_BYTES:
            raise self.wrong(
                event,
                f"aliases add more than {ALIAS_BYTES >> 20} MiB to the document; write the values out",
            )
        self._note(above.next_path() if above else (), event)
        self._add(found, None, event)

    def _add(self, text: bytes, anchor: str | None, event: Any) -> None:
        if anchor:
            self.anchors[anchor] = text
        if not self.open:
            self.documents.append(text)
            return
        above = self.open[-1]
        if not above.is_mapping:
            above.parts.append(text)
        elif above.key is None:
            raise self.wrong(event, "a key must be a text")
        else:
            above.parts.append(encode(above.key) + b":" + text)
            above.key = None

    def _note(self, path: tuple[str, ...], event: Any) -> None:
        mark = event.start_mark
        self.places[join_pointer(path)] = f"{mark.line + 1}:{mark.column + 1}"

    def _check_tag(self, event: Any) -> None:
        if event.tag:
            raise self.wrong(
                event, f"the tag {event.tag} is not supported; remove it, or write a text in quotes"
            )

    def wrong(self, event: Any, problem: str) -> RecordError:
        """Return the error of an event."""
        mark = event.start_mark
        return self._wrong(f"{self.name}:{mark.line + 1}:{mark.column + 1}", problem)

    def _wrong(self, where: str, problem: str) -> RecordError:
        return RecordError("a seed file cannot be read", [Fault(where, "", "", problem)])


def to_json(name: str, data: bytes) -> Converted:
    """Return a YAML text as JSON.

    Args:
        name: of the file, for messages.
        data: the text.

    Raises:
        RecordError: it is not valid, or has what is refused.
    """
    import yaml  # noqa: PLC0415 - for the runs without YAML

    if odd := ODD_BREAK.search(data):
        character = odd[0].decode()
        problem = (
            f"has the character U+{ord(character):04X}, which the versions of YAML read differently; write"
            f" \\u{ord(character):04x} in double quotes"
        )
        line = data.count(b"\n", 0, odd.start()) + 1
        raise RecordError("a seed file cannot be read", [Fault(f"{name}:{line}", "", "", problem)])
    try:
        return _Converter(name).convert(yaml, data)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = ", ".join(filter(None, [error.context, error.problem]))
        indented = data.split(b"\n")[mark.line] if mark and mark.line <= data.count(b"\n") else b""
        if indented.lstrip(b" ").startswith(b"\t"):
            problem = "the line is indented with a tab; YAML allows spaces alone"
        fault = Fault(where, "", "", f"is not valid YAML: {problem}")
    except yaml.YAMLError as error:
        fault = Fault(name, "", "", f"is not valid YAML: {' '.join(str(error).split())}")
    raise RecordError("a seed file cannot be read", [fault])


def _plain(value: str) -> bytes:
    """Return the JSON text of a value that has no quotes."""
    if value in CONSTANTS:
        return CONSTANTS[value]
    if NO_NUMBER.fullmatch(value):
        raise ValueError("JSON has no NaN and no infinity; write null, or a text in quotes")
    if OTHER_BASE.fullmatch(value):
        return str(int(value, 0)).encode()
    found = NUMBER.fullmatch(value)
    if not found or not (found[2] or (found[3] or "").strip(".")):
        return encode(value)
    sign, whole, fraction, exponent = found.groups(default="")
    fraction = "" if fraction == "." else fraction
    return f"{sign.strip('+')}{whole or '0'}{fraction}{exponent}".encode()
