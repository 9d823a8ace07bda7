"""The file in which an image's build records its revision graph, so that a run need not import Alembic to know it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from compose_init.migrations.revision_graph import Revision, RevisionGraph

FORMAT = 1
FILE_NAME = ".compose-init.json"
"""Beside `alembic.ini`, or in the folder of revisions."""


def graph_file_path(config: Path) -> Path:
    """Return where the graph of an `alembic.ini`, or of a folder of revisions, is recorded."""
    return (config if config.is_dir() else config.parent) / FILE_NAME


def write_graph_file(config: Path, graph: RevisionGraph, fingerprint: str) -> Path:
    """Record a graph with the fingerprint of the files that it was read from.

    Raises:
        OSError: the folder cannot be written.
    """
    entries = [
        [e.revision, e.message, e.file, e.parents, e.depends_on, e.labels, e.breaks_older_images]
        for e in graph.revisions.values()
    ]
    document = {"format": FORMAT, "fingerprint": fingerprint, "revisions": entries}
    path = graph_file_path(config)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def read_graph_file(config: Path, fingerprint: str) -> RevisionGraph | None:
    """Return the recorded graph; None where there is none, or the files have changed since."""
    try:
        document: Any = json.loads(graph_file_path(config).read_bytes())
        if document["format"] != FORMAT or document["fingerprint"] != fingerprint:
            return None
        entries = [
            Revision(name, message, file, tuple(parents), tuple(needs), tuple(labels), breaks)
            for name, message, file, parents, needs, labels, breaks in document["revisions"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a file that cannot be read costs the slower way, and no more
    return RevisionGraph({entry.revision: entry for entry in entries})
