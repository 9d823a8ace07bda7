"""The order in which seeding works, as a table of contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from compose_seeder.around_migration import carried_over
from compose_seeder.dataset import Seeding
from compose_seeder.documents.json_schema import schema_of
from compose_seeder.errors import InterruptedTargetError, ManifestError, SourceError, did_you_mean
from compose_seeder.inputs import Inputs, resolve_inputs
from compose_seeder.manifest.models import Dataset, Manifest
from compose_seeder.manifest.parse import load
from compose_seeder.options import Options, no_api
from compose_seeder.postgres import Connection, find_unstorable, prepare_session
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.identity import find_targets
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.plan import Plan
from compose_seeder.reconcile.takeover import find_predecessors
from compose_seeder.reconcile.target import DatasetRun, Deletes, PlannedRow
from compose_seeder.sources.location import Sources

EVERYTHING = Options()
"""Every dataset that has changed."""


def examine(
    location: str, sources: Sources, *, only: tuple[str, ...] = (), api: bool = True
) -> None:
    """Check the manifest, and whether what it names can be read, before anything is begun.

    Args:
        location: the manifest's path or URL.
        sources: how to read.
        only: names of the datasets to seed; all where it is empty.
        api: an API is configured, for datasets with an endpoint.

    Raises:
        ManifestError: the manifest is wrong, or has no such dataset, or there is no API.
        SourceError: sources cannot be read; all of them.
    """
    manifest, _ = load(location, sources)
    inputs = resolve_inputs(location, manifest, sources)
    _check_names(manifest, only)
    chosen = _chosen(manifest, only)
    if not api and any(dataset.endpoint for dataset in chosen):
        no_api()
    _check_variables([inputs[dataset.name] for dataset in chosen])
    _check_readable([inputs[dataset.name] for dataset in chosen])


def record_tables(connection: Connection, location: str, sources: Sources) -> None:
    """Write to the ledger how the manifest names its tables, before a migration that may give their names to others.

    Args:
        connection: to a database with a ledger, in autocommit.
        location: as for `seed`.
        sources: as for `seed`.
    """
    manifest, _ = load(location, sources)
    with Ledger.open(connection, create=True) as ledger:
        ledger.record_names(manifest.datasets)


def seed(
    connection: Connection,
    location: str,
    sources: Sources,
    options: Options = EVERYTHING,
) -> tuple[list[Plan], dict[str, str]]:
    """Bring every dataset's target to what its source says, or plan it.

    Args:
        connection: to the application's database, in autocommit, and not used for anything else meanwhile.
        location: the manifest's path or URL.
        sources: how to read the manifest and the sources.
        options: what to seed, and how.

    Returns:
        The plans as they came out, and the fingerprint of every input by its location.

    Raises:
        SeedError: see `compose_seeder.errors`. Datasets before the one at fault stay applied.
    """
    manifest, opened = load(location, sources)
    inputs = resolve_inputs(location, manifest, sources)
    fingerprints = {location: opened.fingerprint}
    _check_names(manifest, options.only)
    _check_characters(connection, location, manifest, inputs)
    with (
        _prepare(connection, create=not options.plan) as ledger,
        carried_over(ledger, options.changing, change=not options.plan),
    ):
        plans = _seed_in_order(ledger, manifest, inputs, fingerprints, options)
    return plans, fingerprints


def _seed_in_order(
    ledger: Ledger,
    manifest: Manifest,
    inputs: Mapping[str, Inputs],
    fingerprints: dict[str, str],
    options: Options,
) -> list[Plan]:
    """Seed the datasets in the manifest's order, and add the fingerprint of each input that is read."""
    pending: set[str | int] = set()
    chosen = _chosen(manifest, options.only)
    targets = find_targets(ledger.connection, manifest.datasets)
    if not options.plan:
        ledger.record_names(manifest.datasets)
    predecessors = find_predecessors(ledger, chosen, targets)
    planned: list[PlannedRow] | None = [] if any(each.prune for each in chosen) else None
    tables = None if any(each.endpoint for each in chosen) else tuple(targets.oids.values())
    plans: dict[str, Plan] = {}
    postponed: list[Seeding] = []
    for number, dataset in enumerate(chosen):
        own = inputs[dataset.name]
        schema = schema_of(dataset, own.schema)
        if own.schema and schema:
            fingerprints[own.schema.location] = schema.fingerprint
        siblings = targets.siblings(dataset)
        run = DatasetRun(
            ledger.connection,
            ledger,
            targets.with_own_name(dataset),
            options,
            pending,
            targets.oid(dataset),
            siblings,
            partial(_records_of, ledger, options, inputs),
            predecessors.get(dataset.name),
            deletes=_deletes(dataset, siblings, chosen[number + 1 :], plan=options.plan),
            tables=tables,
            planned=planned,
        )
        plan, fingerprint = Seeding(run, schema).seed(own)
        fingerprints[own.source.location] = fingerprint
        fingerprints |= {each.location: each.fingerprint() for each in own.variables}
        plans[dataset.name] = plan
        if plan.postponed:
            postponed.append(Seeding(replace(run, deletes="now"), schema))
        else:
            options.finished(plan)
    _delete_postponed(postponed, inputs, plans)
    return list(plans.values())


