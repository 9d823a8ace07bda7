"""Documents whose faults do not show the names within a secret value: these are a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from compose_seeder.documents.batch import Batch, Documents, RawRecord
from compose_seeder.errors import Fault, RecordError
from compose_seeder.manifest.models import Dataset


@dataclass(frozen=True)
class WithSecretNames:
    """A dataset's document as it was read, with the names within secret values hidden in faults."""

    dataset: Dataset
    source: Documents

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the records, as `Documents.array`."""
        with self._hidden(pointer):
            return self.source.array(pointer)

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the records, as `Documents.batches`."""
        with self._hidden(pointer):
            yield from self.source.batches(pointer)

    @contextmanager
    def _hidden(self, pointer: str) -> Iterator[None]:
        try:
            yield
        except RecordError as error:
            faults = [self._without_names(pointer, fault) for fault in error.faults]
            raise RecordError(error.what, faults, error.count) from None

    def _without_names(self, pointer: str, fault: Fault) -> Fault:
        nested = (name for name, nest in self.dataset.nest.items() if nest.records == pointer)
        if self.dataset.secrets.intersection(nested):
            return replace(fault, field="")
        for name in self.dataset.secrets:
            if fault.field.startswith(f"{name}/"):
                return replace(fault, field=name)
        return fault
