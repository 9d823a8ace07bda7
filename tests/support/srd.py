"""The D&D 5.1 SRD in the shapes of the first user's seed files: real input for tests and benchmarks.

The data lies beside the project, never inside it (`../shared/data`); tests skip where it is not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[3] / "shared" / "data"
SOURCE = "SRD 5.1"

Record = dict[str, Any]

TABLES = """
[[dataset]]
name = "monsters"
source = "seed_data_monsters.json"
records = "/monsters"
table = "monsters"
key = ["slug"]

[[dataset]]
name = "monster-translations"
source = "seed_data_monsters.json"
records = "/monster_translations"
table = "monster_translations"
key = ["monster_id", "lang"]
[dataset.refs]
monster_id = { from = "monster_slug", table = "monsters", match = "slug", take = "id" }

[[dataset]]
name = "spells"
source = "seed_data_spells.json"
records = "/spells"
table = "spells"
key = ["slug"]

[[dataset]]
name = "spell-translations"
source = "seed_data_spells.json"
records = "/spell_translations"
table = "spell_translations"
key = ["spell_id", "lang"]
[dataset.refs]
spell_id = { from = "spell_slug", table = "spells", match = "slug", take = "id" }
"""

RESOURCE = """
[[dataset]]
name = "{many}"
source = "seed_data_{many}.json"
records = "/{many}"
endpoint = "/{many}"
key = ["slug"]
drop_null = true
[dataset.nest]
translations = {{ records = "/{one}_translations", match = {{ {one}_slug = "slug" }}, by = "lang" }}
[dataset.http]
list = "GET /{many}/list/raw"
create = "POST /{many}"
update = "PUT /{many}/{{live.id}}"
"""

CONFIRM = """\
confirm = [
  "GET /{many}/{{live.id}}",
  {{ request = "GET /{many}/{{live.id}}/translations", into = "translations", by = "lang" }},
]
"""


@dataclass(frozen=True)
class Srd:
    """Four arrays, as the seed files hold them."""

    monsters: list[Record]
    monster_translations: list[Record]
    spells: list[Record]
    spell_translations: list[Record]

    def write(self, folder: Path, manifest: str) -> Path:
        """Seed files and a manifest in a folder; returns the manifest's path."""
        folder.mkdir(parents=True, exist_ok=True)
        for one in ("monster", "spell"):
            arrays = {f"{one}s": getattr(self, f"{one}s")}
            arrays[f"{one}_translations"] = getattr(self, f"{one}_translations")
            path = folder / f"seed_data_{one}s.json"
            path.write_text(json.dumps(arrays, ensure_ascii=False, indent=1), encoding="utf-8")
        path = folder / "seeds.toml"
        path.write_text(manifest, encoding="utf-8")
        return path


def through_the_api(*, confirm: bool = True) -> str:
    """Return a manifest with both resources as endpoints."""
    text = RESOURCE + (CONFIRM if confirm else "")
    return "".join(text.format(one=one, many=f"{one}s") for one in ("monster", "spell"))


def load() -> Srd:
    """Load the SRD: 334 monsters in English, 319 spells in English and French."""
    monsters = _read("en", "Monsters")
    spells = {lang: _read(lang, "Spells") for lang in ("en", "fr")}
    return Srd(
        [_monster(raw) for raw in monsters],
        [_monster_text(raw) for raw in monsters],
        [_spell(raw) for raw in spells["en"]],
        [_spell_text(raw, lang) for lang, texts in spells.items() for raw in texts],
    )


def first_user() -> Srd:
    """Load data like the first user's in number and structure: 327 monsters, 396 spells, two texts of each.

    86 of the Russian texts of monsters have no description; what the SRD does not have is made from
    what it has.
    """
    data = load()
    monsters = data.monsters[:327]
    slugs = [monster["slug"] for monster in monsters]
    english = {text["monster_slug"]: text for text in data.monster_translations}
    russian = [
        {**english[slug], "lang": "ru", "description": "" if n < 86 else f"По-русски: {slug}"}
        for n, slug in enumerate(slugs)
    ]
    more = [{**spell, "slug": f"{spell['slug']}-greater"} for spell in data.spells[: 396 - 319]]
    spells = data.spells + more
    texts = {text["spell_slug"]: text for text in data.spell_translations if text["lang"] == "en"}
    return Srd(
        monsters,
        [english[slug] for slug in slugs] + russian,
        spells,
        [
            {
                **texts[spell["slug"].removesuffix("-greater")],
                "spell_slug": spell["slug"],
                "lang": lang,
            }
            for spell in spells
            for lang in ("ru", "en")
        ],
    )


