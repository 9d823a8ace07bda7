"""The process: streams that are closed, full or not read, and a working folder that is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import Program, write_history

RUN = f"{sys.executable} -m compose_init"


def shell(program: Program, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script with the program's environment."""
    environ = {**program.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=program.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "| true"])
def test_a_run_whose_log_nobody_reads(program: Program, streams: str) -> None:
    """It does its work, and is a success."""
    done = shell(program, f"{RUN} {streams}; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("streams", "code"), [(">&-", 0), ("2>&-", 0), (">/dev/full", 74), ("| true", 74)]
)
def test_a_document_that_cannot_be_written(program: Program, streams: str, code: int) -> None:
    """Exit code 74, but where whoever has called wants none of it."""
    done = shell(program, f"{{ sleep 0.2; {RUN} status; }} {streams}; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert ("stdout cannot be written" in done.stderr) == (code == 74)


def test_a_working_folder_that_was_removed(program: Program, tmp_path: Path) -> None:
    """Files are named by absolute paths all the same."""
    config = write_history(tmp_path, {"a": "pass"})
    program = program.with_(ALEMBIC_CONFIG=str(config))
    done = shell(program, f"mkdir gone && cd gone && rmdir ../gone && {RUN} --migrate-only")
    assert done.returncode == 0, done.stdout + done.stderr
