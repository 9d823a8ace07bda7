"""Cards: a monster or a spell as a message that fits the screen of a telephone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnd_helper_bot.texts import escape

if TYPE_CHECKING:
    from dnd_helper_bot.texts import Texts

Record = dict[str, Any]

MESSAGE_LIMIT = 4096  # characters that Telegram accepts in a message
ABILITIES = ("str", "dex", "con", "int", "wis", "cha")
MOVEMENTS = ("walk", "fly", "swim", "climb", "burrow")
BLOCKS = ("traits", "actions", "reactions", "legendary_actions")
FRACTIONS = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2"}


def monster_card(monster: Record, texts: Texts) -> str:
    """Format a monster with its numbers, actions and traits."""
    kind = f"{texts.label('size', monster['size'])}, {texts.label('monster_type', monster['type'])}"
    if monster.get("alignment"):
        kind += f", {texts.say('term', monster['alignment'])}"
    parts = [
        f"<b>{escape(monster['name'])}</b>\n<i>{kind}</i>",
        _numbers(monster, texts),
        escape(monster.get("description") or ""),
        *(_block(name, monster.get(name), texts) for name in BLOCKS),
    ]
    if casting := monster.get("spellcasting"):
        parts.append(_block("spellcasting", [{"text": casting}], texts))
    return _fitting(parts)


def spell_card(spell: Record, texts: Texts) -> str:
    """Format a spell with its costs and its effect."""
    level = texts.say("card", "level", level=spell["level"])
    about = [texts.label("spell_school", spell["school"])]
    about.append(level if spell["level"] else texts.say("card", "cantrip"))
    about += [texts.say("card", name) for name in ("ritual", "concentration") if spell.get(name)]
    facts = [
        f"{texts.say('card', name)}: {_measure(spell[name], texts)}"
        for name in ("casting_time", "range", "duration")
        if spell.get(name)
    ]
    components = [
        texts.say("component", name) for name in "vsm" if (spell.get("components") or {}).get(name)
    ]
    if components:
        facts.append(f"{texts.say('card', 'components')}: {', '.join(components)}")
    return _fitting(
        [
            f"<b>{escape(spell['name'])}</b>\n<i>{', '.join(about)}</i>",
            "\n".join(facts),
            escape(spell.get("description") or ""),
        ]
    )


def _numbers(monster: Record, texts: Texts) -> str:
    rolled = escape(monster.get("hit_dice") or "").replace("d", texts.say("card", "die"))
    dice = f" ({rolled})" if rolled else ""
    armor, hits = texts.say("card", "armor_class"), texts.say("card", "hit_points")
    lines = [f"{armor} {monster['ac']} · {hits} {monster['hp']}{dice}"]
    speeds = [
        texts.say("card", name, feet=monster[f"speed_{name}"])
        for name in MOVEMENTS
        if monster.get(f"speed_{name}")
    ]
    if speeds:
        lines.append(f"{texts.say('card', 'speed')} {', '.join(speeds)}")
    if (rating := monster.get("cr")) is not None:
        xp = monster.get("xp")
        gain = "" if xp is None else f" ({texts.say('card', 'experience', xp=xp)})"
        lines.append(f"{texts.say('card', 'challenge')} {challenge(rating)}{gain}")
    abilities = monster.get("abilities") or {}
    known = [name for name in ABILITIES if name in abilities]
    if known:
        lines.append(
            " · ".join(f"{texts.say('ability', name)} {abilities[name]}" for name in known)
        )
    return "\n".join(lines)


def challenge(rating: float) -> str:
    """Format a challenge rating as players write it: 1/4, 1/2, 3."""
    return FRACTIONS.get(rating, f"{rating:g}")


def _measure(value: str, texts: Texts) -> str:
    number, _, unit = value.partition(" ")
    if unit == "feet" and number.isdecimal():
        return texts.say("card", "walk", feet=number)
    return texts.say("term", value)


def _block(name: str, entries: list[Record] | None, texts: Texts) -> str:
    if not entries:
        return ""
    lines = [
        f"<b>{escape(entry['name'])}.</b> {escape(entry.get('text', ''))}"
        if entry.get("name")
        else escape(entry.get("text", ""))
        for entry in entries
    ]
    return "\n".join([f"<u>{texts.say('card', name)}</u>", *lines])


def _fitting(parts: list[str]) -> str:
    """Join as many parts as fit into one message; cut between parts, never inside a tag."""
    card = ""
    for part in filter(None, parts):
        longer = f"{card}\n\n{part}" if card else part
        if len(longer) > MESSAGE_LIMIT:
            return card or part[:MESSAGE_LIMIT]
        card = longer
    return card
