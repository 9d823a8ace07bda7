"""Runs compose-init as people do: as a process with an environment, judged by exit code and output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.forks import API, BASE, ROOT, Running, can_fork
from tests.support.preloaded import Call

__all__ = ["API", "ROOT", "SOURCES", "Finished", "Program", "write_history"]

SOURCES = f"{ROOT / 'init'}:{ROOT / 'seeder'}"
"""For PYTHONPATH, where another interpreter than that of the tests runs compose-init."""


@dataclass(frozen=True)
class Finished:
    """A run that has ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its log, an object an event; on stdout, or on stderr beside a document."""
        lines = (self.out + "\n" + self.err).splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"timestamp"')]

    @property
    def said(self) -> str:
        """All that it said."""
        return self.out + self.err

    def names(self) -> list[str]:
        """Return the names of the events, in order."""
        return [event["event"] for event in self.events]


@dataclass(frozen=True)
class Program:
    """compose-init with an environment of its own: nothing but PATH comes from the tests'."""

    environ: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    prefix: tuple[str, ...] = ()
    first: str | None = None
    """A module that a run imports before the program starts."""

    def with_(self, **environ: str) -> Program:
        """Return the same program with other variables."""
        return replace(self, environ={**self.environ, **environ})

    def without_root(self) -> Program:
        """Return the same program in which root has no more rights to files than other users."""
        if os.geteuid() != 0:
            return self
        return replace(self, prefix=("setpriv", "--bounding-set=-dac_override,-dac_read_search"))

    def run(self, *arguments: str, timeout: float = 120) -> Finished:
        """Run it to its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=timeout)
        return Finished(process.wait(), out, err)

    def start(self, *arguments: str) -> Running | subprocess.Popen[str]:
        """Start it, and let it run: in a fork of a preloaded interpreter, unless that could make a difference."""
        if not self.prefix and can_fork(self.environ):
            environ = {**BASE, **self.environ}
            return Running(Call(list(arguments), environ, str(self.folder), first=self.first))
        return self.start_interpreter(*arguments)

    def start_interpreter(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it in an interpreter of its own, and let it run."""
        assert self.first is None, "only a fork imports a module first"
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "compose_init", *arguments],
            env={**BASE, **self.environ},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def write_history(folder: Path, revisions: dict[str, str], *, env: str | None = None) -> Path:
    """Write a linear history of revisions, each with the body of its `upgrade`.

    Args:
        folder: gets an `alembic.ini` and the history where there is an `env`, else the revisions alone.
        revisions: id -> Python statements.
        env: the text of `env.py`.

    Returns:
        What ALEMBIC_CONFIG names.
    """
    versions = folder / "migrations" / "versions" if env else folder / "revisions"
    versions.mkdir(parents=True, exist_ok=True)
    before: str | None = None
    for revision, body in revisions.items():
        indented = "\n".join(f"    {line}" for line in body.splitlines())
        (versions / f"{revision}.py").write_text(
            f'"""Revision {revision}."""\nfrom alembic import op\nimport sqlalchemy as sa\n'
            f"revision = {revision!r}\ndown_revision = {before!r}\n\ndef upgrade():\n{indented}\n"
        )
        before = revision
    if env is None:
        return versions
    (folder / "migrations" / "env.py").write_text(env)
    ini = folder / "alembic.ini"
    ini.write_text(
        "[alembic]\nscript_location = migrations\nsqlalchemy.url = driver://nobody@nowhere/x\n"
    )
    return ini
