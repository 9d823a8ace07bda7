"""The documentation names what the code has: no more, no less."""

from __future__ import annotations

import re
import signal
import typing
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from compose_init.cli.arguments import build_parser
from compose_init.errors import DEFECT, PLAN_FOUND_CHANGES, InitError, Interrupted
from compose_init.settings import KNOWN
from compose_init.settings.page import missing_tables, with_tables
from compose_seeder import check
from compose_seeder.errors import SeedError
from compose_seeder.manifest.models import Dataset
from compose_seeder.manifest.parse import parse
from compose_seeder.sources import Sources
from tests.support.errors import subclasses

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
REGISTRY = re.compile(r"https?://[^\s)]*(pypi|docker\.(io|com)|ghcr|quay\.io|gcr\.io|pythonhosted)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
MANIFEST = re.compile(r"^```toml\n(# seeds\.toml\n.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w.]+)`:\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def first_cells(page: str) -> set[str]:
    """Return the code spans in the first column of a page's tables."""
    rows = re.findall(r"^\| (`[^|]*) \|", text(page), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def manifests() -> list[Any]:
    found = []
    for page in PAGES:
        blocks = MANIFEST.findall(page.read_text(encoding="utf-8"))
        found += [
            pytest.param(block, id=f"{page.name}-{number}") for number, block in enumerate(blocks)
        ]
    return found


def sections() -> list[Any]:
    """Sections of docs/manifest.md that bring their seed files along."""
    found = []
    for section in re.split(r"^## ", text("docs/manifest.md"), flags=re.MULTILINE):
        files = dict(FILE.findall(section))
        if files:
            files["seeds.toml"] = MANIFEST.findall(section)[0]
            found.append(pytest.param(files, id=section.splitlines()[0]))
    return found


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and the models of its fields, at any depth."""
    yield model
    for field in model.model_fields.values():
        for held in _classes(field.annotation):
            if issubclass(held, BaseModel):
                yield from models(held)


def _classes(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _classes(argument)


def flags_and_commands(found: ArgumentParser) -> set[str]:
    words: set[str] = set()
    for action in found._actions:
        words.update(action.option_strings)
        if isinstance(action.choices, dict):
            for name, command in action.choices.items():
                words |= {f"compose-init {name}", *flags_and_commands(command)}
    return words


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def test_settings_are_named_all_of_them_and_no_others() -> None:
    """Each of `compose_init.settings.KNOWN` has its row in docs/settings.md, and nothing else has one."""
    assert first_cells("docs/settings.md") == set(KNOWN)


def test_the_tables_of_settings_are_current() -> None:
    """They are written by `make docs`, one for each group of variables."""
    page = (ROOT / "docs/settings.md").read_text()
    assert list(missing_tables(page)) == []
    assert with_tables(page) == page


def test_the_readme_names_only_settings_that_are() -> None:
    assert {name for name in first_cells("README.md") if name.isupper()} <= set(KNOWN)


def test_every_flag_and_command_is_described() -> None:
    page = text("docs/command-line.md")
    words = flags_and_commands(build_parser())
    assert "--plan" in words
    assert "compose-init status" in words
    assert {word for word in words if f"`{word}" not in page and f" {word}" not in page} == set()


def test_no_flag_is_described_that_is_not() -> None:
    """Docker Compose's own aside, docs/command-line.md names flags that the parser knows."""
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text("docs/command-line.md")))
    compose = {"--rm", "--no-deps"}
    assert named - compose - flags_and_commands(build_parser()) == set()


def test_every_exit_code_has_a_row_and_no_other() -> None:
    codes = {error.exit_code for error in subclasses(InitError)}
    codes |= {error.exit_code for error in subclasses(SeedError)} - {SeedError.exit_code}
    signals = {Interrupted(signal.SIGINT).exit_code, Interrupted(signal.SIGTERM).exit_code}
    rows = re.findall(r"^\| (\d+) \|", text("docs/command-line.md"), re.MULTILINE)
    assert [int(row) for row in rows] == sorted(codes | signals | {0, DEFECT, PLAN_FOUND_CHANGES})


@pytest.mark.parametrize("block", manifests())
def test_an_example_manifest_is_a_manifest(block: str) -> None:
    assert parse(block, "seeds.toml").datasets


@pytest.mark.parametrize("files", sections())
def test_an_example_checks_with_the_files_beside_it(files: dict[str, str], tmp_path: Path) -> None:
    """What a reader copies from docs/manifest.md passes `compose-init check`."""
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert all(check(str(tmp_path / "seeds.toml"), Sources()).values())


def test_every_key_of_the_manifest_has_a_row() -> None:
    keys = {
        field.alias or name
        for model in models(Dataset)
        for name, field in model.model_fields.items()
    }
    assert {"by", "from", "into", "list", "max_prune"} <= keys
    assert keys - first_cells("docs/manifest.md") == set()


def test_every_module_has_its_line_in_the_architecture() -> None:
    modules = {
        path.relative_to(ROOT / package).as_posix()
        for package in ("init/compose_init", "seeder/compose_seeder")
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".sql"} and path.name != "__init__.py"
    }
    assert modules - first_cells("docs/architecture.md") == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the project, and to a heading in it."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_sends_to_a_registry(page: Path) -> None:
    assert REGISTRY.search(page.read_text(encoding="utf-8")) is None
