"""Check languages, schools and levels.

Revision ID: 0007
Revises: 0006
Create Date: 2025-03-02 18:30
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TRANSLATIONS = ("monster_translations", "spell_translations")
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


def upgrade() -> None:
    """Upgrade the schema."""
    op.execute("UPDATE spells SET school = lower(trim(school))")
    op.create_check_constraint("ck_spells_school", "spells", f"school IN {SCHOOLS}")
    op.create_check_constraint("ck_spells_level", "spells", "level BETWEEN 0 AND 9")
    for table in TRANSLATIONS:
        op.execute(f"UPDATE {table} SET lang = lower(trim(lang))")
        op.create_check_constraint(f"ck_{table}_lang", table, "lang ~ '^[a-z]{2}$'")


def downgrade() -> None:
    """Downgrade the schema."""
    for table in TRANSLATIONS:
        op.drop_constraint(f"ck_{table}_lang", table)
    op.drop_constraint("ck_spells_level", "spells")
    op.drop_constraint("ck_spells_school", "spells")