def _records_of(
    ledger: Ledger, options: Options, inputs: Mapping[str, Inputs], dataset: Dataset
) -> DesiredRecords:
    """Return the records of a dataset's file, whether it is chosen or not."""
    run = DatasetRun(ledger.connection, ledger, dataset, options, set())
    return Seeding(run).records(inputs[dataset.name])


def _delete_postponed(
    postponed: Sequence[Seeding], inputs: Mapping[str, Inputs], plans: dict[str, Plan]
) -> None:
    """Delete what earlier datasets left, and put the counts into their `plans`.

    In reverse: records are deleted before the records that they refer to, whose datasets come first in the manifest.
    """
    for seeding in reversed(postponed):
        name = seeding.run.dataset.name
        later, _ = seeding.seed(inputs[name])
        # A plan has deleted nothing before: the second one is about all records.
        is_plan = seeding.run.options.plan
        plans[name] = later if is_plan else plans[name].with_postponed(later)
        seeding.run.options.finished(plans[name])


def _deletes(
    dataset: Dataset, siblings: Sequence[Dataset], later: Sequence[Dataset], *, plan: bool
) -> Deletes:
    """Return when a dataset deletes records: a later dataset of the same target may have them now."""
    waits = any(other in siblings or (dataset.endpoint and other.prune) for other in later)
    return "later" if waits and not plan else "if free"


def _chosen(manifest: Manifest, only: tuple[str, ...]) -> list[Dataset]:
    return [dataset for dataset in manifest.datasets if not only or dataset.name in only]


def _prepare(connection: Connection, *, create: bool) -> AbstractContextManager[Ledger]:
    prepare_session(connection)
    row = connection.execute("SHOW transaction_read_only").fetchone()
    if row and row[0] == "on":
        raise InterruptedTargetError(
            "the database is read-only: it is a standby, or default_transaction_read_only is on; even a plan needs"
            " temporary tables and functions: connect to a database that accepts writes, and run again"
        )
    return Ledger.open(connection, create=create)


def _check_names(manifest: Manifest, only: tuple[str, ...]) -> None:
    known = [dataset.name for dataset in manifest.datasets]
    unknown = [
        f"there is no dataset {name}{did_you_mean(name, known)}"
        for name in only
        if name not in known
    ]
    if unknown:
        raise ManifestError("; ".join([*unknown, f"the manifest has {', '.join(known)}"]))


def _check_characters(
    connection: Connection, location: str, manifest: Manifest, inputs: Mapping[str, Inputs]
) -> None:
    """Check that the ledger can hold the names of datasets and the locations of their inputs."""
    names = {dataset.name for dataset in manifest.datasets}
    names |= {location, *(each.location for own in inputs.values() for each in own)}
    if wrong := find_unstorable(connection, names):
        encoding = connection.info.parameter_status("server_encoding")
        raise ManifestError(
            f"the database's encoding, {encoding}, does not have every character of {', '.join(wrong)}: rename it,"
            " since the ledger holds the names of datasets and the locations of their files"
        )


def _check_variables(inputs: list[Inputs]) -> None:
    faults = []
    for each in inputs:
        try:
            each.values()
        except ManifestError as error:
            faults.append(str(error))
    if faults:
        raise ManifestError("\n".join(faults))


def _check_readable(inputs: list[Inputs]) -> None:
    unreadable = []
    for own in inputs:
        for each in own:
            try:
                each.fingerprint()
            except SourceError as error:
                unreadable.append(f"dataset {own.dataset.name}: {error}")
    if unreadable:
        raise SourceError("\n".join(unreadable))
