"""Alembic's environment: the address of the database, and the models that describe it."""

from __future__ import annotations

import os
from logging.config import fileConfig
from typing import TYPE_CHECKING

from alembic import context
from dnd_helper_api.models import Base
from dnd_helper_api.settings import database_url, with_driver
from sqlalchemy import create_engine, pool

if TYPE_CHECKING:
    from sqlalchemy import URL

config = context.config

if config.config_file_name is not None:
    fileConfig(config.config_file_name)


def address() -> URL:
    """Return `sqlalchemy.url`, if a program that runs Alembic in-process sets it, or the settings' address."""
    configured = config.get_main_option("sqlalchemy.url")
    return with_driver(configured) if configured else database_url(os.environ)


def run_migrations_offline() -> None:
    """Write the SQL instead of running it (`alembic upgrade --sql`); needs no database."""
    context.configure(
        dialect_name="postgresql",
        target_metadata=Base.metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Run the migrations over one connection."""
    engine = create_engine(address(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,  # one revision builds an index outside transactions
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
