"""How often an `env.py` may call `context.run_migrations()`, by its text, and what one such call did.

An `env.py` with a loop over schemas is the only one to know them: the fast path cannot tell what is due.
"""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import alembic

from compose_init.migrations.revision_graph import Revision
from compose_init.migrations.version_table import VersionTable

CALL = "run_migrations"

ALEMBIC = str(Path(alembic.__file__).parent)

LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

CALL_ONCE = {"run", "run_sync", "run_until_complete", "wait_for", "create_task", "ensure_future"}
"""Functions of asyncio and SQLAlchemy that call once what they are given."""


@dataclass
class EnvCall:
    """One call of `context.run_migrations()`.

    Attributes:
        table: the version table.
        first_name: its name in the ledger when the call began; a revision may move it.
        done: revisions that ran; whether they stayed shows in the version table.
        ahead: the database has revisions that the image does not have, so none ran.
    """

    table: VersionTable
    first_name: str = field(init=False)
    done: list[Revision] = field(default_factory=list)
    ahead: bool = False

    def __post_init__(self) -> None:
        self.first_name = self.name

    @property
    def name(self) -> str:
        """The version table as the ledger names it."""
        return self.table.name


@dataclass(frozen=True)
class EnvText:
    """What the text of an `env.py` says about its calls.

    Attributes:
        loops: whether a loop leads to the call, which may then happen never, or several times.
        once: whether it is certain that there is no more than one call.
    """

    loops: bool
    once: bool


def read_env(path: Path) -> EnvText:
    """Return what the text says; of a file that cannot be read, nothing is certain."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return EnvText(loops=False, once=False)
    leading = _leading_names(tree)
    loops = any(leading & set(_names(part)) for part in _repeated(tree))
    passed = any(
        leading & set(_names(argument))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _called(node) not in CALL_ONCE
        for argument in (*node.args, *(keyword.value for keyword in node.keywords))
        if not isinstance(argument, ast.Call)  # it is called here, and its result is passed
    )
    return EnvText(loops, once=not loops and not passed)


def is_called_by(path: Path) -> bool:
    """Tell if the running call of `context.run_migrations()` is one of this file's own."""
    files = _stack_files()
    inside = [name.startswith((ALEMBIC, "<")) for name in files]
    if True not in inside:
        return False
    first = inside.index(True)
    callers = [name for name, own in zip(files[first:], inside[first:], strict=True) if not own]
    return bool(callers) and Path(callers[0]).resolve() == path.resolve()


def _stack_files() -> list[str]:
    """Return the files of the running functions, the innermost first."""
    return [frame.f_code.co_filename for frame, _ in traceback.walk_stack(None)]


def _leading_names(tree: ast.Module) -> set[str]:
    """Return the names of the call and of all functions that lead to it."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    leading = {CALL}
    while more := {each.name for each in functions if leading & set(_names(each))} - leading:
        leading |= more
    return leading


def _repeated(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, LOOPS):
            yield from node.body
        elif isinstance(node, COMPREHENSIONS):
            yield node


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
