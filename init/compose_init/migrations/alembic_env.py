"""An application's history, as Alembic reads it, and its `env.py`, run as Alembic runs it.

alembic.ini ─▶ Config ─▶ ScriptDirectory ─▶ lineage
                              └─▶ env.py ─▶ a function of ours says which steps to take
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from compose_init.errors import MigrationError
from compose_init.migrations.fingerprint import script_folder, toml_of
from compose_init.migrations.revision_graph import Lineage, Revision

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script, ScriptDirectory

ENVIRONMENT = Path(__file__).parent / "default_env"

MARKER = "breaks_older_images"
"""A revision file that sets this to True says: images that do not have it cannot run once it is applied."""

# Alembic only warns of these, and goes on with half of the history.
BROKEN = r"Revision .* (?:is present more than once|is not present)"


class History:
    """The application's migrations.

    Args:
        config: `alembic.ini`, or a folder of revisions.
        url: for `sqlalchemy.url`, driver named.
        environ: all the variables that `env.py` shall see.
        logging: called when `env.py` may have configured logging anew.
    """

    def __init__(
        self, config: Path, url: str, environ: Mapping[str, str], logging: Callable[[], object]
    ) -> None:
        self.config = config
        self._url = url
        self._environ = environ
        self._logging = logging
        self._home = Path.cwd()
        self._path: list[str] = []
        self._script: ScriptDirectory | None = None
        self._locations: set[str] = set()

    @contextmanager
    def opened(self) -> Iterator[ScriptDirectory]:
        """The revisions, in the folder and with the variables that they and `env.py` expect.

        Raises:
            MigrationError: the history is broken.
        """
        # Relative paths of an alembic.ini mean its own folder, wherever the container's happens to be.
        folder = self.config.parent if self.config.is_file() else self.config
        before, path = dict(os.environ), sys.path[:]
        with chdir(folder):
            os.environ.clear()
            os.environ.update(self._environ)
            try:
                yield self._loaded()
            finally:
                os.environ.clear()
                os.environ.update(before)
                sys.path[:] = path
                self._logging()

    def restore_logging(self) -> None:
        """Take logging back, when `env.py` has come as far as to ask for steps."""
        self._logging()

    def run(
        self, steps: Callable[..., Any], *, output: TextIO | None = None, **options: Any
    ) -> None:
        """Run `env.py` inside of `opened`.

        Args:
            steps: told the database's revisions and Alembic's context, gives the steps to take.
            output: gets the SQL, offline.
            options: for Alembic's `EnvironmentContext`.
        """
        from alembic.runtime.environment import EnvironmentContext

        script = self._loaded()
        supplied, reached = False, False

        def reach(*arguments: Any) -> Any:
            nonlocal reached
            reached = True
            self._check_locations(script)
            return steps(*arguments)

        while True:
            config = self._config()
            config.output_buffer = output
            with ExitStack() as opened:
                attributes = _Attributes(lambda: opened.enter_context(self._connection()))
                if supplied:
                    attributes.supply()
                config.attributes = attributes
                opened.enter_context(self._flask(script))
                opened.enter_context(
                    EnvironmentContext(
                        config, script, fn=reach, **{"destination_rev": "heads", **options}
                    )
                )
                try:
                    return script.run_env()
                except Exception:
                    # An env.py that was written to be called by a program: it asked for a connection,
                    # was told that there is none, and has no other way.
                    if supplied or reached or not attributes.asked:
                        raise
            supplied = True

    def lineage(self) -> Lineage:
        """All the revisions, inside of `opened`."""
        script = self._loaded()
        entries = [_revision(entry) for entry in reversed(list(script.walk_revisions()))]
        return Lineage({entry.revision: entry for entry in entries})

    def _loaded(self) -> ScriptDirectory:
        """Read once: revision files are imported, and may be many."""
        from alembic.script import ScriptDirectory

        if self._script is not None:
            sys.path[:] = self._path
            return self._script
        with warnings.catch_warnings():
            warnings.filterwarnings("error", BROKEN)
            try:
                script = ScriptDirectory.from_config(self._config())
                heads = script.get_heads()
            except UserWarning as warning:
                raise MigrationError(self._broken(str(warning))) from None
        self._script, self._path = script, sys.path[:]
        self._locations = _locations(script)
        forked = self.lineage().accidental_heads() if len(heads) > 1 else ()
        if forked:
            self._script = None
            raise MigrationError(
                f"the history has {len(forked)} heads: {', '.join(forked)}; join them with"
                f" `alembic merge {' '.join(forked)}` and build the image again (branches that are meant have a"
                " branch label each)"
            )
        return script

    def _check_locations(self, script: ScriptDirectory) -> None:
        """What env.py alone knows is not in the fingerprint: a new revision in there would go unnoticed."""
        added = _locations(script) - self._locations
        if added:
            raise MigrationError(
                f"{self.config}: env.py sets version_locations to {', '.join(sorted(added))}, which the configuration"
                " does not name; write it there too (version_locations = …), so that its revisions are known without"
                " running env.py; nothing was migrated"
            )

    def _broken(self, warning: str) -> str:
        twice = re.search(r"Revision (\S+) is present more than once", warning)
        if twice is None:
            return (
                f"{self.config}: the history has a gap: {' '.join(warning.split())}; add the file that is missing, or"
                " correct down_revision, and build the image again"
            )
        named = re.compile(rf"^revision\b[^=\n]*=\s*['\"]{re.escape(twice[1])}['\"]", re.MULTILINE)
        from compose_init.migrations.fingerprint import files

        found = sorted(
            Path(path).name
            for path in files(self.config)
            if path.endswith(".py") and named.search(Path(path).read_text(errors="replace"))
        )
        where = f" ({', '.join(found)})" if found else ""
        return (
            f"{self.config}: revision {twice[1]} is there twice{where}; give one of them another id, and build the"
            " image again"
        )

    def _config(self) -> Config:
        from alembic.config import Config

        if self.config.is_file():
            toml = toml_of(self.config)
            # Alembic before 1.16 knows no TOML.
            more: dict[str, Any] = (
                {"toml_file": toml} if toml and hasattr(Config, "toml_file_name") else {}
            )
            config = Config(str(self.config), **more)
            if not script_folder(self.config):  # Flask-Migrate gives it on the command line
                config.set_main_option("script_location", _escaped(self.config.parent))
        else:
            config = Config()
            config.set_main_option("script_location", _escaped(self._script_folder()))
            config.set_main_option("version_locations", _escaped(self._revisions_folder()))
            config.set_main_option("path_separator", ";")
            config.set_main_option("version_path_separator", ";")
        config.set_main_option("sqlalchemy.url", _escaped(self._url))
        return config

    def _script_folder(self) -> Path:
        return self.config if (self.config / "env.py").exists() else ENVIRONMENT

    def _revisions_folder(self) -> Path:
        return self.config / "versions" if (self.config / "versions").is_dir() else self.config

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        from sqlalchemy import create_engine, pool

        driver = re.compile(r"\+(asyncpg|psycopg_async)\b")
        engine = create_engine(driver.sub("+psycopg", self._url, count=1), poolclass=pool.NullPool)
        with engine.connect() as connection:
            yield connection

    def _flask(self, script: ScriptDirectory) -> Any:
        """The application that Flask-Migrate's `env.py` asks for, as `flask db upgrade` pushes it."""
        text = Path(script.dir, "env.py").read_text(encoding="utf-8", errors="replace")
        if not re.search(r"^\s*from flask import .*\bcurrent_app\b", text, re.MULTILINE):
            return nullcontext()
        from importlib import import_module

        # The application's own; it is nothing that we depend on.
        has_app_context = import_module("flask").has_app_context
        cli = import_module("flask.cli")

        if has_app_context():
            return nullcontext()
        try:
            with chdir(self._home):
                # As the command line of Flask does: by itself, a ScriptInfo does not read the variable.
                found = cli.ScriptInfo(app_import_path=os.environ.get("FLASK_APP"))
                return found.load_app().app_context()
        except cli.NoAppException as error:
            raise MigrationError(
                f"{self.config}: env.py wants the Flask application, and it cannot be loaded from {self._home}:"
                f" {' '.join(str(error).split())}; set FLASK_APP, as for `flask db upgrade`"
            ) from None


