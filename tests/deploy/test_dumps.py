"""Which dumps stay: functions of deploy/stack, in a folder without Docker."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.docker import ROOT, run

Dumps = list[tuple[str, str]]
"""The names of listed dumps without their end, in the order in which they were made, and whether all was well."""
DAYS = [f"2026110{day}T020000Z" for day in range(1, 8)]


def call(folder: Path, function: str) -> str:
    """Run a function of deploy/stack in a folder; return what it prints."""
    names = ("state", "model", "settings", "compose", "backup", "dump")
    parts = " ".join(f"source {shlex.quote(f'{ROOT}/deploy/stack.d/{n}.sh')};" for n in names)
    done = run("bash", "-c", f"set -Eeuo pipefail; STATE=releases; {parts} {function}", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def make(folder: Path, dumps: Dumps) -> None:
    """Write dumps and their list."""
    (folder / "backups").mkdir()
    (folder / "releases").mkdir()
    for name, _ in dumps:
        (folder / "backups" / f"{name}.dump").write_text("dump", encoding="utf-8")
    lines = (f"2026-11-01T02:00:00Z {name}.dump 4 0123 c0ffee {state}\n" for name, state in dumps)
    (folder / "releases" / "dumps").write_text("".join(lines), encoding="utf-8")


def rotate(folder: Path, keep: str) -> list[str]:
    """Delete the oldest dumps; return what is left, in the order of the list."""
    call(folder, f"SETTINGS[STACK_BACKUP_KEEP]={keep}; rotate_dumps")
    listed = (folder / "releases" / "dumps").read_text(encoding="utf-8").splitlines()
    names = [line.split()[1].removesuffix(".dump") for line in listed]
    assert sorted(names) == sorted(path.stem for path in (folder / "backups").iterdir())
    return names


@pytest.mark.parametrize(
    ("states", "keep", "left"),
    [
        ("wwwww", "2", [3, 4]),
        ("wwwww", "1", [4]),
        ("wwwww", "007", [0, 1, 2, 3, 4]),
        ("wwuuu", "1", [1, 4]),
        ("wwuuu", "3", [1, 2, 3, 4]),
        ("uuuuu", "2", [3, 4]),
        ("wuuuw", "2", [3, 4]),
    ],
)
def test_the_last_ones_and_the_last_before_the_trouble_stay(
    tmp_path: Path, states: str, keep: str, left: list[int]
) -> None:
    """However many failed deploys came after it."""
    words = {"w": "well", "u": "unwell"}
    make(tmp_path, [(DAYS[n], words[state]) for n, state in enumerate(states)])
    assert rotate(tmp_path, keep) == [DAYS[n] for n in left]


def test_the_order_is_that_of_the_list(tmp_path: Path) -> None:
    """A clock that was ahead, or went back within a second, changes nothing."""
    names = ["20991231T235959Z", "20261101T020000Z-2", "20261101T020000Z", "19700101T000000Z"]
    make(tmp_path, [(name, "well") for name in names])
    assert rotate(tmp_path, "2") == names[2:]


def test_what_the_script_has_not_made_is_not_deleted(tmp_path: Path) -> None:
    """Other names, names of the same form, a file that somebody put in the place of a dump, a link, a folder."""
    make(tmp_path, [(name, "well") for name in DAYS])
    backups = tmp_path / "backups"
    theirs = {"before-upgrade.dump", "zzz.dump", "20261001T020000Z.dump", "big.part"}
    for name in theirs:
        (backups / name).write_text("theirs", encoding="utf-8")
    (backups / f"{DAYS[0]}.dump").write_text("longer than it was", encoding="utf-8")
    (backups / f"{DAYS[1]}.dump").unlink()
    (backups / f"{DAYS[1]}.dump").symlink_to(tmp_path / "releases" / "dumps")
    (tmp_path / "precious").write_text("dump", encoding="utf-8")
    with (tmp_path / "releases" / "dumps").open("a", encoding="utf-8") as listed:
        listed.write("2026-11-01T02:00:00Z ../precious 4 0123 c0ffee well\n")
    call(tmp_path, "SETTINGS[STACK_BACKUP_KEEP]=1; rotate_dumps")
    left = {path.name for path in backups.iterdir()}
    assert left == theirs | {f"{DAYS[n]}.dump" for n in (0, 1, 6)}
    assert (tmp_path / "precious").exists()
    assert call(tmp_path, "newest_backup") == f"backups/{DAYS[6]}.dump\n"


def test_a_name_is_never_used_twice(tmp_path: Path) -> None:
    """Somebody's file of this second stays as it is."""
    make(tmp_path, [])
    (tmp_path / "date").write_text("#!/bin/sh\necho 20261101T020000Z\n", encoding="utf-8")
    (tmp_path / "date").chmod(0o755)
    for end in ("", "-2", "-3"):
        name = call(tmp_path, "PATH=$PWD:$PATH; unused_dump_name")
        assert name == f"20261101T020000Z{end}.dump"
        (tmp_path / "backups" / name).touch()


@pytest.mark.parametrize(
    ("minutes", "release", "recent"),
    [
        (0, "0123", True),
        (59, "0123", True),
        (61, "0123", False),
        (-5, "0123", False),
        (1, "4567", False),
    ],
)
def test_a_dump_is_recent_for_an_hour(
    tmp_path: Path, minutes: int, release: str, *, recent: bool
) -> None:
    """For the release that it was made for; a dump from the future is not."""
    make(tmp_path, [(DAYS[0], "well")])
    made = (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = tmp_path / "releases" / "dumps"
    listed.write_text(listed.read_text().replace("2026-11-01T02:00:00Z", made), encoding="utf-8")
    said = call(tmp_path, f"has_recent_dump {release} c0ffee && echo yes || echo no")
    assert said == ("yes\n" if recent else "no\n")
