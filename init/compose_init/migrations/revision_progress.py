"""The revisions that ran, and the statements of theirs that the database has acknowledged as committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from compose_init.migrations.revision_graph import Revision

REMEMBERED_STATEMENTS = 10
REMEMBERED_CHARACTERS = 200

COMMITS = {"COMMIT", "END"}
ROLLBACKS = {"ROLLBACK", "ABORT"}


@dataclass
class RevisionRun:
    """One revision that ran, or runs.

    Attributes:
        revision: that it is.
        call: the index of the call of `context.run_migrations()`.
        snapshot: of the database, from when it began.
        committed: statements that the database committed for good, by `autocommit_block`, COMMIT or otherwise.
        finished: whether it came to its end.
    """

    revision: Revision
    call: int
    snapshot: str
    committed: list[str] = field(default_factory=list)
    finished: bool = False


@dataclass
class RevisionProgress:
    """The revisions that ran, in order."""

    runs: list[RevisionRun] = field(default_factory=list)
    _open: dict[int, list[tuple[RevisionRun, str]]] = field(default_factory=dict)

    @property
    def running(self) -> RevisionRun | None:
        """The revision that runs; None between revisions."""
        return self.runs[-1] if self.runs and not self.runs[-1].finished else None

    def start(self, run: RevisionRun) -> None:
        """Note that a revision starts."""
        self.runs.append(run)

    def finish(self) -> None:
        """Note that no revision runs."""
        self.runs[-1].finished = True

    @contextmanager
    def following_statements(self) -> Iterator[None]:
        """Notice the statements of every SQLAlchemy connection, and the ends of their transactions."""
        listeners: dict[str, Callable[..., Any]] = {
            "after_cursor_execute": self._note_statement,
            "commit": self._note_commit,
            "rollback": self._note_rollback,
        }
        for name, listener in listeners.items():
            event.listen(Engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(Engine, name, listener)

    def _note_statement(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        run = self.running
        text = " ".join(statement.split())[:REMEMBERED_CHARACTERS]
        command = text.upper().rstrip("; ")
        if command in COMMITS:
            self._note_commit(connection)
        elif command in ROLLBACKS:
            self._note_rollback(connection)
        elif run is None:
            return
        elif getattr(connection.connection, "autocommit", False):
            run.committed.append(text)
        else:
            self._open.setdefault(id(connection), []).append((run, text))

    def _note_commit(self, connection: Any) -> None:
        for run, text in self._open.pop(id(connection), []):
            if len(run.committed) < REMEMBERED_STATEMENTS:
                run.committed.append(text)

    def _note_rollback(self, connection: Any) -> None:
        self._open.pop(id(connection), None)
