"""One text for each key and language.

Revision ID: 0005
Revises: 0004
Create Date: 2025-02-20 22:51
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the schema."""
    # Two people had filled the tables by hand: the text added last stays.
    op.execute(
        "DELETE FROM ui_translations old USING ui_translations new WHERE new.id > old.id"
        " AND (new.namespace, new.key, new.lang) = (old.namespace, old.key, old.lang)"
    )
    op.execute(
        "DELETE FROM enum_translations old USING enum_translations new WHERE new.id > old.id"
        " AND (new.enum_type, new.enum_value, new.lang) = (old.enum_type, old.enum_value, old.lang)"
    )
    op.create_index(
        "ux_ui_translations_key", "ui_translations", ["namespace", "key", "lang"], unique=True
    )
    op.create_index(
        "ux_enum_translations_value",
        "enum_translations",
        ["enum_type", "enum_value", "lang"],
        unique=True,
    )


def downgrade() -> None:
    """Downgrade the schema."""
    op.drop_index("ux_enum_translations_value", "enum_translations")
    op.drop_index("ux_ui_translations_key", "ui_translations")
