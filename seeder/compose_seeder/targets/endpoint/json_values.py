"""What is alike and what differs in two pieces of JSON."""

from __future__ import annotations

from collections.abc import Iterator

from compose_seeder.exact_json import Json, decode
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.value_trees import tree_of


def decode_fields(wanted: Desired) -> dict[str, Json]:
    """Return the values of a desired record, by field."""
    return {name: decode(value) for name, value in wanted.document.items()}


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
    elif tree_of(desired, 0) != tree_of(observed, 0):  # Python takes true for 1
        yield path
