"""Monsters.

Revision ID: 0002
Revises: 0001
Create Date: 2025-02-05 21:40
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.create_table(
        "monsters",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("hp", sa.Integer(), nullable=False),
        sa.Column("ac", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.Text(), nullable=False),
        sa.Column("alignment", sa.Text()),
        sa.Column("hit_dice", sa.Text()),
        sa.Column("cr", sa.Text()),
        sa.Column("xp", sa.Integer()),
        sa.Column("speed", sa.Text()),
        sa.Column("abilities", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("source", sa.Text()),
    )
    op.create_index("ix_monsters_slug", "monsters", ["slug"])


def downgrade() -> None:
    """Downgrade the schema."""
    op.drop_table("monsters")
