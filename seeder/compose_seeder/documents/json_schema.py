"""Records checked against the JSON Schema that a dataset names.

the schema's file ─▶ jsonschema-rs ─▶ each record as it stands in the file ─▶ faults, by pointer
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from msgspec import DecodeError

from compose_seeder.documents.batch import Documents
from compose_seeder.errors import Fault, ManifestError, RecordError, did_you_mean, quote
from compose_seeder.exact_json import decode, encode
from compose_seeder.manifest.models import Dataset
from compose_seeder.sources.source import Source

VALUE = "the value"
"""In the validator's messages instead of the value itself, which may be long or secret."""

RULE_CHARACTERS = 300
"""Length up to which a rule is quoted."""


@dataclass(frozen=True)
class RecordSchema:
    """One dataset's schema.

    Attributes:
        dataset: whose records it is for.
        text: of the schema.
        fingerprint: of the text.
    """

    dataset: Dataset
    text: bytes
    fingerprint: str

    def check(self, document: Documents) -> None:
        """Check every record as the file has it, before children and references.

        Raises:
            ManifestError: the schema is invalid.
            RecordError: the schema does not allow records; the first twenty, and their number.
        """
        faults = list(self.faults(document))
        if faults:
            document.array(
                self.dataset.records
            )  # raises where records cannot be read: nothing else counts then
            raise RecordError(f"dataset {self.dataset.name} has records that are wrong", faults)

    def faults(self, document: Documents) -> Iterator[Fault]:
        """Yield the faults of every record.

        Raises:
            ManifestError: the schema is invalid.
            RecordError: the document has no such array.
        """
        validator = self._validator
        for batch in document.batches(self.dataset.records):
            for n, text in enumerate(batch.texts):
                try:
                    record = decode(bytes(text))
                except (DecodeError, RecursionError):
                    continue  # reported where it is read as a record
                if not isinstance(record, dict) or validator.is_valid(record):
                    continue
                where = batch.where(n)
                for error in validator.iter_errors(record):
                    yield self._fault(where, record, error)

    @cached_property
    def _validator(self) -> Any:
        import jsonschema_rs  # noqa: PLC0415 - heavy, and optional

        name = self.dataset.schema_
        try:
            schema = decode(self.text)
            # The standard leaves open whether formats are checked.
            return jsonschema_rs.validator_for(
                schema, mask=VALUE, validate_formats=True, retriever=_refuse
            )
        except (DecodeError, RecursionError) as error:
            problem = f"is not valid JSON: {error}"
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            path = "/".join(str(part) for part in getattr(error, "instance_path", []))
            problem = (
                f"is not a valid JSON Schema: {f'#/{path}: ' if path else ''}{_first_line(error)}"
            )
        raise ManifestError(f"dataset {self.dataset.name}: schema {name} {problem}")

    def _fault(self, where: str, record: Any, error: Any) -> Fault:
        path = [str(part) for part in error.instance_path]
        field, message = "/".join(path), str(error.message)
        kind = type(error.kind).__name__.rpartition("_")[2]
        found = "" if kind in NAME_FAULTS else self._found(record, error.instance_path)
        near = ""
        if path and path[0] in self.dataset.secrets:
            # The names within a secret value are secret as well.
            field = path[0]
            if kind in NAME_QUOTING_FAULTS:
                message = "has a field that the schema does not allow"
        elif kind == "Required":
            field, message = "/".join([*path, error.kind.property]), "is missing"
        elif kind == "AdditionalProperties" and len(error.kind.unexpected) == 1:
            (unknown,) = error.kind.unexpected
            near = did_you_mean(unknown, list(self._properties(error.schema_path)))
            field, message = "/".join([*path, unknown]), "is not a field of the schema"
        elif kind == "Enum" and found and isinstance(error.instance, str):
            near = did_you_mean(
                error.instance, [v for v in error.kind.options if isinstance(v, str)]
            )
        rule = "/".join(str(part) for part in error.schema_path)
        key = self._key(record)
        problem = f"{quote(message, RULE_CHARACTERS)}{near}{found}; the rule is {self.dataset.schema_}#/{rule}"
        return Fault(where, key, field, problem)

    def _found(self, record: Any, path: Sequence[str | int]) -> str:
        if not path or path[0] in self.dataset.secrets:
            return ""
        for part in path:
            record = record[part]
        return f"; found {quote(encode(record).decode())}"

    def _properties(self, path: Sequence[str | int]) -> Any:
        schema = decode(self.text)
        try:
            for part in path[:-1]:
                schema = schema[part]
            return schema.get("properties", {})
        except (KeyError, IndexError, TypeError, AttributeError):
            return {}  # behind a reference

    def _key(self, record: dict[str, Any]) -> str:
        key = [(name, record.get(name)) for name in self.dataset.key]
        scalars = all(value is not None and not isinstance(value, dict | list) for _, value in key)
        return ", ".join(f"{name} {quote(value)}" for name, value in key) if scalars else ""


NAME_FAULTS = {"Required", "AdditionalProperties"}
"""Faults of fields that are missing, or should be."""

NAME_QUOTING_FAULTS = {"AdditionalProperties", "UnevaluatedProperties", "PropertyNames"}
"""Faults whose messages quote names of the record."""


def schema_of(dataset: Dataset, source: Source | None) -> RecordSchema | None:
    """Return a dataset's schema, where it names one.

    Raises:
        SourceError: the schema cannot be read.
    """
    if source is None:
        return None
    opened = source.open()
    return RecordSchema(dataset, opened.data, opened.fingerprint)


def _refuse(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}, but must be one file; move that into its $defs")


def _first_line(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return quote(text.partition("retrieving it failed: ValueError: ")[2] or text, RULE_CHARACTERS)
