"""`seeds.toml`: strict, and every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose_seeder.errors import ManifestError
from compose_seeder.manifest.parse import load, parse
from compose_seeder.sources import Sources

TABLE = '[[dataset]]\nname = "a"\nsource = "a.json"\ntable = "a"\nkey = ["id"]\n'
ENDPOINT = """
[[dataset]]
name = "e"
source = "e.json"
endpoint = "/e"
key = ["id"]
[dataset.http]
list = "GET /e"
create = "POST /e"
"""


def faults(text: str) -> str:
    with pytest.raises(ManifestError) as raised:
        parse(text, "seeds.toml")
    return str(raised.value)


def test_every_fault_at_once() -> None:
    """Unknown keys with the nearest known one, missing ones, wrong values, by dataset."""
    said = faults(
        '[[dataset]]\nname = "one"\nsuorce = "x"\ntable = "t"\nkey = []\non_drift = "kep"\n'
        '[[dataset]]\nname = "two"\nsource = "y"\nkey = ["id"]\n'
        "[datasett]\n"
    )
    for part in (
        "seeds.toml is wrong:",
        "unknown key datasett (did you mean dataset?)",
        "dataset one: unknown key suorce (did you mean source?)",
        "dataset one: source is missing",
        "dataset one: key",
        "dataset one: on_drift",
        "dataset two: needs exactly one of table and endpoint",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[dataset]", "is not valid TOML"),
        (TABLE + TABLE, "dataset a: the name occurs twice; rename one of them"),
        (TABLE + 'endpoint = "/a"\n', "exactly one of table and endpoint"),
        (TABLE + 'ignore = ["id"]\n', "key id is also in ignore"),
        (TABLE + '[dataset.http]\nlist = "GET /a"\n', "http is for an endpoint"),
        (TABLE + "http = 5\n", "http"),
        (TABLE + 'http = "confirm"\n', "http"),
        (TABLE + 'sha256 = "abc"\n', "sha256"),
        (TABLE + 'records = "no/slash"\n', "records"),
        (TABLE.replace('name = "a"', 'name = "a b"'), "name"),
        (ENDPOINT.replace('list = "GET /e"\n', ""), "http.list or http.get is missing"),
        (ENDPOINT.replace('create = "POST /e"\n', ""), "http.create is missing"),
        (ENDPOINT.replace("GET /e", "DELETE /e"), "http.list"),
        (ENDPOINT + 'confirm = "POST /e"\n', "http.confirm"),
        (ENDPOINT + 'lits = "GET /e"\n', "unknown key http.lits (did you mean list?)"),
        ("dataset = 3\n", "[[dataset]]"),
        ("dataset = [3]\n", "dataset number 1: is not a table"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    """One fault each."""
    assert said in faults(text)


def test_it_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors write it."""
    (tmp_path / "seeds.toml").write_bytes(b"\xef\xbb\xbf" + TABLE.encode())
    manifest, _ = load(str(tmp_path / "seeds.toml"), Sources())
    assert [dataset.name for dataset in manifest.datasets] == ["a"]


def test_defaults_hold_where_a_dataset_says_nothing() -> None:
    """And nowhere else."""
    manifest = parse(
        '[defaults]\non_drift = "fail"\n'
        + TABLE
        + TABLE.replace('"a"', '"b"', 1)
        + 'on_drift = "keep"\n',
        "seeds.toml",
    )
    assert [dataset.on_drift for dataset in manifest.datasets] == ["fail", "keep"]


def test_confirm_as_a_string_a_list_or_tables() -> None:
    """A request alone may be written as one."""
    confirm = 'confirm = ["GET /e/{live.id}", { request = "GET /e/{live.id}/t", into = "t", by = "lang" }]\n'
    (dataset,) = parse(ENDPOINT + confirm, "seeds.toml").datasets
    assert [c.into for c in dataset.http.confirm] == [None, "t"]
    (dataset,) = parse(ENDPOINT + 'confirm = "GET /e/{live.id}"\n', "seeds.toml").datasets
    assert dataset.http.confirm[0].request == "GET /e/{live.id}"
