"""The report file: whole, or written to what is there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Thread

from compose_init.output.report import write_report


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    """Nothing else is left in the folder."""
    path = tmp_path / "report.json"
    for number in (1, 2):
        write_report(path, {"exit_code": number})
        assert json.loads(path.read_text()) == {"exit_code": number}
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    """A report may go to /dev/stderr, or to a program that reads a pipe."""
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    read: list[str] = []
    reader = Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    for path in (pipe, device):
        write_report(path, {"exit_code": 0})
        assert not path.is_file()
    reader.join()
    assert json.loads(read[0]) == {"exit_code": 0}
    assert device.is_symlink()
