"""The bodies of requests that update a record: what changes, with what was read of the rest.

PATCH ─▶ the fields that are written, nested values merged       PUT ─▶ the whole record, as it should be
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from compose_seeder.exact_json import Json
from compose_seeder.http_client.path_template import live_fields
from compose_seeder.manifest.models import Dataset, FieldRules
from compose_seeder.reconcile.plan import EDITED_BY_HAND, Change
from compose_seeder.targets.endpoint.decisions import Decision
from compose_seeder.targets.endpoint.known_records import Known
from compose_seeder.targets.endpoint.value_trees import FOREIGN, tree_of


@dataclass(frozen=True, slots=True)
class Update:
    """An update of one record, and all that its body is made of.

    Attributes:
        dataset: with an endpoint.
        change: of the plan.
        fields: the values of the file.
        live: what the API showed.
        decision: what becomes of nested fields.
        known: what the ledger knows of the record; None where it is somebody else's.
        salt: of the ledger's hashes.
    """

    dataset: Dataset
    change: Change
    fields: Mapping[str, Json]
    live: Mapping[str, Json]
    decision: Decision
    known: Known | None
    salt: int

    @property
    def kept(self) -> set[str]:
        """The fields that stay as they are live; of merged ones, parts may."""
        names = {
            name
            for name, detail in self.change.fields.items()
            if "write" not in detail and detail["outcome"] in {*EDITED_BY_HAND, "unseen"}
        }
        names |= {name for name, rule in self.dataset.fields.items() if rule.once}
        return names - self.decision.merged.keys()

    @property
    def hidden(self) -> list[str]:
        """The fields that a PUT would have to send, and that nobody has seen."""
        return [
            name
            for name, value in self.fields.items()
            if name not in self.live
            and value is not None
            and "write" not in self.change.fields.get(name, {})
            and not _is_declared(self.dataset.fields.get(name, FieldRules()))
        ]

    def value(self, name: str) -> Json:
        """Return what is sent of a field that is written."""
        merged = self.decision.merged.get(name)
        return self.fields[name] if merged is None else merged.value

    def added(self) -> dict[str, Json]:
        """Return the fields that no file names for this record, and that people may have filled or changed.

        What the API showed in the same way after the last write is its own: it fills that in again.
        """
        shown = self.known.shown if self.known else None
        requests = (self.dataset.http.update, *(each.request for each in self.dataset.http.confirm))
        own = {name for request in requests for name in live_fields(request or "")}
        own.update(self.dataset.ignored(self.live))
        return {
            name: value
            for name, value in self.live.items()
            if name not in self.fields
            and value is not None
            and name not in own
            and (shown is None or shown.get(name, FOREIGN) != tree_of(value, self.salt))
        }


def patch_body(update: Update) -> dict[str, Json]:
    """Return the fields that are written."""
    written = (name for name, detail in update.change.fields.items() if "write" in detail)
    return {name: update.value(name) for name in written}


def put_body(update: Update, others: Collection[str]) -> dict[str, Json]:
    """Return the whole record, for an API that replaces what it has.

    Args:
        update: of the record.
        others: the fields that other records of the dataset name; live values of those are sent too.
    """
    kept = update.kept
    body = {name: update.value(name) for name in update.fields if name not in kept}
    body |= {name: update.live[name] for name in update.fields if name in kept & update.live.keys()}
    more = {name: update.live[name] for name in others if _is_filled(update, name)}
    return body | more | update.added()


def _is_filled(update: Update, name: str) -> bool:
    return name not in update.fields and update.live.get(name) is not None


def _is_declared(rule: FieldRules) -> bool:
    """Tell if the manifest says what is to be done about a field that nobody sees."""
    return rule.once or rule.unseen == "overwrite"


def undeclared(dataset: Dataset, fields: Mapping[str, Json]) -> Iterator[str]:
    """Yield the fields of a record of which the manifest does not say what to do where nobody sees them."""
    for name, value in fields.items():
        if value is not None and not _is_declared(dataset.fields.get(name, FieldRules())):
            yield name
