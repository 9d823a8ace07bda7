"""The keys of a dataset that give its file's records their shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from compose_seeder.json_pointer import split_pointer
from compose_seeder.manifest.base import Model, Name, Pointer
from compose_seeder.manifest.csv_options import CsvOptions
from compose_seeder.manifest.field_map import FieldMap
from compose_seeder.manifest.file_name import KNOWN, unknown_parts
from compose_seeder.sources.encoding import is_known
from compose_seeder.sources.format import Format, format_of

Constant = str | bool | int | float


class ShapeOptions(Model):
    """Where a file's records are, and which values become which fields.

    Attributes:
        format: how the file is read; by the ending of its name otherwise.
        encoding: of its text, if it is not UTF-8.
        csv: how a CSV file is written.
        records: JSON Pointer to the records; `*` stands for every part, `**` for all levels below.
        single: the pointer leads to one record.
        key_as: an object holds the records, each under its key, which this field gets.
        value_as: the field that gets a record that is no object.
        columns: the names of the values of a record that is an array, or of a CSV file without a header.
        where: the records that are meant: a field, or a pointer, with its value, or with several.
        map_: field -> JSON Pointer into the record; `*` in both lifts all members that no other rule reads.
        outer: field -> JSON Pointer into the document, with the `*` of `records`.
        constants: field -> value; `{file.stem}` is a part of the file's name.
    """

    format: Format | None = None
    encoding: Name | None = None
    csv: CsvOptions | None = None
    records: Pointer = ""
    single: bool = False
    key_as: Name | None = None
    value_as: Name | None = None
    columns: tuple[Name, ...] = ()
    where: dict[Name, Constant | Annotated[tuple[Constant, ...], Field(min_length=1)]] = Field(
        default={}
    )
    map_: dict[Name, Pointer] = Field(default={}, alias="map")
    outer: dict[Name, Annotated[str, Field(pattern=r"^/.+$")]] = Field(default={})
    constants: dict[Name, Constant] = Field(default={})

    @property
    def has_shape(self) -> bool:
        """True where the file's records do not stand in one list of objects as they are, `columns` aside."""
        return bool(
            self.single
            or self.key_as
            or self.value_as
            or self.where
            or self.map_
            or self.outer
            or self.constants
            or "*" in split_pointer(self.records)
        )

    def csv_options(self, name: str) -> CsvOptions:
        """Return how a CSV or TSV file of this name is written."""
        options = self.csv or CsvOptions()
        is_tsv = format_of(name, self.format) == "tsv"
        return (
            options.model_copy(update={"separator": options.separator or "\t"})
            if is_tsv
            else options
        )

    @property
    def unset_shape(self) -> set[str]:
        """The keys of the shape that say nothing: what does not use them has the fingerprint that it always had."""
        names = ShapeOptions.model_fields.keys() - {"records"}
        return {name for name in names if not getattr(self, name)}

    @property
    def told_by_texts(self) -> set[str]:
        """The keys that change nothing about a record whose text is the same."""
        names = ShapeOptions.model_fields.keys() - {"records"}
        return {name for name in names if name != "format" or not self.format}

    def shape_faults(self, key: tuple[str, ...], others: set[str]) -> Iterator[str]:
        """Yield the faults that concern several of these keys.

        Args:
            key: of the dataset.
            others: fields that come from elsewhere.
        """
        if self.single and self.key_as:
            yield "single and key_as exclude each other; remove one of them"
        parts = split_pointer(self.records)
        if "**" in parts and (parts.index("**") < len(parts) - 1 or not self.key_as):
            yield (
                "records has **, which stands for all levels below: it must be the last part, and key_as gets the names"
                " on the way, joined with points"
            )
        if self.value_as and self.columns:
            yield "value_as and columns exclude each other; remove one of them"
        if self.encoding and not is_known(self.encoding):
            yield f'encoding {self.encoding} is not known; write one such as "cp1252" or "utf-16"'
        if self.csv:
            yield from self.csv.faults()
        yield from self._twice()
        yield from FieldMap(self.map_).faults()
        yield from self._constant_faults()
        for name, pointer in self.outer.items():
            yield from self._outer_faults(name, pointer)
        yield from self._missing_key(key, others)

    def _twice(self) -> Iterator[str]:
        given = [*self.map_, *self.outer, *self.constants, *([self.key_as] if self.key_as else [])]
        for name in dict.fromkeys(given):
            if given.count(name) > 1:
                yield f"{name} gets a value twice, of map, key_as, outer or constants; remove one of them"
        for name in dict.fromkeys(self.columns):
            if self.columns.count(name) > 1:
                yield f"columns has {name} twice; rename one of them"

    def _constant_faults(self) -> Iterator[str]:
        for name, value in self.constants.items():
            for part in unknown_parts(value):
                yield f"constants.{name} has {part}, which no file has; there are {KNOWN}"

    def _outer_faults(self, name: str, pointer: str) -> Iterator[str]:
        parts, own = split_pointer(pointer), split_pointer(self.records)
        is_name = parts[-1] == "#"
        if is_name:
            parts = [*parts[:-1], "*"]
        stars = [n for n, part in enumerate(parts) if part == "*"]
        end = stars[-1] + 1 if stars else 0
        if (is_name and not stars) or parts[:end] != own[:end]:
            yield (
                f"outer.{name} reads {pointer}, but records is {self.records or 'the document'}: up to its last *"
                " both must be the same"
            )

    def _missing_key(self, key: tuple[str, ...], others: set[str]) -> Iterator[str]:
        known = {*self.outer, *self.constants, *others, *([self.key_as] if self.key_as else [])}
        if self.map_:
            rules = FieldMap(self.map_)
        elif self.columns or self.value_as:
            known |= {*self.columns, *([self.value_as] if self.value_as else [])}
            rules = FieldMap({})
        else:
            return
        for name in key:
            if name not in known and not rules.owner(name):
                yield (
                    f"key {name} is a field that no record gets; add it to"
                    f" {'map' if self.map_ else 'columns' if self.columns else 'constants'}"
                )
