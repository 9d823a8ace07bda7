"""Alembic's configuration: of an `alembic.ini`, or of a folder of revisions alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import coerce_resource_to_filename

from compose_init.migrations.fingerprint import script_folder, toml_of

DEFAULT_ENV = Path(__file__).parent / "default_env"


def build_config(path: Path, url: str) -> Config:
    """Return the configuration for `alembic upgrade`.

    Args:
        path: `alembic.ini`, or a folder of revisions.
        url: for `sqlalchemy.url`.
    """
    config = _from_ini(path) if path.is_file() else _from_folder(path)
    config.set_main_option("sqlalchemy.url", _escape(url))
    return config


def version_locations(script: ScriptDirectory) -> set[str]:
    """Return the folders of revisions as real paths; `env.py` may have changed them meanwhile."""
    named = script.version_locations or [str(Path(script.dir, "versions"))]
    return {os.path.realpath(coerce_resource_to_filename(str(name))) for name in named}


def _from_ini(path: Path) -> Config:
    toml = toml_of(path)
    # Alembic before 1.16 knows no TOML.
    knows_toml = hasattr(Config, "toml_file_name")
    options: dict[str, Any] = {"toml_file": toml} if toml and knows_toml else {}
    config = Config(str(path), **options)
    if not script_folder(path):  # Flask-Migrate gives it on the command line
        config.set_main_option("script_location", _escape(path.parent))
    return config


def _from_folder(path: Path) -> Config:
    config = Config()
    script = path if (path / "env.py").exists() else DEFAULT_ENV
    revisions = path / "versions" if (path / "versions").is_dir() else path
    config.set_main_option("script_location", _escape(script))
    config.set_main_option("version_locations", _escape(revisions))
    config.set_main_option("path_separator", ";")
    config.set_main_option("version_path_separator", ";")
    return config


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")
