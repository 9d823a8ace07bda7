"""What becomes of fields that hashes alone cannot decide: nested values, and fields that no answer shows.

nested         ─▶ merged member by member (`nested_merge.py`)
not shown      ─▶ unseen: named, and not sent, unless the manifest says so
all the others ─▶ by their hashes (`sql/diff.sql`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from compose_seeder.exact_json import Json
from compose_seeder.manifest.models import Dataset, FieldRules
from compose_seeder.reconcile.plan import EDITED_BY_HAND, Outcome
from compose_seeder.targets.endpoint.known_records import Known
from compose_seeder.targets.endpoint.merged import Merged, Part, Side
from compose_seeder.targets.endpoint.nested_merge import Merge
from compose_seeder.targets.endpoint.past import Past
from compose_seeder.targets.endpoint.value_trees import ABSENT, FOREIGN, Tree, is_nested, tree_of

STRENGTH: tuple[Outcome, ...] = ("unconfirmed", "drift", "conflict")
"""Outcomes of parts that are not written; the last one names the field."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one record.

    Attributes:
        fields: field -> {outcome, write, applied, edited, members}, for `sql/diff.sql`.
        structure: field -> its tree for the ledger.
        merged: the nested fields as they should be.
        removed: the paths of members that are removed, by field.
        unseen: the fields that no answer shows, and that nothing says how to treat.
    """

    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    structure: dict[str, Tree] = field(default_factory=dict)
    merged: dict[str, Merged] = field(default_factory=dict)
    removed: dict[str, list[tuple[str | int, ...]]] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)


NO_DECISION = Decision()


class Decisions:
    """Decides the fields of one dataset's records.

    Args:
        dataset: with an endpoint.
        salt: of the ledger's hashes.
        hidden: fields that were written, and that no answer shows of any record.
        listed: fields that some record of the list shows.
    """

    def __init__(self, dataset: Dataset, salt: int, hidden: set[str], listed: set[str]) -> None:
        self._dataset = dataset
        self._salt = salt
        self._hidden = hidden
        self._listed = listed

    def decide(
        self,
        known: Known | None,
        live: dict[str, Json],
        desired: Mapping[str, Json],
        *,
        is_read: bool,
    ) -> Decision:
        """Return what becomes of a record that is live.

        Args:
            known: what the ledger knows of it; None where it is somebody else's.
            live: what the API shows; gets null for a field that it showed once, and leaves out now.
            desired: the fields of the file.
            is_read: everything that can be read of it has been read.
        """
        decision = Decision()
        for name, value in desired.items():
            rule = self._dataset.fields.get(name, FieldRules())
            if rule.once or name in self._dataset.key:
                continue
            if name not in live and is_read and self._is_left_out(known, name, value):
                live[name] = None
            if name not in live:
                if is_read and value is not None:
                    self._decide_unseen(decision, known, name, rule)
                continue
            past = known.past(name) if known else Past(FOREIGN)
            is_new = known is not None and past.applied is ABSENT
            if is_new or any(map(is_nested, (live[name], value, past.applied))):
                overwrite = (rule.on_drift or self._dataset.on_drift) == "overwrite"
                self._merge(decision, name, past, live[name], value, overwrite=overwrite)
        return decision

    def _is_left_out(self, known: Known | None, name: str, value: Json) -> bool:
        """Tell if an API that leaves out what is null leaves a field out: it would show it otherwise."""
        if value is None:
            return True
        was_shown = known is not None and (known.shown or {}).get(name, FOREIGN) != FOREIGN
        return was_shown and (bool(self._dataset.http.confirm) or name in self._listed)

    def _decide_unseen(
        self, decision: Decision, known: Known | None, name: str, rule: FieldRules
    ) -> None:
        overwrites = rule.unseen == "overwrite"
        if known and not known.is_changed(name):
            if not overwrites:
                decision.unseen.append(name)
            return
        is_new = known is not None and known.hash_of(name) is None and name not in self._hidden
        if known and (overwrites or is_new):
            decision.fields[name] = {"outcome": "update", "write": True, "applied": "desired"}
            return
        # An adopted record is not sent it: from the next change of the file on, it is ours to overwrite.
        applied = "desired" if overwrites else "unchanged"
        decision.fields[name] = {"outcome": "unseen", "write": False, "applied": applied}
        decision.unseen.append(name)

    def _merge(
        self,
        decision: Decision,
        name: str,
        past: Past,
        live: Json,
        desired: Json,
        *,
        overwrite: bool,
    ) -> None:
        work = Merge(overwrite=overwrite)
        merged = work.merge(past, Side.of(live, self._salt), Side.of(desired, self._salt))
        is_desired = merged.applied == tree_of(desired, self._salt)
        decision.merged[name] = merged
        decision.structure[name] = merged.applied
        decision.removed[name] = [
            part.path for part in work.parts if part.write and part.desired is None
        ]
        decision.fields[name] = {
            **_summary(name, work.parts),
            "applied": "desired" if is_desired else "unchanged",
        }


def _summary(name: str, parts: list[Part]) -> dict[str, Any]:
    """Return what the plan says of a field: one outcome, and its members where there are several."""
    written = [part.outcome for part in parts if part.write]
    strongest = max(
        written or [part.outcome for part in parts],
        key=lambda outcome: STRENGTH.index(outcome) if outcome in STRENGTH else -1,
        default=None,
    )
    outcome = "update" if "update" in written else strongest
    summary: dict[str, Any] = {"outcome": outcome, "write": bool(written)}
    if any(part.outcome in EDITED_BY_HAND for part in parts):
        summary["edited"] = True
    if any(part.path for part in parts):
        summary["members"] = {path_text((name, *part.path)): _detail(part) for part in parts}
    return summary


def _detail(part: Part) -> dict[str, Any]:
    detail = {"live": part.live, "desired": part.desired, "outcome": part.outcome}
    return {**detail, "write": True} if part.write else detail


def path_text(path: Iterable[str | int]) -> str:
    """Return a path as people read it: `texts.ru`, `tags[2]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
