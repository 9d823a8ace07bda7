"""An image's revisions, as Alembic loads them: their files are imported, and their graph is checked."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from compose_init.alembic_options import AlembicOptions
from compose_init.errors import MigrationError
from compose_init.migrations.errors import Failure, translate
from compose_init.migrations.fingerprint import files
from compose_init.migrations.revision_graph import Revision, RevisionGraph

MARKER = "breaks_older_images"
"""A revision file that sets this to True says: images that do not have it cannot run once it is applied."""

BROKEN_GRAPH = r"Revision .* (?:is present more than once|is not present)"
"""Alembic only warns of these, and goes on with half of the revisions."""


@dataclass(frozen=True)
class Revisions:
    """The revisions as Alembic has loaded them, and what we need of them as values."""

    script: ScriptDirectory
    graph: RevisionGraph

    def upgrade_steps(self, current: tuple[str, ...]) -> list[Any]:
        """Return the steps of `alembic upgrade heads`; Alembic's own cookbook calls this function by its name."""
        return self.script._upgrade_revs("heads", current)  # type: ignore[arg-type]  # noqa: SLF001


def load_revisions(script: ScriptDirectory, options: AlembicOptions) -> Revisions:
    """Load the revisions: they are imported, once for each `ScriptDirectory`.

    Raises:
        MigrationError: the revisions are broken, or cannot be loaded.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", BROKEN_GRAPH)
        try:
            script.get_heads()
        except UserWarning as warning:
            raise MigrationError(_explain_broken_graph(options, str(warning))) from None
        except (CommandError, RevisionError):
            raise
        except Exception as error:
            raise translate(error, Failure(options, part="a revision")) from error
    entries = [_read_revision(entry) for entry in reversed(list(script.walk_revisions()))]
    graph = RevisionGraph({entry.revision: entry for entry in entries})
    forked = graph.accidental_heads()
    if forked:
        raise MigrationError(
            f"there are {len(forked)} heads: {', '.join(forked)}; join them with"
            f" `alembic merge {' '.join(forked)}` and build the image again (where several branches are intended,"
            " give each a branch label)"
        )
    return Revisions(script, graph)


def _explain_broken_graph(options: AlembicOptions, warning: str) -> str:
    duplicate = re.search(r"Revision (\S+) is present more than once", warning)
    if duplicate is None:
        return (
            f"{options}: a revision is missing: {' '.join(warning.split())}; add the missing file, or"
            " correct down_revision, and build the image again"
        )
    named = _files_of(options, duplicate[1])
    where = f" ({', '.join(named)})" if named else ""
    return (
        f"{options}: revision {duplicate[1]} is defined twice{where}; give one of the files another id, and"
        " build the image again"
    )


def _files_of(options: AlembicOptions, revision: str) -> list[str]:
    assigned = re.compile(rf"^revision\b[^=\n]*=\s*['\"]{re.escape(revision)}['\"]", re.MULTILINE)
    return sorted(
        Path(path).name
        for path in files(options)
        if path.endswith(".py") and assigned.search(Path(path).read_text(errors="replace"))
    )


def _read_revision(entry: Script) -> Revision:
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
