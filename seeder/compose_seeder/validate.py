"""The checks that need neither a database nor an API: for CI, and after an edit.

manifest ─▶ each source ─▶ its JSON Schema ─▶ stage ─▶ names that no record has
                                                └─▶ references between datasets
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from compose_seeder.documents.batch import Documents, RawRecord
from compose_seeder.documents.children import with_children
from compose_seeder.documents.json_schema import RecordSchema, schema_of
from compose_seeder.documents.record_values import (
    SECRET,
    ExactValue,
    from_exact,
    text_of,
    to_exact,
    to_scalar,
)
from compose_seeder.errors import (
    SHOWN,
    Fault,
    ManifestError,
    RecordError,
    SeedError,
    did_you_mean,
    quote,
)
from compose_seeder.http_client.path_template import record_fields
from compose_seeder.inputs import resolve_inputs
from compose_seeder.manifest.models import Dataset, Ref
from compose_seeder.manifest.name_pattern import select_names
from compose_seeder.manifest.parse import load
from compose_seeder.reconcile.staging import PENDING, Desired, stage_all
from compose_seeder.sources.location import Sources
from compose_seeder.targets.endpoint.confirm_paths import into_faults

Warn = Callable[[str], None]
"""Called with each warning: what may be wrong, and is right where the database holds more than the files."""


@dataclass
class _Checked:
    """A dataset with its records and its faults."""

    dataset: Dataset
    raw: list[RawRecord] = field(default_factory=list)
    desired: list[Desired] = field(default_factory=list)
    wanted: dict[str, list[ExactValue]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    errors: list[SeedError] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """True where the records are known, so that a field which none of them has is a fault."""
        return bool(self.raw) and not self.faults and not self.errors


def check(location: str, sources: Sources, warn: Warn = lambda _: None) -> dict[str, int]:
    """Check everything that needs no database, and return the number of records by dataset.

    Args:
        location: the manifest's path or URL.
        sources: the settings for sources.
        warn: called with each warning.

    Raises:
        SeedError: the faults of every dataset.
    """
    manifest, _ = load(location, sources)
    inputs = resolve_inputs(location, manifest, sources)
    found = []
    for dataset in manifest.datasets:
        checked = _Checked(dataset)
        try:
            document, _ = inputs[dataset.name].read()
            schema = schema_of(dataset, inputs[dataset.name].schema)
        except SeedError as error:
            checked.errors.append(error)
        else:
            _check_records(checked, document, schema)
        found.append(checked)
    for checked in found:
        if checked.is_known:
            _check_templates(checked)
            _warn_of_names(checked, warn)
    _check_references(found, warn)
    _raise(found)
    return {checked.dataset.name: len(checked.desired) for checked in found}


def _check_records(checked: _Checked, document: Documents, schema: RecordSchema | None) -> None:
    """Check the records alone: schema, children, references, keys."""
    dataset = checked.dataset

    def lookup(ref: Ref, values: list[ExactValue]) -> Mapping[ExactValue, list[object]]:
        name = next(name for name, own in dataset.refs.items() if own is ref)
        checked.wanted[name] = values
        return {value: [PENDING] for value in values}

    try:
        checked.raw = document.array(dataset.records)
        if schema:
            checked.faults += schema.faults(document)
        checked.desired = stage_all(dataset, with_children(dataset, document), lookup)
    except SeedError as error:
        checked.errors.append(error)


def _check_templates(checked: _Checked) -> None:
    """Check that the requests of an endpoint name only fields that records have."""
    dataset, http = checked.dataset, checked.dataset.http
    if dataset.table:
        return
    checked.errors += map(ManifestError, into_faults(dataset, checked.desired))
    has = _names(record.document for record in checked.desired)
    templates = {
        "create": http.create,
        "get": http.get,
        "update": http.update,
        "delete": http.delete,
    }
    named = [(name, request) for name, request in templates.items() if request]
    named += [("confirm", confirm.request) for confirm in http.confirm]
    for name, request in named:
        for field_name in record_fields(request):
            if field_name not in has:
                problem = f"http.{name} names {{{field_name}}}, but no record has that field"
                checked.errors.append(
                    ManifestError(
                        f"dataset {dataset.name}: {problem}{did_you_mean(field_name, has)}"
                    )
                )


def _warn_of_names(checked: _Checked, warn: Warn) -> None:
    """Warn of names in the manifest that no record has: misspelt, or for a later file."""
    dataset = checked.dataset
    raw = _names(record.fields for record in checked.raw)
    desired = _names(record.document for record in checked.desired)
    named = [
        *(("ignore", name, raw) for name in dataset.ignore),
        *((f"refs.{name}.from", ref.from_, raw) for name, ref in dataset.refs.items()),
        *((f"fields.{name}", name, desired) for name in dataset.fields),
    ]
    for key, name, has in named:
        if not select_names((name,), has):
            near = did_you_mean(name, has)
            warn(f"dataset {dataset.name}: {key} names {name}, but no record has that field{near}")


def _check_references(found: list[_Checked], warn: Warn) -> None:
    """Check that an earlier dataset creates what a reference needs; a later one is a fault."""
    for position, checked in enumerate(found):
        for name, ref in checked.dataset.refs.items():
            earlier = list(_creators(found[: position + 1], ref))
            later = list(_creators(found[position + 1 :], ref))
            missing = _without(checked.wanted.get(name, []), earlier, ref)
            late = [value for value in missing if value not in _without(missing, later, ref)]
            if late:
                checked.faults += _order_faults(checked, ref, late, later)
            elif missing and earlier and all(creator.is_known for creator in earlier):
                warn(_missing_rows_warning(checked, ref, missing, earlier))


def _creators(datasets: list[_Checked], ref: Ref) -> Iterator[_Checked]:
    for checked in datasets:
        if checked.dataset.is_referred_to(ref):
            yield checked


def _without(values: list[ExactValue], creators: list[_Checked], ref: Ref) -> list[ExactValue]:
    made = {
        text_of(value)
        for creator in creators
        for record in creator.desired
        if ref.match in record.document
        and (value := to_exact(record.document[ref.match])) is not None
    }
    return [value for value in values if text_of(value) not in made]


def _order_faults(
    checked: _Checked, ref: Ref, late: list[ExactValue], later: list[_Checked]
) -> Iterator[Fault]:
    values = set(late)
    (first, *_) = [creator.dataset.name for creator in later]
    for record in checked.raw:
        value = to_exact(record.fields[ref.from_]) if ref.from_ in record.fields else None
        if value is not None and value in values:
            problem = (
                f"refers to {ref.table}.{ref.match} {_shown(checked, ref, value)}, which only the later dataset {first}"
                f" creates; put {first} before {checked.dataset.name} in the manifest"
            )
            yield Fault(record.where, "", ref.from_, problem)


def _missing_rows_warning(
    checked: _Checked, ref: Ref, missing: list[ExactValue], earlier: list[_Checked]
) -> str:
    shown = ", ".join(_shown(checked, ref, value) for value in missing[:SHOWN])
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    made = [
        str(to_scalar(record.document[ref.match]))
        for creator in earlier
        for record in creator.desired
        if ref.match in record.document
    ]
    secret = _is_secret(checked, ref)
    near = did_you_mean(text_of(missing[0]), made) if len(missing) == 1 and not secret else ""
    names = " and ".join(creator.dataset.name for creator in earlier)
    return (
        f"dataset {checked.dataset.name}: {ref.from_} refers to {ref.table}.{ref.match} {shown}{more}{near}, which"
        f" dataset {names} does not create; the rows must exist already"
    )


def _is_secret(checked: _Checked, ref: Ref) -> bool:
    """Return whether what a reference is given, or what it becomes, is a secret field."""
    names = {name for name, own in checked.dataset.refs.items() if own is ref}
    return bool((names | {ref.from_}) & checked.dataset.secrets)


def _shown(checked: _Checked, ref: Ref, value: ExactValue) -> str:
    return SECRET if _is_secret(checked, ref) else quote(from_exact(value))


def _names(documents: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for document in documents for name in document))


def _raise(found: list[_Checked]) -> None:
    """Raise one error for all datasets, if there is one."""
    errors = [error for checked in found for error in _errors(checked)]
    if len(errors) == 1:
        raise errors[0]
    records = [error for error in errors if isinstance(error, RecordError)]
    if len(records) < len(errors):
        first = next(error for error in errors if not isinstance(error, RecordError))
        raise type(first)("\n".join(str(error) for error in errors))
    if records:
        raise RecordError(
            "seed files are wrong", [fault for error in records for fault in error.faults]
        )


def _errors(checked: _Checked) -> list[SeedError]:
    """Return a dataset's errors, with those of its records joined."""
    records = [error for error in checked.errors if isinstance(error, RecordError)]
    if checked.faults or len(records) > 1:
        faults = [*(fault for error in records for fault in error.faults), *checked.faults]
        what = f"dataset {checked.dataset.name} has records that are wrong"
        records = [RecordError(what, faults)]
    return [*(error for error in checked.errors if not isinstance(error, RecordError)), *records]
