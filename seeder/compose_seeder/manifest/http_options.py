"""The requests of an endpoint: `[dataset.http]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from compose_seeder.manifest.base import Model, Name, Pointer

Read = Annotated[str, Field(pattern=r"^GET /\S*$")]
Create = Annotated[str, Field(pattern=r"^(POST|PUT) /\S*$")]
Update = Annotated[str, Field(pattern=r"^(PUT|PATCH|POST) /\S*$")]
Delete = Annotated[str, Field(pattern=r"^(DELETE|POST) /\S*$")]


class Confirm(Model):
    """One request that reads back what was written.

    Attributes:
        request: answers with the record, or with a part of it.
        items: JSON Pointer to what of the answer is meant.
        into: the field that receives it, or a path within one: `translations.ru`; without, it is the record.
        by: turns an array of objects into an object by this field.
    """

    request: Read
    items: Pointer = ""
    into: Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")] | None = None
    by: Name | None = None


class Pages(Model):
    """How the pages of a list are followed, in one of three ways.

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
            raise ValueError("cursor needs next; add next, or remove cursor")
        if self.limit and not self.offset:
            raise ValueError("limit needs offset; add offset, or remove limit")
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
        empty: status by which `list` says that there are no records; 200 for one whose answer has no array then.
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
    empty: Literal[200] | Annotated[int, Field(ge=400, le=499)] | None = None
    exists: Annotated[int, Field(ge=400, le=499)] | None = None
    idempotency_key: bool = False
    confirm: tuple[Confirm, ...] = ()
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4

    def faults(self, key: tuple[str, ...], *, prune: bool) -> list[str]:
        """Return the faults that concern several keys of a dataset with this key."""
        return [
            *self._missing_requests(prune=prune),
            *self._get_faults(key, prune=prune),
            *self._placeholder_faults(),
        ]

    def _missing_requests(self, *, prune: bool) -> Iterator[str]:
        if self.create is None:
            yield f'http.create is missing; add a request, as in create = "{EXAMPLES["create"]}"'
        if self.list_ is None and self.get is None:
            yield (
                "http.list or http.get is missing; add a request, as in"
                f' list = "{EXAMPLES["list"]}" or get = "{EXAMPLES["get"]}"'
            )
        if prune and self.delete is None:
            yield f'prune needs http.delete; add a request, as in delete = "{EXAMPLES["delete"]}"'

    def _get_faults(self, key: tuple[str, ...], *, prune: bool) -> Iterator[str]:
        if self.get is None:
            return
        if self.list_:
            yield "http.list and http.get exclude each other; remove one of them"
        if not any(f"{{{field}}}" in self.get for field in key):
            yield f"http.get must name a field of the key to find a record, as in {EXAMPLES['get']}"
        if self.empty:
            yield "http.empty needs http.list, and http.get is set; remove one of them"
        if self.pages:
            yield "http.pages needs http.list, and http.get is set; remove one of them"
        if prune:
            yield (
                "prune needs http.list: the ledger has only hashes of keys, and http.get cannot ask for"
                " records that are no longer in the file"
            )

    def _placeholder_faults(self) -> Iterator[str]:
        for name, request in (("create", self.create), ("list", self.list_), ("get", self.get)):
            if "{live." in (request or ""):
                yield (
                    f"http.{name} names {{live.…}}, but the API's record is not known at that time;"
                    " name fields of the record instead"
                )
        if self.bulk and "{" in self.bulk.request:
            yield "http.bulk creates many records, and cannot name a field of one; remove the {…}"


EXAMPLES = {
    "list": "GET /monsters",
    "get": "GET /monsters/{slug}",
    "create": "POST /monsters",
    "delete": "DELETE /monsters/{live.id}",
}
