"""The datasets of a manifest: types, defaults, and rules across keys."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from compose_seeder.sources.glob import has_wildcards

Name = Annotated[str, Field(min_length=1)]
Pointer = Annotated[str, Field(pattern=r"^(/.*)?$")]
Read = Annotated[str, Field(pattern=r"^GET /\S*$")]
Create = Annotated[str, Field(pattern=r"^(POST|PUT) /\S*$")]
Update = Annotated[str, Field(pattern=r"^(PUT|PATCH|POST) /\S*$")]
Delete = Annotated[str, Field(pattern=r"^(DELETE|POST) /\S*$")]
OnDrift = Literal["keep", "overwrite", "fail"]

PART = re.compile(r'"(?:[^"]|"")+"|[^".]+')
TABLE = re.compile(rf"(?:{PART.pattern})(?:\.(?:{PART.pattern}))?")
"""`table` or `schema.table`; what has a dot or a quote in it stands in double quotes."""


class Model(BaseModel):
    """Frozen, strict, and no unknown keys: a misspelt option must not pass for a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


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


class Confirm(Model):
    """One request that reads back what was written; its answer may go `into` one field."""

    request: Read
    into: Name | None = None
    by: Name | None = None


class Pages(Model):
    """How a list that comes in pages is followed, in one of three ways.

    Attributes:
        link: by the `Link` header with `rel="next"` (RFC 8288).
        next: JSON Pointer to the next page's URL in an answer, or to the cursor of it.
        cursor: the query parameter that takes the cursor.
        offset: the query parameter that takes the number of records to leave out.
        limit: the query parameter that takes the size of a page.
        size: of a page.
    """

    link: bool = False
    next: Annotated[str, Field(pattern=r"^/.+$")] | None = None
    cursor: Name | None = None
    offset: Name | None = None
    limit: Name | None = None
    size: Annotated[int, Field(ge=1)] = 100

    @property
    def limits(self) -> dict[str, str]:
        """The query parameter for the size of a page."""
        return {self.limit: str(self.size)} if self.limit else {}

    @model_validator(mode="after")
    def _one_way(self) -> Pages:
        if sum(map(bool, (self.link, self.next, self.offset))) != 1:
            raise ValueError("needs exactly one of link, next and offset")
        if self.cursor and not self.next:
            raise ValueError("cursor is for next")
        if self.limit and not self.offset:
            raise ValueError("limit is for offset")
        return self


class Bulk(Model):
    """One request that creates many records, and answers with them in the same order.

    Attributes:
        request: takes an array of records.
        size: how many records one request takes at most.
        into: the field of an object that takes the array; without it, the array is the body.
        items: JSON Pointer to the array in the answer.
    """

    request: Create
    size: Annotated[int, Field(ge=2, le=10_000)] = 100
    into: Name | None = None
    items: Pointer = ""


class Http(Model):
    """How an endpoint's records are found, created, updated, deleted and read back.

    Attributes:
        list_: answers with all records; or
        get: answers with the record of a key, by its fields in the path.
        exists: status by which `create` says that the record is there already.
    """

    create: Create | None = None
    bulk: Bulk | None = None
    update: Update | None = None
    delete: Delete | None = None
    list_: Read | None = Field(default=None, alias="list")
    get: Read | None = None
    items: Pointer = ""
    pages: Pages | None = None
    exists: Annotated[int, Field(ge=400, le=499)] | None = None
    idempotency_key: bool = False
    confirm: tuple[Confirm, ...] = ()
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4

    def faults(self, key: tuple[str, ...], *, prune: bool) -> list[str]:
        """What is wrong across keys, for records with this key."""
        found = []
        if self.create is None:
            found.append(f'http.create is missing: say how, as in create = "{EXAMPLES["create"]}"')
        if self.list_ is None and self.get is None:
            found.append(
                "http.list is missing, or http.get: say how, as in"
                f' list = "{EXAMPLES["list"]}" or get = "{EXAMPLES["get"]}"'
            )
        if self.list_ and self.get:
            found.append("http.list and http.get are both there: records are found in one way")
        if self.get and not any(f"{{{field}}}" in self.get for field in key):
            found.append(
                f"http.get names no field of the key, as in {EXAMPLES['get']}: it cannot find a record"
            )
        if self.get and self.pages:
            found.append("http.pages is for http.list")
        if prune and self.delete is None:
            found.append(f'prune needs http.delete: say how, as in delete = "{EXAMPLES["delete"]}"')
        if self.get and prune:
            found.append(
                "prune needs http.list: the ledger knows hashes of keys alone, and cannot ask for"
                " records that are not in the file any more"
            )
        found += [
            f"http.{name} names {{live.…}}, and no record of the API is known then"
            for name, request in self._first_requests()
            if "{live." in (request or "")
        ]
        if self.bulk and "{" in self.bulk.request:
            found.append("http.bulk is for many records, and cannot name a field of one")
        return found

    def _first_requests(self) -> list[tuple[str, str | None]]:
        return [("create", self.create), ("list", self.list_), ("get", self.get)]


