"""Monsters in several languages.

Revision ID: 0003
Revises: 0002
Create Date: 2025-02-06 20:03
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.create_table(
        "monster_translations",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("monster_id", sa.Integer(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("actions", postgresql.JSONB()),
        sa.ForeignKeyConstraint(["monster_id"], ["monsters.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "ux_monster_translations_lang", "monster_translations", ["monster_id", "lang"], unique=True
    )


def downgrade() -> None:
    """Downgrade the schema."""
    op.drop_table("monster_translations")
