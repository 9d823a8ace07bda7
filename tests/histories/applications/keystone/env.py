"""What `keystone-manage db_sync` does before it runs the package's own env.py."""

import runpy

import keystone.conf  # type: ignore[import-not-found]
from alembic import context

keystone.conf.configure()
context.config.attributes["configure_logger"] = False
runpy.run_module("keystone.common.sql.migrations.env")
