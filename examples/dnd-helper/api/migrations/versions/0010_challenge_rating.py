"""Challenge ratings as numbers: '1/8' becomes 0.125.

Revision ID: 0010
Revises: 0009
Create Date: 2025-03-20 21:33
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    op.alter_column(
        "monsters",
        "cr",
        type_=sa.Numeric(),
        postgresql_using=(
            "CASE WHEN strpos(cr, '/') > 0"
            " THEN trim_scale(split_part(cr, '/', 1)::numeric / split_part(cr, '/', 2)::numeric)"
            " ELSE nullif(trim(cr), '')::numeric END"
        ),
    )


def downgrade() -> None:
    """Downgrade the schema."""
    op.alter_column(
        "monsters",
        "cr",
        type_=sa.Text(),
        postgresql_using=(
            "CASE WHEN cr > 0 AND cr < 1 THEN '1/' || round(1 / cr)::text"
            " ELSE trim_scale(cr)::text END"
        ),
    )