def _read(lang: str, name: str) -> list[Record]:
    path = DATA / "srd" / lang / f"5e-SRD-{name}.json"
    found: list[Record] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _monster(raw: Record) -> Record:
    speed, senses = raw["speed"], raw["senses"]
    ways = ("walk", "fly", "swim", "climb", "burrow")
    ranges = ("darkvision", "blindsight", "truesight", "tremorsense")
    return {
        "slug": raw["index"],
        "hp": raw["hit_points"],
        "ac": raw["armor_class"][0]["value"],
        "type": raw["type"],
        "size": raw["size"].lower(),
        "alignment": raw["alignment"],
        "hit_dice": raw["hit_points_roll"],
        "cr": raw["challenge_rating"],
        "xp": raw["xp"],
        "abilities": {name[:3]: raw[name] for name in ABILITIES},
        "saving_throws": _proficiencies(raw, "saving-throw-"),
        "skills": _proficiencies(raw, "skill-"),
        "senses": {"passive_perception": senses["passive_perception"]},
        "languages": [name for name in raw["languages"].split(", ") if name],
        "damage_vulnerabilities": raw["damage_vulnerabilities"],
        "damage_resistances": raw["damage_resistances"],
        "damage_immunities": raw["damage_immunities"],
        "condition_immunities": [condition["index"] for condition in raw["condition_immunities"]],
        **{f"speed_{way}": _feet(speed.get(way)) for way in ways},
        "is_flying": "fly" in speed,
        **{f"{sense}_range": _feet(senses.get(sense)) for sense in ranges},
        "source": SOURCE,
    }


ABILITIES = ("strength", "dexterity", "constitution", "intelligence", "wisdom", "charisma")


def _proficiencies(raw: Record, prefix: str) -> dict[str, int]:
    named = {each["proficiency"]["index"]: each["value"] for each in raw["proficiencies"]}
    return {
        name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)
    }


def _monster_text(raw: Record) -> Record:
    invented = f"{raw['size']} {raw['type']}, {raw['alignment']}"
    return {
        "monster_slug": raw["index"],
        "lang": "en",
        "name": raw["name"],
        "description": raw.get("desc") or invented,
        "traits": raw.get("special_abilities"),
        "actions": raw.get("actions"),
        "reactions": raw.get("reactions"),
        "legendary_actions": raw.get("legendary_actions"),
        "spellcasting": None,
    }


def _spell(raw: Record) -> Record:
    parts = raw["components"]
    return {
        "slug": raw["index"],
        "school": raw["school"]["index"],
        "level": raw["level"],
        "ritual": raw["ritual"],
        "concentration": raw["concentration"],
        "casting_time": raw["casting_time"],
        "range": raw["range"],
        "duration": raw["duration"],
        "components": {
            **{letter.lower(): letter in parts for letter in "VSM"},
            **({"material_desc": raw["material"]} if "material" in raw else {}),
        },
        "classes": [each["index"] for each in raw["classes"]],
        "tags": [each["index"] for each in raw["subclasses"]],
        "source": SOURCE,
        "damage": raw.get("damage"),
        "save_ability": raw["dc"]["dc_type"]["index"] if "dc" in raw else None,
        "attack_type": raw.get("attack_type"),
        "area": raw.get("area_of_effect"),
        "higher_level": True if raw.get("higher_level") else None,
    }


def _spell_text(raw: Record, lang: str) -> Record:
    description = "\n\n".join(raw["desc"] + raw.get("higher_level", []))
    return {
        "spell_slug": raw["index"],
        "lang": lang,
        "name": raw["name"],
        "description": description,
    }


def _feet(text: str | None) -> int | None:
    found = re.match(r"\d+", text or "")
    return int(found[0]) if found else None
