"""deploy/stack as a file: joined from its parts, short functions, one table of commands, documented state."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from compose_init.server.env_check import STACK
from tests.support.docker import ROOT, run

PARTS = sorted((ROOT / "deploy" / "stack.d").glob("*.sh"))
LONGEST_FUNCTION_LINES = 40


def test_the_committed_file_is_current(tmp_path: Path) -> None:
    """`make stack` was run after the last change of a part, and the file can be executed."""
    joined = tmp_path / "stack"
    done = run("make", "--silent", "stack", f"STACK={joined}")
    assert done.returncode == 0, done.stderr
    committed = ROOT / "deploy" / "stack"
    assert joined.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
    mode = committed.stat().st_mode
    assert mode & 0o100
    assert mode & 0o111 == (mode & 0o444) >> 2  # for everybody whom the umask lets read it


def test_no_part_is_left_out() -> None:
    """Every file in deploy/stack.d is joined, and described in docs/deploy.md."""
    joined = (ROOT / "deploy" / "stack").read_text(encoding="utf-8")
    assert PARTS
    assert [part.name for part in PARTS if part.read_text(encoding="utf-8") not in joined] == []
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    described = {re.sub("^command_.*", "command_*.sh", part.name) for part in PARTS}
    assert {name for name in described if f"| `{name}` |" not in page} == set()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.stem)
def test_functions_are_short(part: Path) -> None:
    """From the line with the name to the closing brace."""
    text = part.read_text(encoding="utf-8")
    functions = re.findall(r"^(\w+)\(\) \{[^\n]*\n(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    assert functions or part.stem == "head"
    lines = {name: body.count("\n") + 2 for name, body in functions}
    assert {name for name in lines if lines[name] > LONGEST_FUNCTION_LINES} == set()


def test_every_command_and_exit_code_is_in_the_docs() -> None:
    """docs/deploy.md has the rows of `./stack help`, and a function runs each command."""
    usage, codes = run(str(ROOT / "deploy" / "stack"), "help").stdout.split("exit codes:")
    calls = re.findall(r"^  (\S.*?)  ", usage, re.MULTILINE)
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `\./stack ([^`]*)` \|", page, re.MULTILINE)
    assert documented == calls
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == re.findall(
        r"^  (\d+) ", codes, re.MULTILINE
    )
    joined = (ROOT / "deploy" / "stack").read_text(encoding="utf-8")
    defined = set(re.findall(r"^command_(\w+)\(\)", joined, re.MULTILINE))
    assert {call.split()[0] for call in calls} == defined


OF_COMPOSE = {"COMPOSE_FILE", "COMPOSE_PROJECT_NAME"}


def test_every_setting_that_is_read_is_asked_for() -> None:
    """The list of the script's variables has what its parts read, and what the check of .env knows."""
    joined = (ROOT / "deploy" / "stack").read_text(encoding="utf-8")
    named = re.search(r'SETTING_NAMES="([^"]*)"', joined)
    assert named
    listed = named[1].split()
    read = re.findall(r"(?:setting|is_enabled) ([A-Z]\w*)", joined)
    assert set(read) == set(listed) == {*STACK, "REGISTRY", *OF_COMPOSE}


def test_every_state_file_is_documented() -> None:
    """What the parts name in releases/ has its row in the comment of the state part and in docs/deploy.md."""
    joined = (ROOT / "deploy" / "stack").read_text(encoding="utf-8")
    used = set(re.findall(r"\$STATE/([a-z][a-z.-]*)", joined)) | {"ID.yml"}
    assert {"current", "history", "init.log"} <= used
    comment = (ROOT / "deploy" / "stack.d" / "state.sh").read_text(encoding="utf-8")
    in_comment = set(re.findall(r"^# ([\w.-]+) {2,}\S", comment, re.MULTILINE))
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    section = page.partition("\n## The state files\n")[2].partition("\n## ")[0]
    in_page = set(re.findall(r"^\| `([\w.-]+)` \|", section, re.MULTILINE))
    assert used - in_comment == set()
    assert used - in_page == set()


FAKE_DOCKER = """#!/usr/bin/env bash
echo "$@"
trap 'kill $!; echo stopped; exit 1' TERM
sleep 600 >/dev/null 2>&1 &
wait
"""


def test_waiting_for_containers_has_an_end(tmp_path: Path) -> None:
    """After STACK_WAIT_TIMEOUT seconds Compose is stopped, though it waits itself for one service after another."""
    docker = tmp_path / "docker"
    docker.write_text(FAKE_DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    parts = " ".join(
        f"source {shlex.quote(f'{ROOT}/deploy/stack.d/{name}.sh')};"
        for name in ("settings", "compose")
    )
    script = f"set -o pipefail; {parts} SETTINGS[STACK_WAIT_TIMEOUT]=1; compose_up model.json api"
    path = f"{tmp_path}:/usr/bin:/bin"
    done = run("bash", "-c", script, timeout=60, cwd=tmp_path, PATH=path)
    assert done.returncode != 0
    assert "--wait-timeout 1 api" in done.stdout
    assert "stopped" in done.stdout
