"""Indexes for searching by name, built while the API serves.

Revision ID: 0014
Revises: 0013
Create Date: 2025-04-18 18:21
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TRANSLATIONS = ("monster_translations", "spell_translations")


def upgrade() -> None:
    """Upgrade the schema."""
    # CREATE INDEX CONCURRENTLY is refused inside a transaction. A build that was cut off is found
    # by `if_not_exists`, and an INVALID index with it: drop that one by hand and upgrade again.
    with op.get_context().autocommit_block():
        for table in TRANSLATIONS:
            op.create_index(
                f"ix_{table}_name_trgm",
                table,
                ["name"],
                postgresql_using="gin",
                postgresql_ops={"name": "gin_trgm_ops"},
                postgresql_concurrently=True,
                if_not_exists=True,
            )


def downgrade() -> None:
    """Downgrade the schema."""
    with op.get_context().autocommit_block():
        for table in TRANSLATIONS:
            op.drop_index(
                f"ix_{table}_name_trgm", table, postgresql_concurrently=True, if_exists=True
            )
