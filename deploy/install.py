# ruff: noqa: INP001, S603, T201 - a script for a build, which runs programs and prints
"""Install compose-init into the Python of a base image, and keep every version that is there.

    python install.py WHEELS PINS

`Dockerfile.init` runs it as root with the base image's own Python (that of a virtual environment, if
one is first on PATH), so it uses only the standard library.

    versions of the base ─▶ constraints ─┐
    pins, with hashes ─▶ without these ──┴▶ uv ─▶ has a version of the base changed?
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FREEZE = """
import importlib.metadata, json
found = {}
for distribution in importlib.metadata.distributions():
    found.setdefault(distribution.name, distribution.version)  # the first on the path is the one in use
print(json.dumps(found))
"""
# A package of the system may have a name instead of a version.
VERSION = re.compile(r"\d[\w.!+-]*", re.ASCII)
PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(\[[^]]*\])?==", re.ASCII)


def main(wheels: Path, pins: Path) -> None:
    """Install the wheel and print what was added.

    Args:
        wheels: a folder with one wheel, compose-init.
        pins: a requirements file with hashes.
    """
    before = installed_versions()
    [wheel] = wheels.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        base, rest = Path(folder, "base.txt"), Path(folder, "rest.txt")
        base.write_text(as_constraints(before), encoding="utf-8")
        rest.write_text(
            pins_without(pins.read_text(encoding="utf-8"), set(before)), encoding="utf-8"
        )
        install(wheel, base, rest, before)
    after = installed_versions()
    check_unchanged(before, after)
    added = sorted(f"{name} {after[name]}" for name in after.keys() - before.keys())
    print(f"compose-init: no version of the base image has changed; added {', '.join(added)}")


def installed_versions() -> dict[str, str]:
    """Return the installed versions by normalized name.

    A process of its own asks, since importlib.metadata caches.
    """
    answer = subprocess.run(
        [sys.executable, "-c", FREEZE], check=True, capture_output=True, text=True
    )
    return {normalized(name): version for name, version in json.loads(answer.stdout).items()}


def as_constraints(versions: dict[str, str]) -> str:
    """Return lines `name==version`, sorted."""
    lines = [
        f"{name}=={version}" for name, version in versions.items() if VERSION.fullmatch(version)
    ]
    return "\n".join(sorted(lines))


def pins_without(pins: str, names: set[str]) -> str:
    """Return the pins, with their hashes, of all packages except those named."""
    kept, keeping = [], True
    for line in pins.splitlines():
        if match := PIN.match(line):
            keeping = normalized(match["name"]) not in names
        if keeping:
            kept.append(line)
    return "\n".join(kept)


def install(wheel: Path, base: Path, rest: Path, before: dict[str, str]) -> None:
    """Install with uv.

    Raises:
        SystemExit: naming the packages of the base image that are in conflict.
    """
    done = subprocess.run(
        [
            *("uv", "pip", "install", "--python", sys.executable, "--break-system-packages"),
            *("--no-progress", "--compile-bytecode", "--verify-hashes"),
            *("--constraints", base, "--constraints", rest, wheel),
        ],
        check=False,
        env={**os.environ, "TMPDIR": str(base.parent)},  # uv leaves a lock file in there
        stderr=subprocess.PIPE,
        text=True,
    )
    print(done.stderr, file=sys.stderr)
    if done.returncode:
        sys.exit(conflict(done.stderr, before))


def conflict(output: str, before: dict[str, str]) -> str:
    """Return the message for an install that uv could not resolve.

    Args:
        output: of uv.
        before: the versions of the base image.
    """
    words = set(re.findall(r"[a-z0-9][\w.-]*", output.lower()))
    named = [
        f"{name} {version}"
        for name, version in before.items()
        if words & {f"{name}=={version}", name}
    ]
    if not named:
        return "compose-init: cannot be installed; uv says above why"
    return (
        "compose-init: cannot be installed without changing a version of the base image, which has"
        f" {', '.join(sorted(named))}. Use a version in the base image that compose-init accepts (see"
        " above), or build from python:3.13-slim and seed in two steps (docs/compose.md)"
    )


def check_unchanged(before: dict[str, str], after: dict[str, str]) -> None:
    """Check that uv has honoured the constraints.

    Raises:
        SystemExit: naming each version that has changed.
    """
    changed = [
        f"{name} {version} -> {after.get(name, 'gone')}"
        for name, version in before.items()
        if after.get(name) != version
    ]
    if changed:
        sys.exit(
            f"compose-init: the installation has changed versions of the base image: {', '.join(changed)}"
        )


def normalized(name: str) -> str:
    """Return a name in the form in which PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
