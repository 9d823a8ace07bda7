"""Sizes of monsters as an enum.

Revision ID: 0006
Revises: 0005
Create Date: 2025-03-02 17:09
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SIZE = postgresql.ENUM(
    "tiny", "small", "medium", "large", "huge", "gargantuan", name="monster_size"
)


def upgrade() -> None:
    """Upgrade the schema."""
    SIZE.create(op.get_bind())
    op.alter_column(
        "monsters",
        "size",
        type_=SIZE,
        existing_nullable=False,
        postgresql_using="lower(trim(size))::monster_size",
    )


def downgrade() -> None:
    """Downgrade the schema."""
    op.alter_column("monsters", "size", type_=sa.Text(), existing_nullable=False)
    SIZE.drop(op.get_bind())
