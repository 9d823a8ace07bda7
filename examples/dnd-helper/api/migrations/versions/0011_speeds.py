"""Speeds as numbers: '30 ft., fly 60 ft.' becomes a column for each way to move.

Revision ID: 0011
Revises: 0010
Create Date: 2025-03-27 22:08
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OTHERS = ("speed_fly", "speed_swim", "speed_climb", "speed_burrow")


def upgrade() -> None:
    """Upgrade the schema."""
    for name in ("speed_walk", *OTHERS):
        op.add_column("monsters", sa.Column(name, sa.Integer()))
    op.add_column(
        "monsters", sa.Column("is_flying", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.execute(
        r"""
        UPDATE monsters SET
            speed_walk = substring(speed from '^\s*(\d+)')::int,
            speed_fly = substring(speed from 'fly (\d+)')::int,
            speed_swim = substring(speed from 'swim (\d+)')::int,
            speed_climb = substring(speed from 'climb (\d+)')::int,
            speed_burrow = substring(speed from 'burrow (\d+)')::int,
            is_flying = speed LIKE '%fly %'
        WHERE speed IS NOT NULL
        """
    )
    op.drop_column("monsters", "speed")


def downgrade() -> None:
    """Downgrade the schema."""
    op.add_column("monsters", sa.Column("speed", sa.Text()))
    op.execute(
        """
        UPDATE monsters SET speed = nullif(concat_ws(', ',
            speed_walk || ' ft.',
            'fly ' || speed_fly || ' ft.',
            'swim ' || speed_swim || ' ft.',
            'climb ' || speed_climb || ' ft.',
            'burrow ' || speed_burrow || ' ft.'), '')
        """
    )
    for name in ("is_flying", "speed_walk", *OTHERS):
        op.drop_column("monsters", name)
