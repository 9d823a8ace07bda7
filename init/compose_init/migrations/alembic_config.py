"""Alembic's configuration: of an `alembic.ini`, or of a folder of revisions alone."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from configparser import Error, MissingSectionHeaderError
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import coerce_resource_to_filename

from compose_init.alembic_options import SECTION, AlembicOptions
from compose_init.errors import SettingsError
from compose_init.migrations.fingerprint import script_folder, toml_of

DEFAULT_ENV = Path(__file__).parent / "default_env"

OTHER_SECTIONS = re.compile(r"(?:logger|handler|formatter)(?:s|_.*)|post_write_hooks")
"""Names of the sections of an `alembic.ini` that are not about a history."""


def build_config(options: AlembicOptions, url: str) -> Config:
    """Return the configuration for `alembic upgrade`.

    Args:
        options: what `alembic` would be called with.
        url: for `sqlalchemy.url`.

    Raises:
        SettingsError: the `alembic.ini` does not say where the revisions are.
    """
    path = options.config
    config = _from_ini(options) if path.is_file() else _from_folder(path)
    config.set_main_option("sqlalchemy.url", _escape(url))
    config.cmd_opts = _command_line(options)
    return config


def version_locations(script: ScriptDirectory) -> set[str]:
    """Return the folders of revisions as real paths; `env.py` may have changed them meanwhile."""
    named = script.version_locations or [str(Path(script.dir, "versions"))]
    return {os.path.realpath(coerce_resource_to_filename(str(name))) for name in named}


def _command_line(options: AlembicOptions) -> Namespace:
    """Return what `alembic upgrade heads` would have read from its command line; some `env.py` look at it."""
    return Namespace(
        config=[str(options.config)],
        name=options.section,
        x=list(options.arguments) or None,
        raiseerr=False,
        quiet=False,
        cmd=(command.upgrade, ["revision"], ["sql", "tag"]),
        revision="heads",
        sql=False,
        tag=None,
    )


def _from_ini(options: AlembicOptions) -> Config:
    path, toml = options.config, toml_of(options.config)
    # Alembic before 1.16 knows no TOML.
    knows_toml = hasattr(Config, "toml_file_name")
    has_toml = bool(toml and knows_toml)
    named: dict[str, Any] = {"toml_file": toml} if has_toml else {}
    config = Config(None if toml == path else str(path), ini_section=options.section, **named)
    if toml != path:
        _check_section(config, path, has_toml=has_toml and options.section == SECTION)
    if not script_folder(options):  # Flask-Migrate gives it on the command line
        if not (path.parent / "env.py").exists():
            raise SettingsError(
                f"{path}: section [{config.config_ini_section}] has no script_location, and there is no env.py beside"
                " the file; add script_location = the folder of env.py"
            )
        config.set_main_option("script_location", _escape(path.parent))
    return config


def _check_section(config: Config, path: Path, *, has_toml: bool) -> None:
    """Raise `SettingsError` where the section is missing: setting an option would make it, without revisions."""
    wanted = config.config_ini_section
    try:
        found = config.file_config.sections()
    except MissingSectionHeaderError as error:
        raise SettingsError(
            f"{path}: line {error.lineno} comes before any section; the file must begin with [{wanted}]"
        ) from None
    except (Error, UnicodeDecodeError) as error:
        # Without the text of the error: it quotes lines, which may hold a password.
        raise SettingsError(f"{path} is no valid ini file: {_describe(error)}") from None
    if wanted in found or has_toml:
        return
    others = [f"[{name}]" for name in found if not OTHER_SECTIONS.fullmatch(name)]
    has = f"; it has {', '.join(others)}" if others else ""
    raise SettingsError(
        f"{path} has no section [{wanted}]{has}; add [{wanted}], with script_location and version_locations of the"
        " history that is to be migrated"
    )


def _describe(error: Error | UnicodeDecodeError) -> str:
    lines = [number for number, *_ in getattr(error, "errors", [])]
    lines += [getattr(error, "lineno", None)] if getattr(error, "lineno", None) else []
    where = f" in line {lines[0]}" if lines else ""
    return f"{type(error).__name__}{where}"


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
