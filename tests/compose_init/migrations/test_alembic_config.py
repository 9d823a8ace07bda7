"""An alembic.ini that does not say where the revisions are: 78 with the section's name, each time."""

from __future__ import annotations

import pytest

from tests.compose_init.migrations.test_upgrade import SYNC, TWO, history
from tests.support.programs import Program

SECTIONS = """
[DEFAULT]
script_location = migrations
[state]
version_locations = state
[jobs]
version_locations = jobs
[loggers]
keys = root
[logger_root]
"""
NO_HEADER = "# a comment\nsqlalchemy.url = postgresql://app:Sup3rsecret@postgres/app\n"


@pytest.mark.parametrize(
    ("ini", "said"),
    [
        (SECTIONS, "has no section [alembic]; it has [state], [jobs]; add [alembic]"),
        ("", "has no section [alembic]; add [alembic]"),
        ("[Alembic]\nscript_location = migrations\n", "it has [Alembic]"),
        (NO_HEADER, "line 2 comes before any section"),
        ("[alembic]\nSup3rsecret\n", "is no valid ini file: ParsingError in line 2"),
        ("[alembic]\nscripts = migrations\n", "[alembic] has no script_location"),
    ],
    ids=["others", "empty", "capital", "no header", "no value", "no script_location"],
)
def test_an_ini_without_its_section(program: Program, ini: str, said: str) -> None:
    """Neither a run, nor the next, nor what builds or looks at an image takes it for no revisions."""
    migrating = history(program, TWO, SYNC)
    (program.folder / "alembic.ini").write_text(ini)
    for call in ((), (), ("--plan",), ("record",), ("status",)):
        run = migrating.run(*call)
        assert run.code == 78, (call, run.said)
        assert said in run.said, call
        assert "Traceback" not in run.said
        assert "Sup3rsecret" not in run.said


def test_a_section_that_goes(program: Program) -> None:
    """A database at head is no reason to say "nothing to do" of an ini that names no history."""
    migrating = history(program, TWO, SYNC)
    assert migrating.run().code == 0
    ini = program.folder / "alembic.ini"
    ini.write_text(ini.read_text().replace("[alembic]", "[jobs]"))
    assert [migrating.run().code for _ in range(2)] == [78, 78]
