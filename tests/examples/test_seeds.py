"""The example's seed files: complete in both languages, true to the rules, in words of our own."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "examples" / "dnd-helper" / "seeds"
SRD = ROOT.parent / "shared" / "data" / "srd" / "en"
LANGUAGES = {"en", "ru"}
ABILITIES = ("strength", "dexterity", "constitution", "intelligence", "wisdom", "charisma")
CYRILLIC = re.compile("[\u0400-\u04ff]")
TEXTS = ["traits", "actions", "reactions", "legendary_actions"]

Record = dict[str, Any]


def load(name: str) -> Any:
    """Return the content of one seed file."""
    return json.loads((SEEDS / f"seed_data_{name}.json").read_text(encoding="utf-8"))


MONSTERS: list[Record] = load("monsters")["monsters"]
MONSTER_TEXTS: list[Record] = load("monsters")["monster_translations"]
SPELLS: list[Record] = load("spells")["spells"]
SPELL_TEXTS: list[Record] = load("spells")["spell_translations"]
ENUMS: list[Record] = load("enums")["enum_translations"]
UI: list[Record] = load("ui")["ui_translations"]
HABITATS: list[Record] = load("habitats")

TRANSLATED = [
    pytest.param(MONSTERS, MONSTER_TEXTS, "monster_slug", id="monsters"),
    pytest.param(SPELLS, SPELL_TEXTS, "spell_slug", id="spells"),
]
KEYS = [
    pytest.param(MONSTERS, ["slug"], id="monsters"),
    pytest.param(MONSTER_TEXTS, ["monster_slug", "lang"], id="monster_translations"),
    pytest.param(SPELLS, ["slug"], id="spells"),
    pytest.param(SPELL_TEXTS, ["spell_slug", "lang"], id="spell_translations"),
    pytest.param(ENUMS, ["enum_type", "enum_value", "lang"], id="enum_translations"),
    pytest.param(UI, ["namespace", "key", "lang"], id="ui_translations"),
    pytest.param(HABITATS, ["slug"], id="habitats"),
]


@pytest.fixture(scope="module", name="srd")
def _srd() -> dict[str, dict[str, Record]]:
    if not SRD.is_dir():
        pytest.skip(f"{SRD} is not there: the rules cannot be compared with")
    return {
        path.stem.removeprefix("5e-SRD-").lower(): {
            record["index"]: record for record in json.loads(path.read_text(encoding="utf-8"))
        }
        for path in SRD.glob("*.json")
    }


def strings(value: Any) -> list[str]:
    """All strings inside `value`, however deep."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def sentences(texts: list[str]) -> set[str]:
    """Sentences of eight words or more, without punctuation, in lower case."""
    split = (re.split(r"[.!?:;]\s+|\n", text) for text in texts)
    words = [re.findall(r"[\w'+]+", sentence.lower()) for found in split for sentence in found]
    return {" ".join(found) for found in words if len(found) >= 8}


def test_there_is_enough_to_play_with() -> None:
    """Enough for a search to find several, and for a plan to have something to count."""
    assert len(MONSTERS) >= 42
    assert len(SPELLS) >= 42
    assert 60 <= len(ENUMS) <= 80
    assert {record["enum_type"] for record in ENUMS} >= {"size", "spell_school", "damage_type"}


@pytest.mark.parametrize(("records", "key"), KEYS)
def test_keys_are_unique(records: list[Record], key: list[str]) -> None:
    """No file holds one key twice."""
    counted = Counter(tuple(record[name] for name in key) for record in records)
    assert [found for found, count in counted.items() if count > 1] == []


@pytest.mark.parametrize(("records", "key"), KEYS)
def test_every_record_of_an_array_has_the_same_fields(
    records: list[Record], key: list[str]
) -> None:
    """What does not apply is null, never missing: a reader sees what can be filled in."""
    assert {tuple(record) for record in records} == {tuple(records[0])}
    assert set(key) <= set(records[0])


@pytest.mark.parametrize(("records", "texts", "field"), TRANSLATED)
def test_every_slug_speaks_both_languages(
    records: list[Record], texts: list[Record], field: str
) -> None:
    """Each slug has its English and its Russian text, and no text is without its record."""
    wanted = {(record["slug"], lang) for record in records for lang in LANGUAGES}
    assert {(text[field], text["lang"]) for text in texts} == wanted


@pytest.mark.parametrize(("records", "texts", "field"), TRANSLATED)
def test_records_stand_in_the_order_of_their_slugs(
    records: list[Record], texts: list[Record], field: str
) -> None:
    """The order is stable, so a change of one record is a change of a few lines."""
    assert [record["slug"] for record in records] == sorted(record["slug"] for record in records)
    assert [text[field] for text in texts] == sorted(text[field] for text in texts)


def test_no_text_is_empty() -> None:
    """The API drops a translation without a description, and answers 201 all the same."""
    for text in [*MONSTER_TEXTS, *SPELL_TEXTS]:
        assert text["name"].strip()
        assert text["description"].strip()
    for text in MONSTER_TEXTS:
        for block in (block for field in TEXTS for block in text[field] or []):
            assert set(block) == {"name", "text"}
            assert block["name"].strip()
            assert block["text"].strip()
    for record in [*ENUMS, *UI]:
        assert all(found.strip() for found in strings(record))


def test_russian_is_russian_and_english_is_english() -> None:
    """No text stands under the other language."""
    for text in [*MONSTER_TEXTS, *SPELL_TEXTS, *ENUMS]:
        name = text.get("name") or text["label"]
        for written in (name, text["description"]):
            assert bool(CYRILLIC.search(written)) == (text["lang"] == "ru"), written


