"""Desired, applied and live to a plan, by one comparison in PostgreSQL (`sql/diff.sql`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg.rows import dict_row

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import SHOWN, Fault, ManifestError, RecordError, RefusedError
from compose_seeder.manifest.models import Dataset, FieldRules
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile.desired_records import RecordsAt
from compose_seeder.reconcile.plan import Change, Counts, Plan
from compose_seeder.reconcile.staging import repeated_key_fault

SECRET = "(secret)"  # noqa: S105
"""Stands for a value that is not shown."""


def compare(
    connection: Connection,
    dataset: Dataset,
    records_at: RecordsAt,
    fields: list[str],
    defaults: list[int | None],
    limit: int | None = None,
    siblings: Sequence[str] = (),
    check_deletes: Callable[[], None] | None = None,
) -> Plan:
    """Fill `pg_temp.plan` from `pg_temp.desired`, `pg_temp.live` and `pg_temp.applied`.

    Args:
        connection: where they are.
        dataset: whose they are.
        records_at: the records at some positions, for messages.
        fields: in the order of the hashes.
        defaults: of each field, the hash of what it holds where nobody filled it.
        limit: how many records the plan carries; all without.
        siblings: names of the other datasets of this target, whose records are not deleted.
        check_deletes: changes the action of records that cannot be deleted, or not yet.

    Raises:
        RecordError: two records of the file are one key in the target's types; or so many have left
            the file that a prune needs a word.
        RefusedError: the target holds a key twice; or drift, with `on_drift = "fail"`.
        ManifestError: records of an endpoint have changed, and the manifest does not say how to update them.
    """
    texts = statements("diff")
    _check_keys(connection, dataset, records_at)
    rules = [dataset.fields.get(name, FieldRules()) for name in fields]
    values = {
        "fields": fields,
        "on_drift": [rule.on_drift or dataset.on_drift for rule in rules],
        "once": [rule.once for rule in rules],
        "defaults": defaults,
        "is_table": dataset.table is not None,
        "deleted": dataset.on_drift,
        "prune": dataset.prune,
    }
    connection.execute(texts["plan"], values)
    if siblings:
        connection.execute(
            texts["spare_sibling_records"], {"siblings": list(siblings), "dataset": dataset.name}
        )
    if check_deletes:
        check_deletes()
    with connection.cursor(row_factory=dict_row) as cursor:
        counts = Counts(**(cursor.execute(texts["counts"]).fetchone() or {}))
    plan = Plan(
        dataset.name,
        dataset.target,
        counts,
        _changes(connection, dataset, "changes", {"limit": limit}),
        not_deleted=_changes(connection, dataset, "not_deleted", {}),
        postponed=_count(connection, "count_postponed"),
        differing=_count(connection, "count_differing"),
    )
    _stop_on_drift(connection, dataset, records_at)
    if plan.counts.updated and dataset.endpoint and dataset.http.update is None:
        raise ManifestError(
            f"dataset {dataset.name}: a record has changed and http.update is missing: say how,"
            ' as in update = "PUT /monsters/{live.id}"'
        )
    return plan


def check_unchanged_keys(
    connection: Connection, dataset: Dataset, records_at: RecordsAt, dataset_id: int
) -> None:
    """Raise `RecordError` where a compared record has the key of an unchanged record of the file."""
    query = statements("diff")["keys_of_unchanged_records"]
    rows = connection.execute(query, {"dataset": dataset_id}).fetchall()
    records = records_at(position for _, position in rows)
    faults = [
        Fault(
            records[position].where,
            format_key(dataset.key, key),
            "",
            "the key occurs twice; another record of the file, which has not changed, has it as well",
        )
        for key, position in rows
    ]
    if faults:
        raise RecordError(f"dataset {dataset.name} has records that are wrong", faults)


def check_prune(dataset: Dataset, plan: Plan, records: int) -> None:
    """Raise `RecordError` where a plan deletes more of a dataset's `records` than `max_prune` allows."""
    deleted = plan.counts.deleted + plan.postponed
    # Divided, not multiplied: 29 / 100 is the float 0.29 of the manifest, while 0.29 * 100 is less than 29.
    if deleted / records > dataset.max_prune:
        raise RecordError(
            f"dataset {dataset.name}: {deleted} of {records} records have left the file, and prune would"
            f" delete them; if that is intended, set max_prune to {_share(deleted, records)} or more",
            [
                Fault(
                    dataset.target,
                    format_key(change.key, change.key.values()),
                    "",
                    "would be deleted",
                )
                for change in plan.records
                if change.action in {"delete", "postponed"}
            ],
        )


def _count(connection: Connection, statement: str) -> int:
    row = connection.execute(statements("diff")[statement]).fetchone()
    return int(row[0]) if row else 0


def _share(some: int, total: int) -> float:
    """Return a share, rounded up to hundredths, so that it allows `some` of `total`."""
    return -(-some * 100 // total) / 100


def _changes(
    connection: Connection, dataset: Dataset, statement: str, values: dict[str, Any]
) -> tuple[Change, ...]:
    rows = connection.execute(statements("diff")[statement], values)
    return tuple(
        Change(
            position,
            action,
            dict(zip(dataset.key, key, strict=True)),
            _masked(dataset, fields),
            why or "",
        )
        for position, key, action, fields, why in rows
    )


def _masked(dataset: Dataset, fields: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: _without_values(detail) if name in dataset.secrets else detail
        for name, detail in fields.items()
    }


def _without_values(detail: dict[str, Any]) -> dict[str, Any]:
    members = {
        path: {**part, "live": SECRET, "desired": SECRET}
        for path, part in detail.get("members", {}).items()
    }
    more = {"members": members} if members else {}
    return {**detail, "live": SECRET, "desired": SECRET, **more}


def _check_keys(connection: Connection, dataset: Dataset, records_at: RecordsAt) -> None:
    texts = statements("diff")
    groups = [row[0] for row in connection.execute(texts["repeated_keys_in_file"])]
    records = records_at(position for positions in groups for position in positions)
    faults = [
        repeated_key_fault(dataset, records[position], records[positions[0]])
        for positions in groups
        for position in positions[1:]
    ]
    if faults:
        raise RecordError(
            f"dataset {dataset.name} has a key twice, as {dataset.target} reads it", faults
        )
    faults = [
        Fault(
            dataset.target,
            format_key(dataset.key, key),
            "",
            f"the target holds the key {rows} times, and a seed cannot tell which record is meant; keep one of them,"
            " or choose another key",
        )
        for key, rows in connection.execute(texts["repeated_keys_in_target"])
    ]
    if faults:
        raise RefusedError(
            f"dataset {dataset.name}: {dataset.target} holds keys more than once", faults
        )


def _stop_on_drift(connection: Connection, dataset: Dataset, records_at: RecordsAt) -> None:
    values = {"limit": SHOWN + 1, "deleted": dataset.on_drift}
    changes = _changes(connection, dataset, "drift_that_stops", values)
    records = records_at(change.position for change in changes if change.position is not None)
    faults = [
        Fault(
            dataset.target if change.position is None else records[change.position].where,
            format_key(change.key, change.key.values()),
            ", ".join(change.edited_fields),
            "was deleted by hand" if change.action == "deleted" else "was edited by hand",
        )
        for change in changes
    ]
    if faults:
        raise RefusedError(
            f'dataset {dataset.name} has on_drift = "fail", and {dataset.target} has drifted; set keep or'
            " overwrite, or bring the edit into the file",
            faults,
        )
