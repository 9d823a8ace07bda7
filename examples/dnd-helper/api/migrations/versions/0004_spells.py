"""Spells, and their texts in several languages.

Revision ID: 0004
Revises: 0003
Create Date: 2025-02-14 18:27
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.create_table(
        "spells",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("school", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("ritual", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("casting_time", sa.Text()),
        sa.Column("range", sa.Text()),
        sa.Column("duration", sa.Text()),
        sa.Column("components", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("classes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("source", sa.Text()),
    )
    op.create_index("ix_spells_slug", "spells", ["slug"])
    op.create_table(
        "spell_translations",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("spell_id", sa.Integer(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.ForeignKeyConstraint(["spell_id"], ["spells.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "ux_spell_translations_lang", "spell_translations", ["spell_id", "lang"], unique=True
    )


def downgrade() -> None:
    """Downgrade the schema."""
    op.drop_table("spell_translations")
    op.drop_table("spells")
