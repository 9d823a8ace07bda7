"""What the package may not do, read from its own source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from compose_seeder.postgres import statements

PACKAGE = Path(__file__).parents[1] / "seeder" / "compose_seeder"
SOURCES = sorted(PACKAGE.rglob("*.py"))


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


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("sql/*.sql")), ids=lambda path: path.stem)
def test_every_statement_is_used(path: Path) -> None:
    """Each statement of the SQL files has a name of its own, and code that names it."""
    named = re.findall(r"^-- name: (\w+)$", path.read_text(), re.MULTILINE)
    assert sorted(statements(path.stem)) == sorted(named)
    code = "\n".join(source.read_text() for source in SOURCES)
    assert [name for name in named if f'"{name}"' not in code] == []
