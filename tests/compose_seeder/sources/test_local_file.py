"""Local files that are none, or are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compose_seeder.errors import SourceError
from compose_seeder.sources import Sources


def make_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def make_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "no regular file"),
        (make_link_to_a_device, "no regular file"),
        (Path.mkdir, "[Ii]s a directory"),
        (make_link_to_nowhere, "No such file"),
        (make_link_to_itself, "symbolic links"),
    ],
)
def test_what_is_no_file(tmp_path: Path, make: object, words: str) -> None:
    """It is named at once: to open a FIFO would wait without end, and a device has no end."""
    assert callable(make)
    make(tmp_path / "t.json")
    source = Sources().file(str(tmp_path / "t.json"))
    with pytest.raises(SourceError, match=words):
        source.fingerprint()
