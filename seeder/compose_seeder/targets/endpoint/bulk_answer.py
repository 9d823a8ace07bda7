"""The answer to a bulk request, matched with the records that were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compose_seeder.exact_json import Json
from compose_seeder.targets.endpoint.reader import Key


def match_answers(answers: Json, keys: Sequence[Key], names: tuple[str, ...]) -> list[Json] | None:
    """Return the answers in the order of the records: by their keys where the answers show them.

    Args:
        answers: what the API answered, which may not be an array of records.
        keys: of the records that were sent, in their order.
        names: the fields of the key.

    Returns:
        None where the answers are not one object for each record.
    """
    if not isinstance(answers, list) or len(answers) != len(keys):
        return None
    if not all(isinstance(answer, dict) for answer in answers):
        return None
    shown = [name in answer for answer in answers for name in names]
    if not any(shown):
        return answers
    if not all(shown):  # among records, something else: errors of those that were not taken
        return None
    by_key = {_comparable(answer, names): answer for answer in answers}
    found = [by_key.get(tuple(map(str, key))) for key in keys]
    return None if None in found else found


def _comparable(answer: Mapping[str, Json], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(answer[name]) for name in names)
