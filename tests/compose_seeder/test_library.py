"""The engine alone, as docs/library.md shows it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from dataclasses import fields
from pathlib import Path

import pytest

from compose_seeder import Options
from compose_seeder.errors import InterruptedTargetError
from compose_seeder.manifest.editor_schema import json_schema
from compose_seeder.manifest.models import Dataset
from tests.support.seed_folder import Seeds, table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "library.md").read_text(encoding="utf-8")


def test_the_example_runs(
    seeds: Seeds, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands there, but for the address."""
    example = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    assert "postgresql://user@host/database" in example
    seeds.do("CREATE TABLE creatures (slug text, hp int)")
    seeds.write(table(), creatures=[{"slug": "goblin", "hp": 7}])
    monkeypatch.chdir(seeds.folder)
    exec(example.replace("postgresql://user@host/database", database), {})  # noqa: S102
    assert capsys.readouterr().out == "creatures 1 0 0 0\n"


def test_every_option_is_in_the_table() -> None:
    """But for what only the container needs."""
    missing = [field.name for field in fields(Options) if f"`{field.name}" not in PAGE]
    assert missing == ["schema_behind"]


def test_the_schema_is_that_of_the_manifest() -> None:
    """Written again with `python -m compose_seeder.manifest.editor_schema > docs/seeds.schema.json`."""
    assert json.loads((DOCS / "seeds.schema.json").read_text(encoding="utf-8")) == json_schema()
    written = subprocess.run(
        [sys.executable, "-m", "compose_seeder.manifest.editor_schema"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert written.stdout == (DOCS / "seeds.schema.json").read_text(encoding="utf-8")
    known = {field.alias or name for name, field in Dataset.model_fields.items()}
    assert set(json_schema()["properties"]["dataset"]["items"]["properties"]) == known


def test_statements_are_read_whatever_the_locale_is() -> None:
    """An application's image may set one that is not UTF-8."""
    # Without `site`: it reads the installation's .pth file, whose folder may have other letters, as ASCII.
    paths = f"{DOCS.parent / 'seeder'}:{sysconfig.get_path('purelib')}"
    ascii_alone = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONPATH": paths,
    }
    code = "from compose_seeder.postgres import statements; statements('table')"
    subprocess.run([sys.executable, "-S", "-c", code], check=True, env=ascii_alone, cwd=DOCS.parent)


@pytest.mark.parametrize("plan", [True, False])
def test_a_database_that_is_read_only(seeds: Seeds, plan: bool) -> None:
    """A standby, say: a plan makes temporary functions, which it does not allow."""
    seeds.do("CREATE TABLE creatures (slug text)")
    seeds.write(table(), creatures=[]).do("SET default_transaction_read_only = on")
    with pytest.raises(InterruptedTargetError, match="the database is read-only"):
        seeds.run(plan=plan)
