"""The datasets of a manifest: types, defaults, and rules across keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from compose_seeder.manifest.base import Model, Name, Pointer
from compose_seeder.manifest.http_options import Http
from compose_seeder.manifest.name_pattern import select_names
from compose_seeder.manifest.shape_options import ShapeOptions
from compose_seeder.manifest.table_name import TABLE_NAME, regclass
from compose_seeder.sources.format import format_of
from compose_seeder.sources.glob import has_wildcards

OnDrift = Literal["keep", "overwrite", "fail"]


class Nest(Model):
    """Children of a record, from another array of the same document.

    Attributes:
        records: JSON Pointer to the array of children.
        match: child field -> record field that must be equal.
        by: child field whose value becomes the key of an object; a list without it.
    """

    records: Pointer
    match: Annotated[dict[Name, Name], Field(min_length=1)]
    by: Name | None = None


class Ref(Model):
    """A natural key in the file, an id in the target."""

    from_: Name = Field(alias="from")
    table: Name
    match: Name
    take: Name


class FieldRules(Model):
    """The rules for one field of a dataset.

    Attributes:
        on_drift: what happens to an edit by hand; the dataset's own rule by default.
        once: written when a record is created, and neither compared nor written after that.
        secret: its values are never shown.
        unseen: what happens when the file changes a field that no answer of the API shows: it is named and not sent,
            or sent over whatever is there.
    """

    on_drift: OnDrift | None = None
    once: bool = False
    secret: bool = False
    unseen: Literal["keep", "overwrite"] = "keep"


class Dataset(ShapeOptions):
    """An ordered set of records with a key, one source and one target."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    source: Name
    env: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    schema_: Name | None = Field(default=None, alias="schema")
    table: Name | None = None
    endpoint: Annotated[str, Field(pattern=r"^/\S*$")] | None = None
    key: Annotated[tuple[Name, ...], Field(min_length=1)]
    on_drift: OnDrift = "keep"
    prune: bool = False
    max_prune: Annotated[float, Field(gt=0, le=1)] = 0.1
    ignore: tuple[Name, ...] = ()
    drop_null: bool = False
    fields: dict[Name, FieldRules] = Field(default={})
    nest: dict[Name, Nest] = Field(default={})
    refs: dict[Name, Ref] = Field(default={})
    http: Http = Field(default_factory=lambda: Http.model_validate({}))

    @property
    def target(self) -> str:
        """The target as people call it: `table monsters` or `endpoint /monsters`."""
        return f"table {self.table}" if self.table else f"endpoint {self.endpoint}"

    @property
    def relation(self) -> str | None:
        """The table's name as `to_regclass` reads it; None for an endpoint."""
        return regclass(self.table) if self.table else None

    def is_referred_to(self, ref: Ref) -> bool:
        """Tell if a reference leads into the table of this dataset."""
        return self.table is not None and _unquoted(self.table) == _unquoted(ref.table)

    @property
    def ignores_patterns(self) -> bool:
        """Return whether `ignore` has names with `*`."""
        return any("*" in name for name in self.ignore)

    def ignored(self, names: Iterable[str]) -> list[str]:
        """Return those of some fields that are left out."""
        return select_names(self.ignore, names)

    @property
    def is_text(self) -> bool:
        """True where every value of the source is text (CSV), whatever its meaning."""
        name = self.source if has_wildcards(self.source) else self.source.partition("?")[0]
        return format_of(name, self.format) in {"csv", "tsv"}

    @property
    def secrets(self) -> set[str]:
        """The fields whose values are never shown."""
        return {name for name, rule in self.fields.items() if rule.secret}

    @model_validator(mode="after")
    def _rules_across_keys(self) -> Dataset:
        faults = [
            *self._target_faults(),
            *self._pattern_faults(),
            *self.shape_faults(self.key, {*self.refs, *self.nest}),
            *(
                f"key {name} is also in ignore; remove it from ignore"
                for name in self.ignored(self.key)
            ),
            *(
                f"nest.{name} has the name of a key; rename it"
                for name in self.nest
                if name in self.key
            ),
            *(
                f"nest.{name} is also in refs; remove one of them"
                for name in self.nest
                if name in self.refs
            ),
            *(
                f"fields.{name} is also in ignore; remove one of them"
                for name in self.ignored(self.fields)
            ),
            *(
                f"fields.{name} is a key, which cannot drift and which messages show; remove the rules"
                for name in self._keys_with_rules()
            ),
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _pattern_faults(self) -> list[str]:
        if self.sha256 and has_wildcards(self.source):
            return [
                "sha256 is the checksum of one file, but source is a pattern; remove sha256, or name the file"
            ]
        if self.csv and not self.is_text:
            return ["csv is for CSV and TSV, and source is neither; remove csv, or set format"]
        if self.schema_ and has_wildcards(self.schema_):
            return ["schema must be one file, and not a pattern"]
        return []

    def _keys_with_rules(self) -> list[str]:
        rules = ((name, self.fields.get(name)) for name in self.key)
        return [name for name, rule in rules if rule]

    def _target_faults(self) -> list[str]:
        if (self.table is None) == (self.endpoint is None):
            return ["needs exactly one of table and endpoint"]
        named = {"table": self.table or "t"} | {
            f"refs.{n}.table": r.table for n, r in self.refs.items()
        }
        found = [
            f"{where} must be name or schema.name, with double quotes around a name that has a dot or a quote in it;"
            f" found {name}"
            for where, name in named.items()
            if not TABLE_NAME.fullmatch(name)
        ]
        if self.table is None:
            return found + self.http.faults(self.key, prune=self.prune)
        if "http" in self.model_fields_set:
            found.append("http is for an endpoint, but this dataset has a table; remove http")
        return found


def _unquoted(table: str) -> str:
    return table.replace('"', "").removeprefix("public.")


class Manifest(Model):
    """All datasets, in the order in which they are seeded."""

    datasets: tuple[Dataset, ...]
