"""A dataset's source: read, decompressed, with the values of variables in it; and its fingerprint."""

from __future__ import annotations

import hashlib

from msgspec.json import encode

from compose_seeder.documents.json_document import Arrays, Documents, open_document
from compose_seeder.errors import Fault, ManifestError, RecordError
from compose_seeder.manifest.models import Dataset
from compose_seeder.sources.glob import folder_of, is_pattern
from compose_seeder.sources.location import VARIABLE, Sources, bare, check_pin, together


def read(dataset: Dataset, location: str, sources: Sources) -> tuple[Arrays, str]:
    """A dataset's source: its document, or several, decompressed; and its fingerprint.

    Raises:
        ManifestError: variables that it lists are not set.
        SourceError: it cannot be read, or is not what the manifest pins.
        RecordError: it is not text.
    """
    document, fingerprint = _read(dataset, location, sources)
    if not dataset.env:
        return document, fingerprint
    from compose_seeder.documents.env_substitution import Filled, values

    try:
        return Filled(document, values(sources.variables, dataset.env)), fingerprint
    except ManifestError as error:
        raise ManifestError(f"dataset {dataset.name}: {error}") from None


def _read(dataset: Dataset, location: str, sources: Sources) -> tuple[Arrays, str]:
    contents = sources.read_all(location)
    for content in contents:
        check_pin(location, content, dataset.sha256)
    if not is_pattern(dataset.source):
        (content,) = contents
        return open_document(bare(dataset.source), content.pieces), content.fingerprint
    folder = folder_of(dataset.source)
    faults: list[Fault] = []
    documents: list[Arrays] = []
    for content in contents:
        try:
            documents.append(open_document(folder + content.name, content.pieces))
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError("seed files cannot be read", faults)
    parts = ((content.name, content.fingerprint) for content in contents)
    return Documents(documents), together(parts)


def fingerprint_of(dataset: Dataset, source: str, sources: Sources) -> str:
    """Of everything that decides what a dataset should hold: its manifest entry and its source."""
    entry = encode(dataset.model_dump(mode="json"), order="deterministic")
    variables = [sources.fingerprint(place) for place in variables_of(dataset)]
    return hashlib.sha256(entry + "".join([source, *variables]).encode()).hexdigest()


def variables_of(dataset: Dataset) -> list[str]:
    """The places of a dataset's variables among a run's inputs."""
    return [f"{VARIABLE}{name}" for name in dataset.env]
