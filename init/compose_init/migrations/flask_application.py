"""The Flask application that the `env.py` of Flask-Migrate asks for."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager, chdir, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from compose_init.errors import MigrationError

NAMES_CURRENT_APP = re.compile(r"\bcurrent_app\b")


def flask_context(env: Path, folder: Path) -> AbstractContextManager[Any]:
    """Return the application context, as `flask db upgrade` enters it; an empty one where none is needed.

    Args:
        env: the `env.py`.
        folder: where the application is looked for.

    Raises:
        MigrationError: the application cannot be loaded.
    """
    if not NAMES_CURRENT_APP.search(env.read_text(encoding="utf-8", errors="replace")):
        return nullcontext()
    # The application's own Flask; we do not depend on it.
    if import_module("flask").has_app_context():
        return nullcontext()
    cli = import_module("flask.cli")
    try:
        with chdir(folder):
            # As Flask's command line does: by itself, a ScriptInfo reads neither the files nor the variable.
            if import_module("flask.helpers").get_load_dotenv():
                cli.load_dotenv()
            info = cli.ScriptInfo(app_import_path=os.environ.get("FLASK_APP"))
            context: AbstractContextManager[Any] = info.load_app().app_context()
            return context
    except cli.NoAppException as error:
        raise MigrationError(
            f"{env}: asks for the Flask application, which cannot be loaded from {folder}:"
            f" {' '.join(str(error).split())}; set FLASK_APP, as for `flask db upgrade`"
        ) from None
