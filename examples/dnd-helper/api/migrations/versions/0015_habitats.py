"""Where monsters live.

Revision ID: 0015
Revises: 0014
Create Date: 2025-05-09 20:37
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.create_table(
        "habitats",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("slug", sa.Text(), nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
    )
    op.add_column("monsters", sa.Column("habitat_id", sa.Integer()))
    op.create_foreign_key(None, "monsters", "habitats", ["habitat_id"], ["id"])
    op.create_index("ix_monsters_habitat_id", "monsters", ["habitat_id"])


def downgrade() -> None:
    """Downgrade the schema."""
    op.drop_column("monsters", "habitat_id")
    op.drop_table("habitats")