class FieldRules(Model):
    """What holds for one field of a dataset.

    Attributes:
        on_drift: what to do where it was edited by hand; the dataset's own by default.
        once: written when a record is created, and neither compared nor written after that.
        secret: its values are never shown.
    """

    on_drift: OnDrift | None = None
    once: bool = False
    secret: bool = False


class Dataset(Model):
    """An ordered set of records with a key, one source and one target."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    source: Name
    env: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    schema_: Name | None = Field(default=None, alias="schema")
    records: Pointer = ""
    table: Name | None = None
    endpoint: Annotated[str, Field(pattern=r"^/\S*$")] | None = None
    key: Annotated[tuple[Name, ...], Field(min_length=1)]
    on_drift: OnDrift = "keep"
    prune: bool = False
    max_prune: Annotated[float, Field(gt=0, le=1)] = 0.1
    ignore: tuple[Name, ...] = ()
    drop_null: bool = False
    fields: dict[Name, FieldRules] = {}
    nest: dict[Name, Nest] = {}
    refs: dict[Name, Ref] = {}
    http: Http = Field(default_factory=lambda: Http.model_validate({}))

    @property
    def target(self) -> str:
        """The target as people call it: `table monsters` or `endpoint /monsters`."""
        return f"table {self.table}" if self.table else f"endpoint {self.endpoint}"

    def is_referred_to(self, ref: Ref) -> bool:
        """Whether a reference leads into the table of this dataset."""
        return self.table is not None and _bare(self.table) == _bare(ref.table)

    @property
    def is_text(self) -> bool:
        """Whether every value of the source is text (CSV), whatever it stands for."""
        name = self.source if has_wildcards(self.source) else self.source.partition("?")[0]
        return name.removesuffix(".gz").removesuffix(".zst").endswith(".csv")

    @property
    def secrets(self) -> set[str]:
        """The fields whose values are never shown."""
        return {name for name, rule in self.fields.items() if rule.secret}

    @model_validator(mode="after")
    def _rules_across_keys(self) -> Dataset:
        broken = [
            *self._target_faults(),
            *self._pattern_faults(),
            *(f"key {name} is in ignore as well" for name in self.key if name in self.ignore),
            *(f"nest.{name} has the name of a key" for name in self.nest if name in self.key),
            *(f"nest.{name} is in refs as well" for name in self.nest if name in self.refs),
            *(f"fields.{name} is in ignore as well" for name in self.fields if name in self.ignore),
            *(
                f"fields.{name} is a key: it cannot drift, and messages name records by it"
                for name in self._ruled_keys()
            ),
        ]
        if broken:
            raise ValueError("; ".join(broken))
        return self

    def _pattern_faults(self) -> list[str]:
        if self.sha256 and has_wildcards(self.source):
            return ["sha256 pins one source, and source is a pattern that stands for several"]
        if self.schema_ and has_wildcards(self.schema_):
            return ["schema is a pattern, and a schema is one file"]
        return []

    def _ruled_keys(self) -> list[str]:
        rules = ((name, self.fields.get(name)) for name in self.key)
        return [name for name, rule in rules if rule]

    def _target_faults(self) -> list[str]:
        if (self.table is None) == (self.endpoint is None):
            return ["needs exactly one of table and endpoint"]
        named = {"table": self.table or "t"} | {
            f"refs.{n}.table": r.table for n, r in self.refs.items()
        }
        found = [
            f"{where} is written name or schema.name, and a name with a dot or a quote in it in double quotes;"
            f" found {name}"
            for where, name in named.items()
            if not TABLE.fullmatch(name)
        ]
        if self.table is None:
            return found + self.http.faults(self.key, prune=self.prune)
        if "http" in self.model_fields_set:
            found.append("http is for an endpoint, this dataset has a table")
        return found


def _bare(table: str) -> str:
    return table.replace('"', "").removeprefix("public.")


EXAMPLES = {
    "list": "GET /monsters",
    "get": "GET /monsters/{slug}",
    "create": "POST /monsters",
    "delete": "DELETE /monsters/{live.id}",
}


class Manifest(Model):
    """All datasets, in the order in which they are seeded."""

    datasets: tuple[Dataset, ...]
