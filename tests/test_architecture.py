"""What the package may not do, read from its own source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from compose_seeder.postgres import statements

PACKAGE = Path(__file__).parents[1] / "seeder" / "compose_seeder"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = (PACKAGE, Path(__file__).parents[1] / "init" / "compose_init")

LAYERS = (
    *("sources", "manifest", "documents", "http_client", "reconcile"),
    *("targets/table", "targets/endpoint"),
)
"""The folders of the engine; each may import from those before it, and none from those after it."""


def imported(tree: ast.AST) -> set[str]:
    """Return the top-level packages that a module imports, at any place."""
    names = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_seeder_stands_alone(path: Path) -> None:
    """It imports nothing of `compose_init` and reads no environment variable."""
    tree = ast.parse(path.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "compose_init" not in imported(tree)
    assert not names & {"environ", "getenv", "environb"}


@pytest.mark.parametrize(
    "path",
    [path for package in PACKAGES for path in sorted(package.glob("sql/*.sql"))],
    ids=lambda path: f"{path.parents[1].name}-{path.stem}",
)
def test_every_statement_is_used(path: Path) -> None:
    """Each statement of the SQL files has a name of its own, and code that names it."""
    package = path.parents[1]
    named = re.findall(r"^-- name: (\w+)$", path.read_text(), re.MULTILINE)
    assert sorted(statements(path.stem, package.name)) == sorted(named)
    code = "\n".join(source.read_text() for source in package.rglob("*.py"))
    assert [name for name in named if f'"{name}"' not in code] == []


def layer_of(module: str) -> str | None:
    """Return the folder of a module, `a/b/c.py`; None for a module of the package itself."""
    return next((layer for layer in LAYERS if module.startswith(f"{layer}/")), None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_between_folders_have_one_direction(path: Path) -> None:
    layer = layer_of(path.relative_to(PACKAGE).as_posix())
    names = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("compose_seeder.")
    }
    above = [
        name
        for name in names
        if layer
        and (other := layer_of(f"{name}.".partition(".")[2].replace(".", "/")))
        and LAYERS.index(other) > LAYERS.index(layer)
    ]
    assert above == []


def test_no_test_double_in_the_program() -> None:
    """What replaces a function of another library says so in the open, and puts it back."""
    found = [
        path
        for package in PACKAGES
        for path in package.rglob("*.py")
        if "unittest" in imported(ast.parse(path.read_text()))
    ]
    assert found == []
