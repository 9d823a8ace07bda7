"""Raw records to desired ones: what the seed file says, with the target's fields.

raw records ─▶ drop ─▶ resolve references ─▶ check keys ─▶ desired
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import Raw

from compose_seeder.documents.batch import Documents, RawRecord
from compose_seeder.documents.record_values import (
    NULL,
    SECRET,
    ExactValue,
    Scalar,
    format_key,
    from_exact,
    to_exact,
    to_scalar,
)
from compose_seeder.documents.shape_hint import hint_for_key
from compose_seeder.errors import ChildrenError, Fault, RecordError, closest_match, quote
from compose_seeder.exact_json import encode
from compose_seeder.manifest.models import Dataset, Ref

Lookup = Callable[[Ref, list[ExactValue]], Mapping[ExactValue, list[Any]]]
"""Given a reference and the values a file holds: for each value, the ids that the target has."""


PENDING = object()
"""Stands for an id that an earlier dataset of the same plan will create."""


@dataclass(frozen=True, slots=True)
class Desired:
    """A record as the target should hold it.

    Attributes:
        position: in the file, from 0.
        where: file and JSON Pointer, for messages.
        key: the values of the key fields.
        document: field -> raw JSON.
        pending: in a plan, the key holds an id that is yet to be made; such a record can only be new.
        deferred: references whose ids are yet to be made: field -> natural key, and whether it is this dataset that
            makes it, or, in a plan, an earlier one.
    """

    position: int
    where: str
    key: tuple[Scalar, ...]
    document: dict[str, Raw]
    pending: bool = False
    deferred: Mapping[str, tuple[Raw, bool]] | None = None


def stage(dataset: Dataset, raw: list[RawRecord], lookup: Lookup, first: int = 0) -> list[Desired]:
    """Return the desired records of a dataset.

    Args:
        dataset: whose records they are.
        raw: the records, or some of them.
        lookup: finds what they refer to.
        first: the position of the first one.

    Raises:
        RecordError: keys missing or twice, references not found; all of them.
    """
    faults: list[Fault] = []
    bodies = [dict(record.fields) for record in raw]
    for body in bodies:
        _drop(dataset, body)
    pending: set[int] = set()
    deferred: dict[int, dict[str, tuple[Raw, bool]]] = {}
    natural = _natural_keys(dataset, bodies)
    for name, ref in dataset.refs.items():
        pending |= _resolve(dataset, name, ref, raw, bodies, natural, lookup, faults, deferred)
    staged = [
        desired
        if n not in pending and n not in deferred
        else replace(desired, pending=n in pending, deferred=deferred.get(n))
        for n, (record, body) in enumerate(zip(raw, bodies, strict=True))
        if (desired := _with_key(dataset, first + n, record, body, faults))
    ]
    _check_keys(dataset, staged, faults)
    if faults:
        raise RecordError(f"dataset {dataset.name} has records that are wrong", faults)
    return staged


def stage_all(dataset: Dataset, document: Documents, lookup: Lookup) -> list[Desired]:
    """Return the desired records of a whole document.

    Args:
        dataset: whose records they are.
        document: with children in the records.
        lookup: finds what they refer to.

    Raises:
        RecordError: records are wrong, all faults; only those of reading, if some cannot be read.
    """
    errors: list[RecordError] = []
    raw: Sequence[RawRecord] = ()
    try:
        raw = document.array(dataset.records)
    except ChildrenError as error:
        errors.append(error)
        raw = error.records
    try:
        staged = stage(dataset, list(raw), lookup)
    except RecordError as error:
        errors.append(error)
    if not errors:
        return staged
    faults = [fault for error in errors for fault in error.faults]
    what = f"dataset {dataset.name} has records that are wrong"
    raise errors[0] if len(errors) == 1 else RecordError(what, faults)


def everything_pending(ref: Ref, values: list[ExactValue]) -> Mapping[ExactValue, list[Any]]:
    """Find every reference pending: there is nothing to look it up in before the schema is there."""
    del ref
    return {value: [PENDING] for value in values}


def _drop(dataset: Dataset, body: dict[str, Raw]) -> None:
    for field in dataset.ignore:
        body.pop(field, None)
    if dataset.ignores_patterns:
        for field in dataset.ignored(list(body)):
            del body[field]
    if dataset.drop_null:
        for field in [field for field, value in body.items() if value == NULL]:
            del body[field]


def _natural_keys(dataset: Dataset, bodies: list[dict[str, Raw]]) -> list[dict[str, Raw]]:
    """Take out of each record what its references are from; several may be from one field."""
    fields = {ref.from_ for ref in dataset.refs.values()}
    return [{field: body.pop(field) for field in fields & body.keys()} for body in bodies]


def _resolve(
    dataset: Dataset,
    name: str,
    ref: Ref,
    raw: list[RawRecord],
    bodies: list[dict[str, Raw]],
    natural: list[dict[str, Raw]],
    lookup: Lookup,
    faults: list[Fault],
    deferred: dict[int, dict[str, tuple[Raw, bool]]],
) -> set[int]:
    """Write the id that the target has for the natural key of `ref.from_`, in `name`.

    A key that the dataset's own table does not have yet may be in the file: `deferred` gets the reference,
    and the target resolves it when it has the whole file.

    Returns the positions of records whose key holds an id that an earlier dataset of the plan creates.
    """
    pending: set[int] = set()
    all_given = [one.get(ref.from_) for one in natural]
    wanted = [None if given is None else to_exact(given) for given in all_given]
    distinct: list[ExactValue] = [value for value in dict.fromkeys(wanted) if value is not None]
    found = lookup(ref, distinct) if distinct else {}
    columns = zip(raw, bodies, all_given, wanted, strict=True)
    for position, (record, body, given, value) in enumerate(columns):
        if given is None:
            continue
        ids = [] if value is None else found.get(value, [])
        if value is None and given != NULL:
            problem = f"must be text or a number, it refers to {ref.table}.{ref.match}"
            faults.append(Fault(record.where, "", ref.from_, problem))
        elif value is not None and ids == [PENDING] and name in dataset.key:
            body[name] = given  # tells records of one plan apart, as the id will
            pending.add(position)
        elif value is None:
            body[name] = NULL
        elif ids == [PENDING]:  # whatever is live is another id
            body[name] = NULL if dataset.table else given
            deferred.setdefault(position, {})[name] = (given, False)
        elif len(ids) == 1 and ids[0] is not None:
            body[name] = Raw(encode(ids[0]))
        elif not ids and dataset.is_referred_to(ref) and name not in dataset.key:
            body[name] = NULL
            deferred.setdefault(position, {})[name] = (given, True)
        else:
            there = "no row has it" if not ids else f"{len(ids)} rows have it"
            if ids == [None]:
                there = f"{ref.take} of that row is null"
            secret = {name, ref.from_} & dataset.secrets
            shown = SECRET if secret else quote(from_exact(value))
            problem = f"refers to {ref.table}.{ref.match} {shown}, but {there}"
            faults.append(Fault(record.where, "", ref.from_, problem))
    return pending


def _with_key(
    dataset: Dataset, position: int, record: RawRecord, body: dict[str, Raw], faults: list[Fault]
) -> Desired | None:
    """Return the record with its key; None, and a fault for each field, where the key is not whole."""
    values: list[Scalar] = []
    for field in dataset.key:
        raw = body.get(field, NULL)
        value = to_scalar(raw)
        if value is None:
            problem = "is missing" if field not in body else "must be text or a number"
            other = closest_match(field, list(body)) if field not in body else ""
            found = f"; found {quote(bytes(raw).decode())}" if field in body else ""
            found = f"; did you mean {other}?" if other else found
            if field not in body and not dataset.map_:
                hint = hint_for_key(field, record.fields)
                found = f"; {hint}" if hint else found
            faults.append(
                Fault(record.where, "", field, f"{problem}, it is part of the key{found}")
            )
        values.append(value)
    return Desired(position, record.where, tuple(values), body) if None not in values else None


def _check_keys(dataset: Dataset, staged: list[Desired], faults: list[Fault]) -> None:
    """Find keys that the file writes twice in the same way; the target finds those that its types call equal."""
    first: dict[tuple[ExactValue | None, ...], Desired] = {}
    for record in staged:
        exact = tuple(to_exact(record.document[field]) for field in dataset.key)
        before = first.setdefault(exact, record)
        if before is not record:
            faults.append(repeated_key_fault(dataset, record, before))


def repeated_key_fault(dataset: Dataset, record: Desired, before: Desired) -> Fault:
    """Return what is wrong with a record whose key another has as well."""
    if list(map(repr, record.key)) == list(map(repr, before.key)):
        problem = f"the key occurs twice; {before.where} has it as well; remove one of them"
    else:
        problem = f"is the same key as that of {before.where}; remove one of them"
    return Fault(record.where, format_key(dataset.key, record.key), "", problem)
