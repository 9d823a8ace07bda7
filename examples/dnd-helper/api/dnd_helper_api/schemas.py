"""The bodies of requests that write. Unknown fields and wrong types are refused with 422.

Answers have no schema: they are rows of the table, whoever wrote them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import TypedDict  # pydantic takes the standard one from Python 3.12 on

Integer = Annotated[int, Field(ge=0, le=2**31 - 1)]
Lang = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]
Name = Annotated[str, StringConstraints(min_length=1)]
Size = Literal["tiny", "small", "medium", "large", "huge", "gargantuan"]
School = Literal[
    "abjuration",
    "conjuration",
    "divination",
    "enchantment",
    "evocation",
    "illusion",
    "necromancy",
    "transmutation",
]
Block = dict[str, Any]


class Record(BaseModel):
    """A body without unknown fields, and without conversion: `"10"` is not 10."""

    model_config = ConfigDict(extra="forbid", strict=True)


class MonsterTranslationIn(Record):
    """A monster's text; each action and trait is an object."""

    name: Name
    description: str | None = None
    traits: list[Block] | None = None
    actions: list[Block] | None = None
    reactions: list[Block] | None = None
    legendary_actions: list[Block] | None = None
    spellcasting: Block | list[Block] | str | None = None


class MonsterIn(Record):
    """A monster with its texts by language. Speeds and ranges are in feet."""

    slug: Name
    hp: Integer
    ac: Integer
    type: str
    size: Size
    alignment: str | None = None
    hit_dice: str | None = None
    cr: Annotated[float, Field(ge=0, le=30)] | None = None
    xp: Integer | None = None
    abilities: dict[str, Any] = {}
    saving_throws: dict[str, Any] = {}
    skills: dict[str, Any] = {}
    senses: dict[str, Any] = {}
    languages: list[str] = []
    damage_vulnerabilities: list[str] = []
    damage_resistances: list[str] = []
    damage_immunities: list[str] = []
    condition_immunities: list[str] = []
    speed_walk: Integer | None = None
    speed_fly: Integer | None = None
    speed_swim: Integer | None = None
    speed_climb: Integer | None = None
    speed_burrow: Integer | None = None
    is_flying: bool = False
    darkvision_range: Integer | None = None
    blindsight_range: Integer | None = None
    truesight_range: Integer | None = None
    tremorsense_range: Integer | None = None
    source: str | None = None
    habitat_id: Integer | None = None
    translations: dict[Lang, MonsterTranslationIn] = {}


class Components(TypedDict, total=False):
    """Verbal, somatic, material; stored as sent, without defaults for missing parts."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    v: bool
    s: bool
    m: bool
    material_desc: str | None


class SpellTranslationIn(Record):
    """A spell's text."""

    name: Name
    description: str | None = None


class SpellIn(Record):
    """A spell with its texts by language."""

    slug: Name
    school: School
    level: Annotated[int, Field(ge=0, le=9)]
    ritual: bool = False
    concentration: bool = False
    casting_time: str | None = None
    range: str | None = None
    duration: str | None = None
    components: Components = {}
    classes: list[str] = []
    tags: list[str] = []
    source: str | None = None
    damage: dict[str, Any] | None = None
    save_ability: str | None = None
    attack_type: str | None = None
    area: dict[str, Any] | None = None
    higher_level: bool | None = None
    translations: dict[Lang, SpellTranslationIn] = {}
