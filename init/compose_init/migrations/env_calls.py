"""How often an `env.py` may call `context.run_migrations()`, by its text, and what one such call did.

An `env.py` with a loop over schemas is the only one to know them: the fast path cannot tell what is due.
"""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import alembic

from compose_init.migrations.revision_graph import Revision
from compose_init.migrations.version_table import VersionTable

CALL = "run_migrations"

ALEMBIC = str(Path(alembic.__file__).parent)
BETWEEN = str(Path(__file__).with_name("env_context.py"))
"""What stands between Alembic and an `env.py`."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
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
    bodies: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and node.name in leading:
            bodies.setdefault(node.name, []).extend(node.body)
    once = not loops and not passed and _most_calls(tree, bodies) <= 1
    return EnvText(loops, once)


def _most_calls(
    node: ast.AST, bodies: Mapping[str, Sequence[ast.AST]], inside: frozenset[str] = frozenset()
) -> int:
    """Return how often a part may lead to the call online, at most; of two branches, one is taken.

    Args:
        node: the part.
        bodies: what the functions that lead to the call do, by name.
        inside: the functions that led here.
    """

    def add_up(parts: Iterable[ast.AST], inside: frozenset[str] = inside) -> int:
        return sum(_most_calls(part, bodies, inside) for part in parts)

    if isinstance(node, FUNCTIONS):
        return 0
    if isinstance(node, ast.If):
        branches = [node.orelse] if _asks_if_offline(node.test) else [node.body, node.orelse]
        return max(map(add_up, branches))
    name = next(_own_name(node), "")
    # asyncio.run() is no function of this file that is called run as well.
    foreign = isinstance(node, ast.Attribute) and next(_own_name(node.value), "") not in {
        "self",
        "cls",
    }
    called = [] if foreign or name in inside else bodies.get(name, [])
    own = int(name == CALL) + add_up(called, inside | {name})
    return own + add_up(ast.iter_child_nodes(node))


def _asks_if_offline(test: ast.expr) -> bool:
    return isinstance(test, ast.Call) and _called(test) == "is_offline_mode"


def is_called_by(path: Path) -> bool:
    """Tell if the running call of `context.run_migrations()` is one of this file's own."""
    files = _stack_files()
    inside = [name.startswith((ALEMBIC, BETWEEN, "<")) for name in files]
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
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
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
        yield from _own_name(node)


def _own_name(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
