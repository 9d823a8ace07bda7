"""The shape that a manifest gives to the elements of a document, so that they become records; and back.

    element ─▶ object (`columns`, `value_as`) ─▶ `where` ─▶ `map` ─▶ `key_as`, `outer`, `constants` ─▶ record
    record ─▶ `invert` ─▶ element, as it was except for what differs

Everything after it sees ordinary records. Values stay raw JSON text, both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Raw, ValidationError
from msgspec.json import decode, encode

from compose_seeder.documents.batch import fields_of
from compose_seeder.documents.elements import Layout
from compose_seeder.documents.field_reading import Reading
from compose_seeder.documents.field_writing import NotInvertibleError, write_back
from compose_seeder.documents.pointer_pattern import Match, PointerPattern, kind_of, member
from compose_seeder.documents.record_filter import Constant, RecordFilter
from compose_seeder.documents.record_values import NULL
from compose_seeder.json_pointer import STAR, split_pointer
from compose_seeder.manifest.field_map import FieldMap, Fields
from compose_seeder.manifest.file_name import fill_parts, names_file
from compose_seeder.manifest.models import Dataset

NAME_SIGN = "#"
"""In `outer`: the name for which the `*` of `records` stands."""


class WrongElementError(Exception):
    """An element has not the form that the manifest says."""


@dataclass(frozen=True)
class Shape:
    """What a dataset's manifest says about the form of its file.

    Attributes:
        layout: where the elements are.
        map_: which members become which fields; all of them without.
        where: which elements belong to the dataset.
        columns: the names of the values, where an element is an array.
        value_as: the field that gets the whole element.
        key_as: the field that gets the name under which an object holds the element.
        outer: field -> pointer to a value around the element.
        constants: field -> value.
    """

    layout: Layout
    map_: FieldMap | None = None
    where: RecordFilter | None = None
    columns: tuple[str, ...] = ()
    value_as: str | None = None
    key_as: str | None = None
    outer: Mapping[str, str] | None = None
    constants: Mapping[str, Constant] | None = None

    def object_of(self, text: Raw | bytes) -> Fields:
        """Return the element as an object.

        Raises:
            WrongElementError: it has another form.
            msgspec.DecodeError: the text is no JSON.
        """
        if self.value_as:
            return {self.value_as: decode(text, type=Raw)}
        if not self.columns:
            try:
                return fields_of(text)
            except ValidationError:
                raise WrongElementError(self._not_an_object(text)) from None
        try:
            values = decode(text, type=list[Raw])
        except ValidationError:
            raise WrongElementError(f"is {kind_of(text)}, but columns expects an array") from None
        if len(values) != len(self.columns):
            raise WrongElementError(
                f"has {len(values)} values, but columns has {len(self.columns)} names"
            )
        return dict(zip(self.columns, values, strict=True))

    def _not_an_object(self, text: Raw | bytes) -> str:
        kind = kind_of(text)
        remedy = (
            'name its values in the manifest, as in columns = ["code", "name"]'
            if kind == "an array"
            else 'name the field that gets it, as in value_as = "name"'
        )
        return f"is {kind}, but must be an object; {remedy}"

    def read(self, element: Fields, used: set[str] | None = None) -> Reading:
        """Return the fields that an element's members become.

        Args:
            element: as an object.
            used: gets the rules that find something.
        """
        if self.map_ is None:
            return Reading(EVERYTHING, element)
        reading = Reading(self.map_, used=set() if used is None else used)
        root = self.map_.root
        if root.fields:
            whole = Raw(encode(element))
            reading.fields = dict.fromkeys(root.fields, whole)
            reading.used.update(root.fields)
        reading.read_members(root, element)
        return reading

    def added(self, file: str, match: Match | None) -> Fields:
        """Return the fields that do not come from an element, and are the same for all at one place.

        Args:
            file: the path of its file.
            match: the place.

        Raises:
            LookupError: the file's path has no such folder.
            NoSuchPlaceError: a member on the way to a value is there twice.
        """
        found = {
            name: Raw(encode(fill_parts(value, file) if isinstance(value, str) else value))
            for name, value in (self.constants or {}).items()
        }
        for name, pointer in (self.outer or {}).items():
            value = _outer_value(pointer, match) if match else None
            if value is not None:
                found[name] = value
        return found

    @property
    def one_way(self) -> str:
        """Say why a record that is new in the target could not be written into the file; "" where it could."""
        if self.map_ and (reason := self.map_.overlap()):
            return reason
        if any(names_file(value) for value in (self.constants or {}).values()):
            return "constants has a part of the file's name: a new record would have no file"
        if self.layout.pattern.stars:
            return f"records has {STAR}: a new record would have no place"
        return ""

    def invert(
        self,
        fields: Mapping[str, Raw],
        added: Mapping[str, Raw],
        before: Raw | None = None,
    ) -> tuple[str | None, Raw]:
        """Return the element that becomes some fields: its name, where an object holds it, and its text.

        Args:
            fields: of the record, as they are to be.
            added: what `added` returns for the element's place.
            before: the element as it was, of which everything else stays; None for a new one.

        Raises:
            NotInvertibleError: there is no such element, at this place.
        """
        own = dict(fields)
        name = self._name_of(own)
        for field, value in added.items():
            if field in own and own[field] != value:
                raise NotInvertibleError(
                    f"{field} does not come from the record itself, and cannot be changed there"
                )
            if field in own:
                del own[field]
            else:
                raise NotInvertibleError(f"{field} cannot be removed: {self._source_of(field)}")
        former = None if before is None else self.object_of(before)
        if former is not None:
            # A member that says the same as the field that is added stays.
            shown = self.read(former).fields
            repeated = {**added, **({self.key_as: fields[self.key_as]} if self.key_as else {})}
            own |= {field: value for field, value in repeated.items() if field in shown}
        if self.map_ is not None:
            given = None if former is None else Raw(encode(former))
            element = decode(write_back(self.map_, own, given), type=Fields)
        else:
            element = own
        element = self._with_conditions(element)
        return name, self._text(element)

    def _name_of(self, own: Fields) -> str | None:
        if not self.key_as:
            return None
        value = own.pop(self.key_as, NULL)
        if kind_of(value) != "text":
            raise NotInvertibleError(f"{self.key_as} must be text: it is the name of a member")
        return decode(value, type=str)

    def _source_of(self, field: str) -> str:
        return "it is a constant" if field in (self.constants or {}) else "it comes from outside"

    def _with_conditions(self, element: Fields) -> Fields:
        """Return the element with what `where` expects, where it does not say so itself."""
        if self.where is None:
            return element
        for name, value in self.where.conditions.items():
            if name.startswith("/") or isinstance(value, tuple):
                continue
            element.setdefault(name, Raw(encode(value)))
        if not self.where.holds(element):
            raise NotInvertibleError("where would not select the record any more")
        return element

    def _text(self, element: Fields) -> Raw:
        if self.value_as:
            if [*element] != [self.value_as]:
                raise NotInvertibleError(f"the element holds {self.value_as} and nothing else")
            return element[self.value_as]
        if not self.columns:
            return Raw(encode(element))
        if unknown := element.keys() - set(self.columns):
            raise NotInvertibleError(f"columns does not name {min(unknown)}")
        return Raw(encode([element.get(name, NULL) for name in self.columns]))


EVERYTHING = FieldMap({STAR: f"/{STAR}"})
"""The map of a dataset without one."""


def shape_of(dataset: Dataset) -> Shape | None:
    """Return the shape that a dataset's manifest describes; None where its records stand in the file as they are."""
    is_csv = dataset.is_text  # where columns are the names of a file without a header
    columns = () if is_csv else dataset.columns
    if not (dataset.has_shape or columns):
        return None
    pattern = PointerPattern(dataset.records)
    return Shape(
        Layout(pattern, keyed=bool(dataset.key_as), single=dataset.single),
        FieldMap(dataset.map_) if dataset.map_ else None,
        RecordFilter(dataset.where, is_text=is_csv) if dataset.where else None,
        columns,
        dataset.value_as,
        dataset.key_as,
        dataset.outer,
        dataset.constants,
    )


def _outer_value(pointer: str, match: Match) -> Raw | None:
    names = split_pointer(pointer)
    if names[-1:] == [NAME_SIGN]:
        name, _ = match.stars[names.count(STAR) + 1]
        return Raw(encode(name))
    last = max((n for n, part in enumerate(names) if part == STAR), default=-1)
    raw: Raw | None = match.stars[names.count(STAR)][1]
    path = match.path[: last + 1]
    for name in names[last + 1 :]:
        if raw is None or raw == NULL:
            return raw
        raw = member(raw, name, path)
        path = (*path, name)
    return raw
