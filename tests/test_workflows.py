"""The workflows of hosted runners: only what runs here too, with least privilege, and in the right order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every job, with its workflow and name."""
    for path in WORKFLOWS:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, job in document["jobs"].items():
            yield path.name, name, job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every step, with its workflow and job."""
    for workflow, name, job in jobs():
        for step in job["steps"]:
            yield f"{workflow}, {name}", step


def test_every_step_runs_what_the_tests_run() -> None:
    """One call of a make target or of a script in this repository; no shell of its own."""
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    calls = [(where, step["run"]) for where, step in steps() if "run" in step]
    assert calls
    for where, call in calls:
        assert "\n" not in call.strip(), where
        program, *words = shlex.split(call)
        if program == "make":
            assert set(words) <= targets, (where, call)
        else:
            assert (ROOT / program).is_file(), (where, call)
            assert os.access(ROOT / program, os.X_OK), (where, call)
        assert "${{" not in call, f"{where}: {call}: an expression in a shell is code"


def test_the_commands_of_deploy_images_exist() -> None:
    """Each command that a workflow calls is a command of the script."""
    script = (ROOT / "deploy" / "images").read_text(encoding="utf-8")
    listed = re.findall(r"^  ([a-z |]+)\)", script, re.MULTILINE)
    known = {word for words in listed for word in words.split(" | ")}
    said = {
        step["run"].split()[1]
        for _, step in steps()
        if step.get("run", "").startswith("deploy/images")
    }
    assert said <= known
    assert {"push", "fetch", "merge", "sign", "publish"} <= said


def test_actions_are_pinned_by_commit() -> None:
    """With the version that the commit is."""
    lines = [
        line.strip().removeprefix("- ")
        for path in WORKFLOWS
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert lines
    assert [line for line in lines if not PINNED.match(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_least_rights(path: Path) -> None:
    """No permission for the workflow, named permissions for each job; a checkout keeps no credentials."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        assert job["permissions"].get("contents") == "read", name
        assert job["timeout-minutes"] <= 60, name
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, name
    writers = {name for name, job in document["jobs"].items() if "id-token" in job["permissions"]}
    assert writers <= {"publish"}


def test_nothing_is_published_before_its_tests() -> None:
    """Tags are made by `publish` alone, after every gate; init after the api it is built on."""
    found = {name: job for workflow, name, job in jobs() if workflow == "images.yml"}
    assert set(found["publish"]["needs"]) == {"check", "application", "init", "end-to-end"}
    assert found["deploy"]["needs"] == "publish"
    assert found["init"]["needs"] == "application"
    assert set(found["end-to-end"]["needs"]) == {"application", "init"}
    calls = [step["run"].split()[1] for step in found["publish"]["steps"] if "run" in step]
    assert calls == ["login", "merge", "sign", "publish"]
    for name, job in found.items():
        said = " ".join(step.get("run", "") for step in job["steps"])
        assert ("publish" in said) == (name == "publish")
        assert ("sign" in said) == (name == "publish")


def test_no_run_of_a_tag_is_dropped() -> None:
    """GitHub keeps one waiting run of a group: a tag and main must not share one."""
    document = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text(encoding="utf-8"))
    assert document["concurrency"] == {
        "group": "images-${{ github.ref }}",
        "cancel-in-progress": False,
    }


def test_latest_moves_by_the_order_of_commits() -> None:
    """For which the job that publishes needs all of them."""
    [publish] = [job for _, name, job in jobs() if name == "publish"]
    [checkout] = [step for step in publish["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"]["fetch-depth"] == 0


def test_what_decides_about_a_deploy_is_where_the_job_can_see_it() -> None:
    """A condition of a job does not see the variables of its environment, so they are documented elsewhere."""
    [deploy] = [job for _, name, job in jobs() if name == "deploy"]
    names = set(re.findall(r"vars\.(\w+)", deploy["if"]))
    assert names
    table = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    of_repository = set(re.findall(r"\| variable of the \*\*repository\*\* \| `(\w+)`", table))
    assert names <= of_repository


@pytest.mark.parametrize(
    ("reference", "accepted"),
    [
        ("refs/heads/main", True),
        ("refs/tags/v1.4.0", True),
        ("refs/tags/v0.1.0-rc.1", True),
        ("refs/heads/main-2", False),
        ("refs/heads/feature/main", False),
        ("refs/tags/vlatest", False),
        ("refs/pull/1/merge", False),
    ],
)
def test_the_documented_identity(reference: str, *, accepted: bool) -> None:
    """It is that of the workflow for main and for versions; as a command, and as a line of .env."""
    text = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    expressions = re.findall(r"--certificate-identity-regexp '?(\^\S+?\$)'", text)
    assert len(expressions) == 2
    workflow = "https://github.com/OWNER/REPOSITORY/.github/workflows"
    for expression in expressions:
        assert bool(re.search(expression, f"{workflow}/images.yml@{reference}")) == accepted
        assert not re.search(expression, f"{workflow}/check.yml@{reference}")
        assert not re.search(expression, f"https://example.org/{workflow}/images.yml@{reference}")


def test_what_lints_a_workflow_finds_a_fault(tmp_path: Path) -> None:
    """The fork of actionlint that has wheels: an undefined name, and a missing quote in a script."""
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: echo $HOME/* ${{ github.evnt }}\n",
        encoding="utf-8",
    )
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [tools / "actionlint", "-shellcheck", tools / "shellcheck", wrong],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert '"evnt" is not defined' in done.stdout
    assert "SC2086" in done.stdout
    assert "bin/actionlint" in (ROOT / "Makefile").read_text(encoding="utf-8").replace(
        "$(BIN)", "bin"
    )
