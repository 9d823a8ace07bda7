"""The extension that finds names by their likeness.

Revision ID: 0013
Revises: 0012
Create Date: 2025-04-18 18:00
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")


def downgrade() -> None:
    """Downgrade the schema."""
    op.execute("DROP EXTENSION IF EXISTS pg_trgm")
