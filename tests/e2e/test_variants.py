"""The two variants that are laid over compose.yml."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.docker import ROOT, Images, Stack, server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DEPLOY = ROOT / "deploy"
HOOK = {"command", "image", "user", "privileged", "working_dir", "environment", "per_replica"}


class Tagged(yaml.SafeLoader):
    """YAML with Compose's own tags, `!override` and `!reset`, which change no value here."""


def untagged(loader: Tagged, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


Tagged.add_multi_constructor("!", untagged)


@pytest.fixture(name="folder")
def _folder(images: Images, telegram: str, tmp_path_factory: Any) -> Iterator[Stack]:
    """Yield a server's folder with the variants in it."""
    with server(tmp_path_factory.mktemp("server"), images, telegram) as stack:
        for file in DEPLOY.glob("compose.*.yml"):
            shutil.copy(file, stack.folder)
        yield stack


def test_two_steps(folder: Stack) -> None:
    """Tables before the API starts, endpoints through it, and the bot after both; then nothing."""
    up = folder.up("compose.two-step.yml")
    assert up.returncode == 0, up.stderr + folder.log("init") + folder.log("seed")
    init, api, seed, bot = (folder.state(name) for name in ("init", "api", "seed", "bot"))
    assert init["FinishedAt"] < api["StartedAt"] < seed["StartedAt"]
    assert seed["FinishedAt"] < bot["StartedAt"]
    assert "temporary API" not in folder.log("init") + folder.log("seed")
    rows = folder.tables()
    assert len(rows["habitats"]) == 13
    assert len(rows["monsters"]) >= 40
    assert folder.up("compose.two-step.yml").returncode == 0
    assert folder.tables() == rows
    for each in ("init", "seed"):  # their logs hold both starts
        assert folder.log(each).count('"nothing to do"') == 1, folder.log(each)


def test_pre_start_has_the_shape_of_the_specification(folder: Stack) -> None:
    """Each step is what the specification allows; the rest is checked by the Compose at hand."""
    text = (DEPLOY / "compose.pre-start.yml").read_text(encoding="utf-8")
    services = yaml.load(text, Tagged)["services"]  # noqa: S506 - a SafeLoader, with two more tags
    steps = services["api"]["pre_start"]
    assert steps
    for step in steps:
        assert step.keys() <= HOOK
        assert isinstance(step["command"], list)
        assert all(isinstance(value, str) for value in step["environment"].values())
    # An older Compose knows no pre_start, and takes whatever begins with x-.
    older = folder.folder / "older.yml"
    older.write_text(text.replace("pre_start:", "x-pre_start:"), encoding="utf-8")
    merged = folder.compose("config", "--format", "json", files=("older.yml",))
    assert merged.returncode == 0, merged.stderr
    config = yaml.safe_load(merged.stdout)["services"]
    assert "init" not in config
    assert config["api"]["depends_on"].keys() == {"postgres"}
    assert config["bot"]["depends_on"].keys() == {"api", "redis"}
    assert {mount["target"] for mount in config["api"]["volumes"]} == {"/seeds"}
    secrets = {secret["source"] for secret in config["api"]["secrets"]}
    assert secrets == {"postgres_password", "application_password"}


def test_the_example_of_env_is_complete() -> None:
    """Every variable of compose.yml that a person may set is in deploy/.env.example."""
    compose = (ROOT / "compose.prod.example.yml").read_text(encoding="utf-8")
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    names = {part.split(":")[0].split("}")[0] for part in compose.split("${")[1:]}
    assert names - {line.lstrip("#").partition("=")[0] for line in example.splitlines()} == set()
