"""The tables that Alembic's revisions create (`alembic check` compares the two)."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Identity, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    attribute_keyed_dict,
    mapped_column,
    relationship,
)

SIZES = ("tiny", "small", "medium", "large", "huge", "gargantuan")
SCHOOLS = (
    "abjuration",
    "conjuration",
    "divination",
    "enchantment",
    "evocation",
    "illusion",
    "necromancy",
    "transmutation",
)


class Base(DeclarativeBase):
    """Maps Python's types to columns; null in JSON is NULL in SQL."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB(none_as_null=True),
        Any: JSONB(none_as_null=True),
    }


class EnumTranslation(Base):
    """The label of an enum value of the game, in one language."""

    __tablename__ = "enum_translations"
    __table_args__ = (
        Index("ux_enum_translations_value", "enum_type", "enum_value", "lang", unique=True),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    enum_type: Mapped[str]
    enum_value: Mapped[str]
    lang: Mapped[str]
    label: Mapped[str]
    description: Mapped[str | None]
    synonyms: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))


class UiTranslation(Base):
    """A text of the bot, in one language."""

    __tablename__ = "ui_translations"
    __table_args__ = (Index("ux_ui_translations_key", "namespace", "key", "lang", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    namespace: Mapped[str]
    key: Mapped[str]
    lang: Mapped[str]
    text: Mapped[str]


class Habitat(Base):
    """An environment in which monsters live."""

    __tablename__ = "habitats"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class MonsterTranslation(Base):
    """A monster's text in one language."""

    __tablename__ = "monster_translations"
    __table_args__ = (
        Index("ux_monster_translations_lang", "monster_id", "lang", unique=True),
        CheckConstraint("lang ~ '^[a-z]{2}$'", name="ck_monster_translations_lang"),
        Index(
            "ix_monster_translations_name_trgm",
            "name",
            postgresql_using="gin",
            postgresql_ops={"name": "gin_trgm_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    monster_id: Mapped[int] = mapped_column(ForeignKey("monsters.id", ondelete="CASCADE"))
    lang: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    traits: Mapped[Any | None]
    actions: Mapped[Any | None]
    reactions: Mapped[Any | None]
    legendary_actions: Mapped[Any | None]
    spellcasting: Mapped[Any | None]


class Monster(Base):
    """A monster without its text. Slugs are not unique: the first import had duplicates."""

    __tablename__ = "monsters"
    translation: ClassVar = MonsterTranslation

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(index=True)
    hp: Mapped[int]
    ac: Mapped[int]
    type: Mapped[str]
    size: Mapped[str] = mapped_column(Enum(*SIZES, name="monster_size"))
    alignment: Mapped[str | None]
    hit_dice: Mapped[str | None]
    cr: Mapped[float | None] = mapped_column(Numeric(asdecimal=False))
    xp: Mapped[int | None]
    abilities: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    saving_throws: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    skills: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    senses: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    languages: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    damage_vulnerabilities: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    damage_resistances: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    damage_immunities: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    condition_immunities: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    speed_walk: Mapped[int | None]
    speed_fly: Mapped[int | None]
    speed_swim: Mapped[int | None]
    speed_climb: Mapped[int | None]
    speed_burrow: Mapped[int | None]
    is_flying: Mapped[bool] = mapped_column(server_default=text("false"))
    darkvision_range: Mapped[int | None]
    blindsight_range: Mapped[int | None]
    truesight_range: Mapped[int | None]
    tremorsense_range: Mapped[int | None]
    source: Mapped[str | None]
    habitat_id: Mapped[int | None] = mapped_column(ForeignKey("habitats.id"), index=True)

    translations: Mapped[dict[str, MonsterTranslation]] = relationship(
        collection_class=attribute_keyed_dict("lang"),
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class SpellTranslation(Base):
    """A spell's text in one language."""

    __tablename__ = "spell_translations"
    __table_args__ = (
        Index("ux_spell_translations_lang", "spell_id", "lang", unique=True),
        CheckConstraint("lang ~ '^[a-z]{2}$'", name="ck_spell_translations_lang"),
        Index(
            "ix_spell_translations_name_trgm",
            "name",
            postgresql_using="gin",
            postgresql_ops={"name": "gin_trgm_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    spell_id: Mapped[int] = mapped_column(ForeignKey("spells.id", ondelete="CASCADE"))
    lang: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]


class Spell(Base):
    """A spell without its text. Slugs are not unique, as for monsters."""

    __tablename__ = "spells"
    __table_args__ = (
        CheckConstraint(f"school IN {SCHOOLS}", name="ck_spells_school"),
        CheckConstraint("level BETWEEN 0 AND 9", name="ck_spells_level"),
    )
    translation: ClassVar = SpellTranslation

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(index=True)
    school: Mapped[str]
    level: Mapped[int]
    ritual: Mapped[bool] = mapped_column(server_default=text("false"))
    concentration: Mapped[bool] = mapped_column(server_default=text("false"))
    casting_time: Mapped[str | None]
    range: Mapped[str | None]
    duration: Mapped[str | None]
    components: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    classes: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    source: Mapped[str | None]
    damage: Mapped[dict[str, Any] | None]
    save_ability: Mapped[str | None]
    attack_type: Mapped[str | None]
    area: Mapped[dict[str, Any] | None]
    higher_level: Mapped[bool | None]

    translations: Mapped[dict[str, SpellTranslation]] = relationship(
        collection_class=attribute_keyed_dict("lang"),
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
