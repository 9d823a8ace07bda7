"""What an API shows of a record that it has taken: what it did not keep, and what the ledger remembers of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from compose_seeder.exact_json import Json
from compose_seeder.targets.endpoint.bodies import Update, undeclared
from compose_seeder.targets.endpoint.decisions import path_text
from compose_seeder.targets.endpoint.json_values import differences, project
from compose_seeder.targets.endpoint.past import masked
from compose_seeder.targets.endpoint.value_trees import Tree, tree_of


def find_missing(update: Update, seen: Mapping[str, Json], *, complete: bool) -> Iterator[str]:
    """Yield the paths of values that the API does not show as they were sent; not those that the plan knows.

    Args:
        update: what was sent.
        seen: the answer.
        complete: it shows all there is: what it leaves out was not kept.
    """
    known = {
        path
        for detail in update.change.fields.values()
        for path, part in detail.get("members", {}).items()
        if part["outcome"] == "unconfirmed"
    }
    unchanged = {n for n, d in update.change.fields.items() if "write" not in d}
    for name, value in update.fields.items():
        if name in seen and name not in update.kept | (unchanged - update.decision.merged.keys()):
            expected = project(update.value(name), value)
            found = differences(name, expected, project(seen[name], expected))
            absent = set() if complete else set(_absent(name, expected, seen[name]))
            yield from (path for path in found if path not in known | absent)


def find_remaining(update: Update, seen: Mapping[str, Json]) -> Iterator[str]:
    """Yield the paths of members that were removed, and that the API shows all the same."""
    for name, paths in update.decision.removed.items():
        yield from (path_text((name, *path)) for path in paths if _leads_in(seen.get(name), path))


def find_unseen(update: Update, seen: Mapping[str, Json], *, members: bool) -> Iterator[str]:
    """Yield the paths of a new record's fields that no answer has shown; with `members`, those within a field too."""
    for name in undeclared(update.dataset, update.fields):
        if name not in seen:
            yield name
        elif members:
            yield from _absent(name, update.fields[name], seen[name])


def observed_fields(update: Update, seen: Mapping[str, Json]) -> dict[str, Json]:
    """Return what the API shows of the fields that were written, and that hold no edit by hand."""
    unchanged = {n for n, d in update.change.fields.items() if "write" not in d} | update.kept
    edited = {name for name, merged in update.decision.merged.items() if merged.by_hand}
    return {
        name: project(seen[name], value)
        for name, value in update.fields.items()
        if name in seen and name not in unchanged | edited
    }


def shown_trees(update: Update, seen: Mapping[str, Json]) -> dict[str, Tree]:
    """Return the trees of what the API shows of a record, without what people edited in it."""
    by_hand: dict[str, Tree] = {
        name: merged.by_hand for name, merged in update.decision.merged.items()
    }
    by_hand |= dict.fromkeys(update.kept, True)
    for name, value in update.added().items():
        # What changes with our own write as well is the API's own.
        by_hand[name] = tree_of(seen.get(name), update.salt) == tree_of(value, update.salt)
    return {
        name: masked(tree_of(value, update.salt), by_hand.get(name, False))
        for name, value in seen.items()
    }


def _absent(path: str, desired: Json, seen: Json) -> Iterator[str]:
    if isinstance(desired, dict) and isinstance(seen, dict):
        for name, value in desired.items():
            if name in seen:
                yield from _absent(f"{path}.{name}", value, seen[name])
            elif value is not None:
                yield f"{path}.{name}"


def _leads_in(value: Json, path: Sequence[str | int]) -> bool:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False  # elements of lists have no lasting place
        value = value[name]
    return True
