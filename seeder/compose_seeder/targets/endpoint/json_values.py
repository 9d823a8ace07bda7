"""What is alike and what differs in two pieces of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from compose_seeder.manifest.http_options import Confirm

Json = Any


def structure_of(value: Json) -> Json:
    """Return the names that objects in `value` have, without the values; None for what is no structure."""
    if isinstance(value, dict):
        return {name: structure_of(part) for name, part in value.items()}
    if isinstance(value, list):
        return [structure_of(part) for part in value]
    return None


def project(live: Json, desired: Json) -> Json:
    """Return what `live` holds of the fields that `desired` names, at every depth."""
    if isinstance(live, dict) and isinstance(desired, dict):
        return {name: project(live[name], value) for name, value in desired.items() if name in live}
    if isinstance(live, list) and isinstance(desired, list) and len(live) == len(desired):
        return [project(*pair) for pair in zip(live, desired, strict=True)]
    return live


def differences(path: str, desired: Json, observed: Json) -> Iterator[str]:
    """Yield the paths of `desired` that the API does not show as they were written."""
    if isinstance(desired, dict) and isinstance(observed, dict):
        for name, value in desired.items():
            yield from differences(f"{path}.{name}", value, observed.get(name))
    elif desired != observed:
        yield path


def merge_confirmed(confirm: Confirm, answer: Json) -> dict[str, Json]:
    """Return the fields of a record that an answer to a confirming request shows."""
    if confirm.into is None:
        return dict(answer)
    if confirm.by is None or not isinstance(answer, list):
        return {confirm.into: answer}
    by = confirm.by
    rows = (row for row in answer if isinstance(row, dict) and by in row)
    return {confirm.into: {str(row[by]): {k: v for k, v in row.items() if k != by} for row in rows}}
