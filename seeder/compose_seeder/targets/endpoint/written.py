"""What became of a record that was sent to an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from compose_seeder.exact_json import Json
from compose_seeder.reconcile.plan import Change
from compose_seeder.targets.endpoint.reader import Key
from compose_seeder.targets.endpoint.refused_members import Path
from compose_seeder.targets.endpoint.value_trees import Tree

Fate = Literal["written", "accepted", "renamed", "refused", "unread", "doubtful", "unseen"]
"""What became of a record.

written: accepted, shown by the answer, and read back where that is asked for. accepted: the answer does not show it.
renamed: accepted under another key. refused: not accepted. unread: accepted, and cannot be read back. unseen: accepted
with others, and the answer does not show them. doubtful: not accepted by this request, and perhaps there already.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """One record after its request.

    Attributes:
        change: what was to be done.
        fate: what became of it.
        observed: what the API shows of it.
        trees: of all that the API shows of it, for the ledger; None where it shows nothing.
        missing: the paths of values that the API does not show as they were written.
        unseen: the paths of values that no answer shows, of a new record.
        problem: the API's words.
        is_shown: the answer shows the record under its key, and more of it than was sent.
        other: the key that the API gave it.
        left_out: the values that the API did not take, and that it must still show, by their paths.
    """

    change: Change
    fate: Fate = "written"
    observed: Mapping[str, Json] | None = None
    trees: Mapping[str, Tree] | None = None
    missing: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    problem: str = ""
    is_shown: bool = False
    other: Key = ()
    left_out: Mapping[Path, Json] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """The position of the record in the file."""
        return self.change.position or 0
