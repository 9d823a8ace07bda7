"""The bot's texts: from the API, where people edit them; without the API, in English from this module."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

LANGUAGES = {"en": "English", "ru": "Русский"}
DEFAULT = "en"

# The same texts as in seeds/seed_data_ui.json; a test compares them.
BUILT_IN = {
    ("bot", "start"): "Well met, adventurer! Send /monster goblin or /spell fireball, and I shall"
    " look it up. Choose a language below, or send /start en or /start ru.",
    ("bot", "language_set"): "From now on I speak English.",
    ("bot", "unknown_language"): "I do not speak that language. There are: {languages}",
    ("bot", "ask_monster"): "Which monster? For example: /monster owlbear",
    ("bot", "ask_spell"): "Which spell? For example: /spell shield",
    ("bot", "not_found"): "Nothing goes by the name “{name}”. Perhaps another spelling?",
    ("bot", "several"): "Several match “{name}”. Which one do you mean?",
    ("bot", "away"): "The library is closed for a moment. Please try again a little later.",
    ("bot", "help"): "I know three words: /start, /monster NAME and /spell NAME.",
    ("card", "armor_class"): "AC",
    ("card", "hit_points"): "HP",
    ("card", "speed"): "Speed",
    ("card", "walk"): "{feet} ft.",
    ("card", "fly"): "fly {feet} ft.",
    ("card", "swim"): "swim {feet} ft.",
    ("card", "climb"): "climb {feet} ft.",
    ("card", "burrow"): "burrow {feet} ft.",
    ("card", "challenge"): "Challenge",
    ("card", "experience"): "{xp} XP",
    ("card", "traits"): "Traits",
    ("card", "actions"): "Actions",
    ("card", "reactions"): "Reactions",
    ("card", "legendary_actions"): "Legendary actions",
    ("card", "spellcasting"): "Spellcasting",
    ("card", "die"): "d",
    ("card", "cantrip"): "cantrip",
    ("card", "level"): "level {level}",
    ("card", "ritual"): "ritual",
    ("card", "casting_time"): "Casting time",
    ("card", "range"): "Range",
    ("card", "duration"): "Duration",
    ("card", "concentration"): "concentration",
    ("card", "components"): "Components",
    **{("component", name): name.upper() for name in "vsm"},
    **{("ability", name): name.upper() for name in ("str", "dex", "con", "int", "wis", "cha")},
}


@dataclass(frozen=True)
class Texts:
    """Texts in one language, ready for a message in HTML.

    Attributes:
        ui: (namespace, key) -> text, with {placeholders}.
        labels: (enum type, value) -> what people call it.
    """

    ui: dict[tuple[str, str], str] = field(default_factory=dict)
    labels: dict[tuple[str, str], str] = field(default_factory=dict)

    def say(self, namespace: str, key: str, **values: object) -> str:
        """Return a text with its placeholders filled in and all values escaped.

        Not `str.format`: texts are edited in production, and a stray brace must not break a reply.
        """
        text = self.ui.get((namespace, key)) or BUILT_IN.get((namespace, key)) or key
        text = escape(text)
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", escape(value))
        return text

    def label(self, kind: str, value: str) -> str:
        """Return the label of an enum value; the value itself if it has no label."""
        return escape(self.labels.get((kind, value), value))


def escape(value: object) -> str:
    """Escape a value for a message in HTML; Telegram refuses a message with a stray `<`."""
    return html.escape(str(value), quote=False)


def from_rows(ui: list[dict[str, Any]], labels: list[dict[str, Any]]) -> Texts:
    """Build texts from the rows of `/ui-translations` and `/enum-translations`."""
    return Texts(
        ui={(row["namespace"], row["key"]): row["text"] for row in ui},
        labels={(row["enum_type"], row["enum_value"]): row["label"] for row in labels},
    )
