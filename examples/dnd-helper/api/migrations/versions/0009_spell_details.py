"""What a spell does: concentration, damage, area, saving throw.

Revision ID: 0009
Revises: 0008
Create Date: 2025-03-12 19:44
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.add_column(
        "spells",
        sa.Column("concentration", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    # Durations had said it so far: "Concentration, up to 1 minute".
    op.execute("UPDATE spells SET concentration = true WHERE duration ILIKE 'concentration%'")
    op.add_column(
        "spells",
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("spells", sa.Column("damage", postgresql.JSONB()))
    op.add_column("spells", sa.Column("save_ability", sa.Text()))
    op.add_column("spells", sa.Column("attack_type", sa.Text()))
    op.add_column("spells", sa.Column("area", postgresql.JSONB()))
    op.add_column("spells", sa.Column("higher_level", sa.Boolean()))


def downgrade() -> None:
    """Downgrade the schema."""
    for name in (
        "higher_level",
        "area",
        "attack_type",
        "save_ability",
        "damage",
        "tags",
        "concentration",
    ):
        op.drop_column("spells", name)
