"""The SQL of pending revisions, for a plan: Alembic's offline mode, with every connection refused."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.engine import Engine

from compose_init.errors import MigrationError
from compose_init.migrations.alembic_env import AlembicEnvironment
from compose_init.migrations.loaded_revisions import Revisions

DRIVERS = (
    ("psycopg", ""),
    ("psycopg", "Connection"),
    ("psycopg", "AsyncConnection"),
    ("psycopg2", ""),
    ("asyncpg", ""),
)
"""The modules, and the classes in them, whose `connect` opens a connection."""

SHOWN_CHARACTERS = 200


def pending_sql(
    environment: AlembicEnvironment, current: tuple[str, ...]
) -> tuple[dict[str, str], str]:
    """Return what the pending revisions would execute, as far as `env.py` and they can say it offline.

    Args:
        environment: the application's.
        current: the revisions the database is at.

    Returns:
        SQL by revision, and why some or all of it is missing ("" where nothing is).
    """
    output = io.StringIO()
    found: dict[str, str] = {}

    def steps(revisions: Revisions, _: Any, context: MigrationContext) -> Iterator[Any]:
        context.impl.output_buffer = output
        for step in revisions.upgrade_steps(current):
            start = output.tell()
            yield step
            found[step.revision.revision] = output.getvalue()[start:].strip()

    try:
        with _connections_refused(), environment.opened():
            environment.run(steps, as_sql=True, starting_rev=current or None, output=output)
    except Exception as error:  # noqa: BLE001 - a plan without SQL is a plan too
        return found, f"{type(error).__name__}: {' '.join(str(error).split())[:SHOWN_CHARACTERS]}"
    except SystemExit:
        return found, "env.py exits where it is asked for SQL"
    return found, ""


@contextmanager
def _connections_refused() -> Iterator[None]:
    """Refuse every connection that a revision or env.py opens, through SQLAlchemy or by a driver itself."""

    def refuse(*_: Any, **__: Any) -> None:
        raise MigrationError("it connects to the database, which a plan does not allow")

    event.listen(Engine, "do_connect", refuse)
    try:
        with ExitStack() as replaced:
            for module, class_name in DRIVERS:
                if find_spec(module):
                    owner = import_module(module)
                    owner = getattr(owner, class_name) if class_name else owner
                    replaced.enter_context(_replaced(owner, "connect", refuse))
            yield
    finally:
        event.remove(Engine, "do_connect", refuse)


@contextmanager
def _replaced(owner: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Give a module or class another function; afterwards its own, or again none of its own where it inherits it."""
    own = vars(owner).get(name)  # not by getattr: it would unwrap a classmethod
    setattr(owner, name, function)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
