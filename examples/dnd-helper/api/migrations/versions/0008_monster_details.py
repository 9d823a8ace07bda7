"""The rest of a monster's stat block.

Revision ID: 0008
Revises: 0007
Create Date: 2025-03-11 20:15
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OBJECTS = ("saving_throws", "skills", "senses")
LISTS = (
    "languages",
    "damage_vulnerabilities",
    "damage_resistances",
    "damage_immunities",
    "condition_immunities",
)
TEXTS = ("traits", "reactions", "legendary_actions", "spellcasting")


def upgrade() -> None:
    """Upgrade the schema."""
    for name in OBJECTS:
        op.add_column(
            "monsters",
            sa.Column(name, postgresql.JSONB(), server_default="{}", nullable=False),
        )
    for name in LISTS:
        op.add_column(
            "monsters",
            sa.Column(name, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        )
    for name in TEXTS:
        op.add_column("monster_translations", sa.Column(name, postgresql.JSONB()))


def downgrade() -> None:
    """Downgrade the schema."""
    for name in TEXTS:
        op.drop_column("monster_translations", name)
    for name in (*OBJECTS, *LISTS):
        op.drop_column("monsters", name)
