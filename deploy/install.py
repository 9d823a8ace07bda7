# ruff: noqa: INP001, S603, T201 - a script for a build, which runs programs and prints
"""Puts compose-init into the Python of a base image, and leaves every version there as it is.

    python install.py WHEELS PINS

`Dockerfile.init` runs it, as root, with the base image's own Python (a virtual environment's, where
one is first on PATH), so that it uses the standard library alone.

    what the base has ─▶ constraints ─┐
    pins, with hashes ─▶ the rest ────┴▶ uv ─▶ has anything of the base changed?
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
# What a package of the system calls itself may be no version at all.
VERSION = re.compile(r"\d[\w.!+-]*", re.ASCII)
PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(\[[^]]*\])?==", re.ASCII)


def main(wheels: Path, pins: Path) -> None:
    """Install, and say what came with it."""
    before = installed()
    [wheel] = wheels.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        base, rest = Path(folder, "base.txt"), Path(folder, "rest.txt")
        base.write_text(as_constraints(before), encoding="utf-8")
        rest.write_text(without(pins.read_text(encoding="utf-8"), set(before)), encoding="utf-8")
        install(wheel, base, rest, before)
    after = installed()
    check_unchanged(before, after)
    added = sorted(f"{name} {after[name]}" for name in after.keys() - before.keys())
    print(f"compose-init: nothing of the base has changed; added {', '.join(added)}")


def installed() -> dict[str, str]:
    """Normalized names and versions; asked in a process of its own, which knows no earlier answer."""
    answer = subprocess.run(
        [sys.executable, "-c", FREEZE], check=True, capture_output=True, text=True
    )
    return {normalized(name): version for name, version in json.loads(answer.stdout).items()}


def as_constraints(versions: dict[str, str]) -> str:
    """`name==version`, a line each."""
    lines = [
        f"{name}=={version}" for name, version in versions.items() if VERSION.fullmatch(version)
    ]
    return "\n".join(sorted(lines))


def without(pins: str, names: set[str]) -> str:
    """The pins, with their hashes, of what is not named."""
    kept, keeping = [], True
    for line in pins.splitlines():
        if match := PIN.match(line):
            keeping = normalized(match["name"]) not in names
        if keeping:
            kept.append(line)
    return "\n".join(kept)


def install(wheel: Path, base: Path, rest: Path, before: dict[str, str]) -> None:
    """Let uv resolve it, or end with the names of what stands in the way."""
    done = subprocess.run(
        [
            *("uv", "pip", "install", "--python", sys.executable, "--break-system-packages"),
            *("--no-cache", "--no-progress", "--compile-bytecode", "--verify-hashes"),
            *("--constraints", base, "--constraints", rest, wheel),
        ],
        check=False,
        env={**os.environ, "TMPDIR": str(base.parent)},  # uv leaves a lock file in there
        stderr=subprocess.PIPE,
        text=True,
    )
    print(done.stderr, file=sys.stderr)
    if done.returncode:
        words = set(re.findall(r"[a-z0-9][\w.-]*", done.stderr.lower()))
        named = [
            f"{name} {version}"
            for name, version in before.items()
            if words & {f"{name}=={version}", name}
        ]
        if not named:
            sys.exit("compose-init: cannot be installed; uv says above why")
        sys.exit(
            "compose-init: cannot be installed without changing a version of the base image, which has"
            f" {', '.join(sorted(named))}. Bring it to one that compose-init takes (see above), or build"
            " from python:3.13-slim and seed in two steps (docs/compose.md)"
        )


def check_unchanged(before: dict[str, str], after: dict[str, str]) -> None:
    """Trust, and look all the same."""
    changed = [
        f"{name} {version} -> {after.get(name, 'gone')}"
        for name, version in before.items()
        if after.get(name) != version
    ]
    if changed:
        sys.exit(f"compose-init: the install has changed the base image: {', '.join(changed)}")


def normalized(name: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
