"""Texts of the bot and names of the game's vocabularies.

Revision ID: 0001
Revises:
Create Date: 2025-02-03 19:12
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.create_table(
        "ui_translations",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
    )
    op.create_table(
        "enum_translations",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("enum_type", sa.Text(), nullable=False),
        sa.Column("enum_value", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("synonyms", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )


def downgrade() -> None:
    """Downgrade the schema."""
    op.drop_table("enum_translations")
    op.drop_table("ui_translations")
