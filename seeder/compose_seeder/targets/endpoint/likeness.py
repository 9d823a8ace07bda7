"""Whether a live record may be one that was sent and is not shown under its key: an API may give it another one.

goblin, "hp": 7   sent as   Goblin, "hp": "7"        the key or most of the values are alike
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from compose_seeder.exact_json import Json


def is_alike(sent: Mapping[str, Json], live: Mapping[str, Json], key: tuple[str, ...]) -> bool:
    """Tell if a live record may be the one that was sent, under another key.

    Its key is the same but for letters' case, accents and signs; or at least half of the other values are, of those
    that both have. Where there are none to compare, it may be.
    """
    if all(_core(sent.get(name)) == _core(live.get(name)) for name in key):
        return True
    pairs = [
        (value, live[name])
        for name, value in sent.items()
        if name not in key and name in live and value is not None
    ]
    same = sum(_core(value) == _core(other) for value, other in pairs)
    return 2 * same >= len(pairs)


def _core(value: Json) -> str:
    """Return a value's letters and digits: what an API leaves of it that makes names, trims and rounds."""
    text = unicodedata.normalize("NFKD", str(value)).casefold()
    return "".join(filter(str.isalnum, text)) or text
