"""What the package may not do, read from its own source."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from compose_seeder.postgres import statements

PACKAGE = Path(__file__).parents[1] / "seeder" / "compose_seeder"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = (PACKAGE, Path(__file__).parents[1] / "init" / "compose_init")

LAYERS = {
    "compose_seeder": (
        {
            "errors",
            "exact_json",
            "hashing",
            "header",
            "http_transport",
            "json_pointer",
            "masking",
            "proxy",
            "safe_url",
        },
        {"postgres", "sources"},
        {"manifest"},
        {"documents", "http_client"},
        {"inputs", "options", "reconcile"},
        {"targets.table"},
        {"targets.endpoint"},
        {"around_migration", "dataset", "validate"},
        {"pipeline"},
        {""},
    ),
    "compose_init": (
        {""},
        {"alembic_options", "errors", "files", "flags"},
        {"logs", "wait"},
        {"database"},
        {"last_run", "settings"},
        {"api_health", "ledger"},
        {"api_process"},
        {"migrations"},
        {"phases.options"},
        {"up_to_date"},
        {"variables_record"},
        {"output", "phases", "server", "record_graph", "status", "wait_for_revision"},
        {"run"},
        {"cli"},
        {"__main__"},
    ),
}
"""The folders and modules of each package, "" for the package itself: none imports what comes later."""


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


def modules_of(package: Path) -> dict[str, Path]:
    """Return a package's modules by their dotted names within it; "" for the package itself."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_within(package: Path) -> dict[str, set[str]]:
    """Return the modules of a package that each of its modules imports, at any place in it."""
    modules = modules_of(package)
    found: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            head, _, rest = node.module.partition(".")
            if head == package.name:
                names = {f"{rest}.{alias.name}".lstrip(".") for alias in node.names}
                found[name] |= {each if each in modules else rest for each in names}
    return found


def layer_of(package: Path, module: str) -> int:
    """Return the number of the layer that a module belongs to.

    Raises:
        ValueError: it has no place in `LAYERS`.
    """
    for number, layer in enumerate(LAYERS[package.name]):
        if any(module == name or (name and module.startswith(f"{name}.")) for name in layer):
            return number
    raise ValueError(f"{package.name}: {module} has no place in LAYERS")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_module_imports_upwards(package: Path) -> None:
    """A module imports from its own folder, its own layer and the layers before it."""
    upwards = [
        f"{module} imports {other}"
        for module, others in imports_within(package).items()
        if module != "targets"
        for other in others
        if layer_of(package, other) > layer_of(package, module)
    ]
    assert upwards == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_import_goes_in_a_circle(package: Path) -> None:
    graph = imports_within(package)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {error.args[1]}")
