"""deploy/images: which names it refuses before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.docker import ROOT, Completed, run

REVISION = "0123456789abcdef0123456789abcdef01234567"
GITHUB = ("GITHUB_REF_TYPE", "GITHUB_REF_NAME", "VERSION", "TAGS")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """Return a folder with a `docker` that writes down how it was called."""
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def call(folder: Path, *words: str, **environment: str) -> Completed:
    """Run `deploy/images …`, with this environment alone."""
    clean = [part for name in GITHUB for part in ("-u", name)]
    given = [f"{name}={value}" for name, value in environment.items()]
    path = f"PATH={folder}:/usr/bin:/bin"
    script = str(ROOT / "deploy" / "images")
    return run("env", *clean, path, f"REVISION={REVISION}", *given, script, *words)


def tag(name: str) -> dict[str, str]:
    """Return the environment of a run for a git tag."""
    return {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": name}


@pytest.mark.parametrize(
    "environment",
    [
        *(
            tag(name)
            for name in (
                *(
                    "vlatest",
                    "v",
                    "v1..2",
                    "v1.",
                    "v1.0+build",
                    "vfix/api",
                    "v1/2",
                    "1.4.0",
                    "vnext",
                ),
                f"v{REVISION}",
                f"v0.1.0-{REVISION[:12]}",
                f"v1.{'0' * 120}",
            )
        ),
        *(
            {"VERSION": name}
            for name in (
                *("latest", "", "fix/api", "-1", "1.0 2", "build-1", "cache-amd64", REVISION),
                f"sha256-{'0' * 64}.sig",
            )
        ),
        {"TAGS": "fix/api"},
        {"TAGS": "latest build-1-amd64"},
        {"TAGS": "stable 1.4", "VERSION": "stable"},
    ],
    ids=lambda environment: " ".join(environment.values())[:40] or "empty",
)
def test_a_name_that_is_none_or_means_something_else(
    folder: Path, environment: dict[str, str]
) -> None:
    """It is named, and neither Docker nor the registry is asked for anything."""
    for word in ("build", "push", "merge", "publish"):
        done = call(folder, word, "api", **environment)
        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith("images: ")
        assert not (folder / "calls").exists()


@pytest.mark.parametrize(
    ("environment", "version"),
    [
        (tag("v1.4.0"), "1.4.0"),
        (tag("v1.4.0-rc.1"), "1.4.0-rc.1"),
        (tag("v2026.11.26"), "2026.11.26"),
        ({"GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "fix/api"}, f"-{REVISION[:12]}"),
        ({"VERSION": "1.4.0"}, "1.4.0"),
    ],
)
def test_the_version_of_an_image(folder: Path, environment: dict[str, str], version: str) -> None:
    """That of the git tag; of a branch, whatever its name, a version with the revision."""
    done = call(folder, "build", "api", **environment)
    assert done.returncode == 0, done.stderr
    assert f"{version} --build-arg" in (folder / "calls").read_text(encoding="utf-8")
