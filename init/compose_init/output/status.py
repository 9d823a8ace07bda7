"""The status as text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compose_init.output.text import pluralize

SHOWN_REVISIONS = 5
"""How many applied revisions the text shows; `--output json` has all."""


def status_to_text(status: Mapping[str, Any]) -> str:
    """Return the status as text for people."""
    database = status["database"]
    at = ", ".join(database["revisions"]) or "no revision"
    heads = ", ".join(database["heads"]) or "none"
    lines = [f"schema    {database['state']}: at {at}; this image's head is {heads}"]
    if not database["heads"]:
        lines = ["schema    there is nothing to migrate: no revisions are configured or found"]
    if "problem" in database:
        lines.append(f"          {database['problem']}")
    lines += _revision_lines(database["lineage"])
    lines += [
        f"dataset   {dataset['name']}: {pluralize(dataset['records'], 'record')} in {dataset['target']},"
        f" applied {dataset['applied_at']}"
        for dataset in status["datasets"]
    ]
    lines += [
        f"run       {run['started_at']}: {run['outcome']} (exit code {run['exit_code']}) in"
        f" {run['seconds']} s, version {run['version']}"
        for run in status["runs"]
    ]
    return "\n".join(lines)


def _revision_lines(revisions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each of the last applied revisions, and for all pending revisions."""
    done = [entry for entry in revisions if entry["state"] != "pending"]
    lines = []
    if len(done) > SHOWN_REVISIONS:
        lines.append(
            f"revision  {pluralize(len(done) - SHOWN_REVISIONS, 'earlier revision')}; --output json has all"
        )
    for entry in revisions[max(0, len(done) - SHOWN_REVISIONS) :]:
        by = " ".join(filter(None, (entry.get("image_version"), entry.get("git_revision"))))
        said = {
            "applied": f"applied {entry.get('applied_at')}" + (f" by image {by}" if by else ""),
            "adopted": "applied before compose-init was used",
            "pending": "pending",
        }[entry["state"]]
        lines.append(f"revision  {entry['revision']}  {entry['message']}  {said}")
    return lines
