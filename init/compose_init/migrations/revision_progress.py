"""The revision that runs, and what it has committed: known while it runs, since afterwards nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.engine import Engine

from compose_init.migrations.revision_graph import Revision

REMEMBERED_STATEMENTS = 10
REMEMBERED_CHARACTERS = 200


@dataclass
class RevisionProgress:
    """The revision that runs, and what it has committed before its end.

    Attributes:
        revision: None between revisions, and before the first.
        committed: statements that stay whatever happens; `autocommit_block` and COMMIT do that.
        autocommit: each statement commits itself.
    """

    revision: Revision | None = None
    committed: list[str] = field(default_factory=list)
    autocommit: bool = False
    _uncommitted: list[str] = field(default_factory=list)

    def start(self, revision: Revision) -> None:
        """Note that a revision starts."""
        self.revision, self.committed, self._uncommitted = revision, [], []

    def finish(self) -> None:
        """Note that no revision runs."""
        self.revision, self.committed, self._uncommitted = None, [], []

    def note_statement(self, statement: str) -> None:
        """Note that a statement was executed."""
        text = " ".join(statement.split())[:REMEMBERED_CHARACTERS]
        if text.upper().rstrip(";") in {"COMMIT", "END"}:
            self.note_commit()
        elif self.autocommit:
            self.committed.append(text)
        elif len(self._uncommitted) < REMEMBERED_STATEMENTS:
            self._uncommitted.append(text)

    def note_commit(self) -> None:
        """Note that what was executed stays from here on."""
        self.committed += self._uncommitted
        self._uncommitted = []

    def follow_autocommit_blocks(self, context: MigrationContext) -> None:
        """Notice each `autocommit_block`: entering it commits what came before, inside each statement commits."""
        block = context.autocommit_block
        # An env.py may have all of it in autocommit; the driver's connection knows.
        connection: Any = context.connection
        self.autocommit = bool(getattr(connection.connection, "autocommit", False))

        @contextmanager
        def followed() -> Iterator[None]:
            self.note_commit()
            before, self.autocommit = self.autocommit, True
            try:
                with block():
                    yield
            finally:
                self.autocommit = before

        context.autocommit_block = followed  # type: ignore[method-assign]

    @contextmanager
    def following_statements(self) -> Iterator[None]:
        """Notice the statements of every SQLAlchemy connection."""

        def executed(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            self.note_statement(statement)

        event.listen(Engine, "after_cursor_execute", executed)
        try:
            yield
        finally:
            event.remove(Engine, "after_cursor_execute", executed)
