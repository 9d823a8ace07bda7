"""The owned records that the file no longer names, as the ledger knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compose_seeder.exact_json import Json, encode
from compose_seeder.postgres import Connection, statements
from compose_seeder.targets.endpoint.json_values import project
from compose_seeder.targets.endpoint.past import Past
from compose_seeder.targets.endpoint.reader import Key
from compose_seeder.targets.endpoint.value_trees import Tree, is_nested, tree_of


@dataclass(frozen=True, slots=True)
class Removed:
    """A record that the file no longer names.

    Attributes:
        structure: the trees of what was applied, by field.
        shown: the trees of what the API then showed; None where nobody looked.
    """

    structure: Mapping[str, Tree]
    shown: Mapping[str, Tree] | None

    def seen(self, record: Mapping[str, Json], fields: Sequence[str], salt: int) -> dict[str, Json]:
        """Return the fields of a live record as they were applied, and with what somebody added to one."""
        return {
            name: record[name]
            if self._has_addition(name, record[name], salt)
            else project(record[name], self.structure.get(name))
            for name in fields
            if name in record
        }

    def _has_addition(self, name: str, live: Json, salt: int) -> bool:
        tree = self.structure.get(name)
        if self.shown is None or not is_nested(tree):
            return False
        return not Past(tree, self.shown.get(name)).is_untouched(tree_of(live, salt))


def find_removed(
    connection: Connection, others: Sequence[Key]
) -> tuple[dict[int, Key], dict[Key, Removed]]:
    """Return the owned ones of live records that the file does not name.

    Args:
        connection: with the filled tables `desired` and `applied`.
        others: the keys of those records.

    Returns:
        The keys by their ids, and the owned records by key.
    """
    texts = statements("endpoint")
    rows = connection.execute(texts["removed_records"]).fetchall()
    owned = {id_: Removed(structure or {}, shown) for id_, structure, shown in rows}
    if not owned or not others:
        return {}, {}
    keys = {"keys": [encode(key).decode() for key in others]}
    ids = [row[0] for row in connection.execute(texts["hash_keys"], keys)]
    by_id = dict(zip(ids, others, strict=True))
    return by_id, {key: owned[id_] for id_, key in by_id.items() if id_ in owned}
