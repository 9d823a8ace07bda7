"""What the list does not show of records, read with the `confirm` requests where it matters.

the list ─▶ shows all that is needed ─▶ live
         └▶ does not, and the seed of the record has changed ─▶ GET confirm… ─▶ live
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from compose_seeder.exact_json import Json
from compose_seeder.http_client.worker_pool import Job
from compose_seeder.manifest.models import Dataset, FieldRules
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.confirm_paths import path_of
from compose_seeder.targets.endpoint.json_values import decode_fields
from compose_seeder.targets.endpoint.reader import Key, Live, Reader


class Details:
    """Completes the records of a list.

    Args:
        dataset: with an endpoint.
        reader: of it.
        fields: of the dataset.
    """

    def __init__(self, dataset: Dataset, reader: Reader, fields: Sequence[str]) -> None:
        self._dataset = dataset
        self._reader = reader
        self._fields = fields
        paths = (path_of(each.into, fields) for each in dataset.http.confirm if each.into)
        self._elsewhere = {path[0] for path in paths}

    def complete(
        self,
        listed: Mapping[Key, dict[str, Json]],
        by_key: Mapping[Key, Desired],
        detailed: Collection[int],
        removed: Collection[Key],
    ) -> Iterator[Live]:
        """Yield live records, with what the list does not show of them where that matters.

        Args:
            listed: the records of the list.
            by_key: the records of the file.
            detailed: the positions of those of which all has to be known.
            removed: the keys of owned records that the file does not name.

        Raises:
            RefusedError: a record cannot be read.
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        hidden: list[Job[Live]] = []
        for key, shown in listed.items():
            wanted = by_key.get(key)
            # What has a request of its own is shown by that one, whatever the list shows of it.
            record = {name: part for name, part in shown.items() if name not in self._elsewhere}
            if wanted is None:
                hides = key in removed and self._dataset.prune and self._lacks(record, self._fields)
            else:
                hides = wanted.position in detailed and self._lacks(record, self._needed(wanted))
            if hides:
                named = decode_fields(wanted) if wanted else record
                hidden.append(partial(self._reader.complete, (key, record), named, wanted))
            else:
                yield key, record
        for batch in self._reader.run(iter(hidden)):
            yield from batch

    def may_undo_unseen(self, desired: Sequence[Desired]) -> bool:
        """Return whether the whole record, sent to undo an edit, may hold a field whose edit stays.

        The list may not show that one: then it has to be read, whether its seed has changed or not.
        """
        rules = [self._dataset.fields.get(name, FieldRules()) for name in self._fields]
        undone = [
            (rule.on_drift or self._dataset.on_drift) == "overwrite" and not rule.once
            for rule in rules
        ]
        all_name_every_field = all(len(record.document) == len(self._fields) for record in desired)
        return self._puts and any(undone) and not (all_name_every_field and all(undone))

    def _needed(self, wanted: Desired) -> Collection[str]:
        # A PUT sends the live values of fields that only other records name as well.
        return self._fields if self._puts else wanted.document

    @staticmethod
    def _lacks(record: Mapping[str, Json], names: Collection[str]) -> bool:
        return any(name not in record for name in names)

    @property
    def _puts(self) -> bool:
        """Return whether an update sends the whole record."""
        return not (self._dataset.http.update or "").startswith("PATCH ")
