"""Where the answer of a confirming request goes: into the record, one field of it, or a path within one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from compose_seeder.errors import did_you_mean
from compose_seeder.exact_json import Json
from compose_seeder.http_client.call import AnswerError
from compose_seeder.json_pointer import follow_pointer, leads_to_null
from compose_seeder.manifest.http_options import Confirm
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.json_values import decode_fields


def path_of(into: str | None, fields: Collection[str]) -> tuple[str, ...]:
    """Return the names that `into` leads through: `translations.ru` is two, unless a field is called so."""
    if into is None:
        return ()
    return (into,) if into in fields else tuple(into.split("."))


def part_of(confirm: Confirm, answer: Json) -> Json:
    """Return the part of an answer that a confirming request is about.

    Raises:
        AnswerError: the answer has nothing at `items`, or is no record where it should be one.
    """
    found = follow_pointer(answer, confirm.items)
    if found is None and confirm.items and not leads_to_null(answer, confirm.items):
        raise AnswerError(f"{confirm.request}: the answer has nothing at items = {confirm.items}")
    if confirm.into is None and not isinstance(found, dict):
        raise AnswerError(
            f"{confirm.request}: the answer is not a record; name a request that answers with an object, say in"
            " `items` where it is, or set `into` to the field that receives the answer"
        )
    by = confirm.by
    if by is None or not isinstance(found, list):
        return found
    rows = [row for row in found if isinstance(row, dict) and by in row]
    return {str(row[by]): {k: v for k, v in row.items() if k != by} for row in rows}


def put_part(value: Json, path: Sequence[str], part: Json) -> Json:
    """Return a value with another part at a path; objects on the way are made where they are missing."""
    if not path:
        return part
    parts = dict(value) if isinstance(value, dict) else {}
    return {**parts, path[0]: put_part(parts.get(path[0]), path[1:], part)}


def without_part(value: Json, path: Sequence[str]) -> Json:
    """Return a value that shows nothing at a path, and an object where it would be."""
    parts = dict(value) if isinstance(value, dict) else {}
    if len(path) == 1:
        return {name: part for name, part in parts.items() if name != path[0]}
    return {**parts, path[0]: without_part(parts.get(path[0]), path[1:])}


def into_faults(dataset: Dataset, desired: Sequence[Desired]) -> Iterator[str]:
    """Yield what is wrong with each `into` that leads to no field of the records."""
    fields = dict.fromkeys(name for record in desired for name in record.document)
    for confirm in dataset.http.confirm:
        path = path_of(confirm.into, fields)
        if path and desired and not _is_named(path, fields, desired):
            yield (
                f"dataset {dataset.name}: http.confirm has into = {confirm.into}, but no record has that"
                f" field{did_you_mean(path[0], list(fields)) if path[0] not in fields else ''}"
            )


def _is_named(path: Sequence[str], fields: Mapping[str, None], desired: Sequence[Desired]) -> bool:
    if path[0] not in fields or len(path) == 1:
        return path[0] in fields
    return any(_leads_in(decode_fields(record), path) for record in desired)


def _leads_in(value: Json, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True
