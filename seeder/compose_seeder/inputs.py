"""The inputs of each dataset: its source, its JSON Schema and its variables, resolved once.

manifest ─▶ resolve ─▶ Inputs ─▶ read() ─▶ documents with the values of variables in them
└▶ fingerprint() ─▶ the ledger
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec.json import encode

from compose_seeder.documents.batch import Documents, JoinedDocuments
from compose_seeder.documents.cell_variables import CellSyntax
from compose_seeder.documents.elements import Document
from compose_seeder.documents.env_substitution import Substituted, values_of
from compose_seeder.documents.open_document import open_document
from compose_seeder.documents.secret_names import WithSecretNames
from compose_seeder.documents.shape import shape_of
from compose_seeder.documents.shaped_documents import ShapedDocuments
from compose_seeder.errors import Fault, ManifestError, RecordError
from compose_seeder.manifest.models import Dataset, Manifest
from compose_seeder.sources.environment_variable import EnvironmentVariable
from compose_seeder.sources.location import Sources
from compose_seeder.sources.source import Input, Source


@dataclass(frozen=True)
class Inputs:
    """Everything that decides which records a dataset should hold.

    Attributes:
        dataset: the entry in the manifest.
        source: of the records.
        schema: the JSON Schema of the records, where there is one.
        variables: whose values stand in the records.
    """

    dataset: Dataset
    source: Source
    schema: Source | None = None
    variables: tuple[EnvironmentVariable, ...] = ()

    def __iter__(self) -> Iterator[Input]:
        """Iterate over what the ledger has a fingerprint of."""
        yield self.source
        if self.schema:
            yield self.schema
        yield from self.variables

    def read(self, cells: Mapping[str, CellSyntax] | None = None) -> tuple[Documents, str]:
        """Return the source's documents, decompressed, and its fingerprint.

        Args:
            cells: the fields of a CSV file whose columns have a structure, where the target is known.

        Raises:
            ManifestError: variables are not set.
            SourceError: the source cannot be read, or does not have the checksum in the manifest.
            RecordError: the text is not UTF-8.
        """
        opened = self.source.open()
        faults: list[Fault] = []
        documents: list[tuple[str, Document]] = []
        for content in opened.contents:
            content.check_sha256(self.source, self.dataset.sha256)
            try:
                document = open_document(content.name, content.pieces, self.dataset)
                documents.append((content.name, document))
            except RecordError as error:
                faults += error.faults
        if faults:
            what = "a seed file" if len(opened.contents) == 1 else "seed files"
            raise RecordError(f"{what} cannot be read", faults)
        found = self._joined(documents)
        if self.dataset.secrets:
            found = WithSecretNames(self.dataset, found)
        if self.variables:
            return Substituted(found, self.values(), cells or {}), opened.fingerprint
        return found, opened.fingerprint

    def _joined(self, documents: list[tuple[str, Document]]) -> Documents:
        if shape := shape_of(self.dataset):
            return ShapedDocuments(self.dataset, shape, documents)
        if len(documents) == 1:
            return documents[0][1]
        return JoinedDocuments([document for _, document in documents])

    def values(self) -> dict[str, str]:
        """Return the values of the variables, by name.

        Raises:
            ManifestError: variables are not set; all of them.
        """
        try:
            return values_of(self.variables)
        except ManifestError as error:
            raise ManifestError(f"dataset {self.dataset.name}: {error}") from None

    def fingerprint(self, source: str, schema: str = "") -> str:
        """Return one fingerprint of the manifest's entry and of all inputs.

        Args:
            source: the source's fingerprint.
            schema: the schema's fingerprint.
        """
        dumped = self.dataset.model_dump(mode="json", exclude=self.dataset.unset_shape)
        entry = encode(dumped, order="deterministic")
        variables = [variable.fingerprint() for variable in self.variables]
        return hashlib.sha256(entry + "".join([source, schema, *variables]).encode()).hexdigest()


def resolve_inputs(location: str, manifest: Manifest, sources: Sources) -> dict[str, Inputs]:
    """Resolve the inputs of each dataset, by dataset.

    Args:
        location: the manifest's path or URL.
        manifest: the datasets.
        sources: the settings for sources.

    Raises:
        ManifestError: a source or a schema leaves the manifest's folder, or is invalid; all of them.
    """
    found: dict[str, Inputs] = {}
    faults: list[str] = []

    def resolve(dataset: Dataset, key: str, named: str) -> Source | None:
        try:
            return sources.beside(location, named)
        except ManifestError as error:
            faults.append(f"dataset {dataset.name}: {key} {error}")
            return None

    for dataset in manifest.datasets:
        source = resolve(dataset, "source", dataset.source)
        schema = resolve(dataset, "schema", dataset.schema_) if dataset.schema_ else None
        if source:
            variables = tuple(map(sources.variable, dataset.env))
            found[dataset.name] = Inputs(dataset, source, schema, variables)
    if faults:
        raise ManifestError("\n".join(faults))
    return found