class _Attributes(dict[str, Any]):
    """`config.attributes`: empty, as for `alembic upgrade`, until it is asked for a connection by its key."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        super().__init__()
        self._connect = connect
        self.asked = False

    def __missing__(self, key: str) -> Any:
        if key != "connection":
            raise KeyError(key)
        self[key] = self._connect()
        return self[key]

    def get(self, key: str, default: Any = None) -> Any:
        self.asked = self.asked or key == "connection"
        return super().get(key, default)

    def supply(self) -> None:
        self["connection"] = self._connect()


def _locations(script: ScriptDirectory) -> set[str]:
    """The folders of revisions, as `env.py` may have set them meanwhile."""
    from alembic.util import coerce_resource_to_filename

    named = script.version_locations or [str(Path(script.dir, "versions"))]
    return {os.path.realpath(coerce_resource_to_filename(str(name))) for name in named}


def _revision(entry: Script) -> Revision:
    parents = entry.down_revision or ()
    return Revision(
        entry.revision,
        # Alembic's own property would put "empty message" where there is none.
        (entry.module.__doc__ or "").strip().partition("\n")[0],
        Path(entry.path).name,
        (parents,) if isinstance(parents, str) else tuple(parents),
        tuple(sorted(getattr(entry, "_resolved_dependencies", ()))),
        tuple(sorted(entry.branch_labels)),
        bool(getattr(entry.module, MARKER, False)),
    )


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")
