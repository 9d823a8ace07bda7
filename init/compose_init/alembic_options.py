"""What `alembic` would be called with: its configuration, `-n` and `-x`. Light, for the fast path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SECTION = "alembic"
"""The section of an `alembic.ini` that is read where none is named."""


@dataclass(frozen=True, slots=True)
class AlembicOptions:
    """The configuration of one history.

    Attributes:
        config: `alembic.ini`, or a folder of revisions.
        section: of the `alembic.ini`, as `alembic -n` names it.
        arguments: for `env.py`, as `alembic -x` gives them.
    """

    config: Path
    section: str = SECTION
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.config)
