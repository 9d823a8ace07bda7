"""Ranges of senses, to search by.

Revision ID: 0012
Revises: 0011
Create Date: 2025-04-04 19:26
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SENSES = ("darkvision", "blindsight", "truesight", "tremorsense")


def upgrade() -> None:
    """Upgrade the schema."""
    for sense in SENSES:
        column = f"{sense}_range"
        op.add_column("monsters", sa.Column(column, sa.Integer()))
        # Senses were kept as the book prints them: {"darkvision": "60 ft."}.
        op.execute(
            rf"UPDATE monsters SET {column} = substring(senses ->> '{sense}' from '\d+')::int,"
            f" senses = senses - '{sense}' WHERE jsonb_exists(senses, '{sense}')"
        )


def downgrade() -> None:
    """Downgrade the schema."""
    for sense in SENSES:
        column = f"{sense}_range"
        op.execute(
            "UPDATE monsters SET senses = "
            f"senses || jsonb_build_object('{sense}', {column} || ' ft.')"
            f" WHERE {column} IS NOT NULL"
        )
        op.drop_column("monsters", column)