def test_ui_and_enum_texts_exist_in_both_languages() -> None:
    """The bot never has to mix languages."""
    for records, *names in ((UI, "namespace", "key"), (ENUMS, "enum_type", "enum_value")):
        counted = Counter(tuple(record[name] for name in names) for record in records)
        assert set(counted.values()) == {2}


def test_ui_texts_have_the_same_placeholders_in_both_languages() -> None:
    """A text that asks for a value asks for the same one in each language."""
    found: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for record in UI:
        placeholders = tuple(sorted(re.findall(r"{\w+}", record["text"])))
        found.setdefault((record["namespace"], record["key"]), set()).add(placeholders)
    assert [key for key, variants in found.items() if len(variants) != 1] == []


def test_every_habitat_is_known_and_used() -> None:
    """References resolve."""
    assert {record["habitat_slug"] for record in MONSTERS} == {
        record["slug"] for record in HABITATS
    }


def test_the_numbers_of_monsters_are_those_of_the_rules(srd: dict[str, dict[str, Record]]) -> None:
    """Hit points, armor class, challenge and abilities are facts."""
    for monster in MONSTERS:
        rules = srd["monsters"][monster["slug"]]
        assert {
            "hp": monster["hp"],
            "ac": monster["ac"],
            "hit_dice": monster["hit_dice"],
            "cr": monster["cr"],
            "xp": monster["xp"],
            "size": monster["size"],
            "type": monster["type"],
            "abilities": list(monster["abilities"].values()),
            "is_flying": monster["is_flying"],
        } == {
            "hp": rules["hit_points"],
            "ac": rules["armor_class"][0]["value"],
            "hit_dice": rules["hit_points_roll"],
            "cr": rules["challenge_rating"],
            "xp": rules["xp"],
            "size": rules["size"].lower(),
            "type": rules["type"],
            "abilities": [rules[ability] for ability in ABILITIES],
            "is_flying": "fly" in rules["speed"],
        }, monster["slug"]


def test_the_facts_of_spells_are_those_of_the_rules(srd: dict[str, dict[str, Record]]) -> None:
    """Level, school, times, ranges, classes and components are facts."""
    for spell in SPELLS:
        rules = srd["spells"][spell["slug"]]
        same = ["level", "ritual", "concentration", "casting_time", "range", "duration"]
        assert {name: spell[name] for name in same} == {name: rules[name] for name in same}
        assert spell["school"] == rules["school"]["index"]
        assert spell["classes"] == [found["index"] for found in rules["classes"]]
        components = [letter for letter in "vsm" if spell["components"][letter]]
        assert components == [letter.lower() for letter in rules["components"]], spell["slug"]


def test_english_names_are_those_of_the_rules(srd: dict[str, dict[str, Record]]) -> None:
    """Names are facts."""
    for kind, texts in (("monsters", MONSTER_TEXTS), ("spells", SPELL_TEXTS)):
        for text in texts:
            if text["lang"] == "en":
                slug = text[f"{kind.removesuffix('s')}_slug"]
                assert text["name"] == srd[kind][slug]["name"]


def test_dice_and_bonuses_in_english_texts_are_those_of_the_rules(
    srd: dict[str, dict[str, Record]],
) -> None:
    """Every `12 (3d6 + 2)`, `+4` and `DC 13` of a monster's text is in its rules as well."""
    numbers = re.compile(r"\d+ \(\d+d\d+(?: \+ \d+)?\)|\+\d+ to hit|DC \d+")
    for text in MONSTER_TEXTS:
        if text["lang"] == "en":
            rules = " ".join(strings(srd["monsters"][text["monster_slug"]]))
            rules = rules.replace("DC of 5+the damage", "DC 5")
            found = {number for written in strings(text) for number in numbers.findall(written)}
            assert {number for number in found if number not in rules} == set(), text["name"]


def test_both_languages_say_the_same_numbers() -> None:
    """The Russian dice are the English ones."""
    by_slug: dict[str, list[list[list[str]]]] = {}
    for text in MONSTER_TEXTS:
        blocks = [block["text"] for field in TEXTS for block in text[field] or []]
        dice = [sorted(re.findall(r"\d+[dк]\d+", block)) for block in blocks]
        by_slug.setdefault(text["monster_slug"], []).append(
            [[found.replace("к", "d") for found in block] for block in dice]
        )
    assert [slug for slug, (one, other) in by_slug.items() if one != other] == []


def test_no_sentence_is_copied_from_the_rules(srd: dict[str, dict[str, Record]]) -> None:
    """Facts are shared, sentences are not."""
    rules = sentences(strings([list(records.values()) for records in srd.values()]))
    files = [MONSTERS, MONSTER_TEXTS, SPELLS, SPELL_TEXTS, ENUMS, UI]
    assert len(rules) > 5000
    assert sentences([text for records in files for text in strings(records)]) & rules == set()


def test_the_manifest_names_what_is_there() -> None:
    """Sources, pointers and keys of `seeds.toml` are to be found in the files."""
    manifest = tomllib.loads((SEEDS / "seeds.toml").read_text(encoding="utf-8"))
    assert [dataset["name"] for dataset in manifest["dataset"]] == [
        "habitats",
        "enum-translations",
        "ui-translations",
        "monsters",
        "spells",
    ]
    for dataset in manifest["dataset"]:
        document = json.loads((SEEDS / dataset["source"]).read_text(encoding="utf-8"))
        pointers = [dataset.get("records", "")]
        pointers += [nest["records"] for nest in dataset.get("nest", {}).values()]
        for pointer in pointers:
            records = document[pointer[1:]] if pointer else document
            assert records
            assert all(isinstance(record, dict) for record in records)
        first = document[dataset["records"][1:]][0] if "records" in dataset else document[0]
        assert set(dataset["key"]) <= set(first)
