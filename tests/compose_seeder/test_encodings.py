"""Databases of other encodings than UTF-8: values arrive, and what an encoding does not have is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from compose_seeder.errors import ManifestError, RecordError
from examples.postgres import Server
from tests.support.seed_folder import Seeds, counts, table

TEXTS = {
    "LATIN1": "Ünïcode é",
    "LATIN9": "€ é",
    "WIN1252": "€ é",
    "WIN1251": "Добрый",
    "KOI8R": "жаба",
    "EUC_JP": "漢字 é",
    "EUC_KR": "한국",
    "SQL_ASCII": "é 漢字 🐸",
    "UTF8": "é 漢字 🐸",
}


@pytest.fixture
def of(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Seeds]:
    """Yield seeds for a database of the encoding that is asked for."""
    address = server.url("postgres")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS encoded")
        connection.execute(
            f"CREATE DATABASE encoded TEMPLATE template0 ENCODING '{request.param}' LOCALE 'C'".encode()
        )
    with psycopg.connect(
        server.url("encoded"), autocommit=True, client_encoding="UTF8"
    ) as connection:
        yield Seeds(tmp_path, connection)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP DATABASE encoded")


@pytest.mark.parametrize("of", TEXTS, indirect=True)
@pytest.mark.parametrize("compared", [False, True])
def test_values_arrive(of: Seeds, compared: bool, request: pytest.FixtureRequest) -> None:
    """As keys, texts, names in JSON, references and names of columns; the file may have escapes in place of letters."""
    text = TEXTS[request.node.callspec.params["of"]]
    of.do(f'CREATE TABLE creatures (slug text PRIMARY KEY, "{text}" text, data jsonb, parent text)')
    if compared:
        of.do("INSERT INTO creatures (slug) VALUES ('somebody else')")
    refs = "\n[dataset.refs]\nparent = {from = 'of', table = 'creatures', match = 'slug', take = 'slug'}"
    records = [
        {"slug": text, text: text, "data": {text: [text]}, "of": None},
        {"slug": "child", text: "x", "data": 1, "of": text},
    ]
    of.write(table() + refs, creatures=records)
    assert counts(of.run()) == {"created": 2}
    assert counts(of.run(verify=True)) == {"unchanged": 2}
    query = f'SELECT "{text}", data -> %s ->> 0 FROM creatures WHERE slug = %s'
    assert of.rows(query, text, text) == [(text, text)]
    assert of.rows("SELECT parent FROM creatures WHERE slug = 'child'") == [(text,)]


@pytest.mark.parametrize("of", ["LATIN1", "EUC_JP"], indirect=True)
def test_a_value_that_the_encoding_does_not_have(of: Seeds) -> None:
    """The record and the field are named, and nothing is written."""
    of.do("CREATE TABLE creatures (slug text PRIMARY KEY, name text)")
    of.write(table(), creatures=[{"slug": "a", "name": "🐸"}])
    with pytest.raises(RecordError, match=r"#/0 \(slug a\), field name: .*encoding"):
        of.run()
    of.source("creatures", '[{"slug": "a", "name": "🐸"}]')
    with pytest.raises(RecordError, match="encoding"):
        of.run()
    assert of.rows("SELECT * FROM creatures") == []


@pytest.mark.parametrize("of", ["LATIN1"], indirect=True)
@pytest.mark.parametrize("plan", [False, True])
def test_a_name_that_the_ledger_cannot_hold(of: Seeds, plan: bool) -> None:
    """Before anything is written, and before the ledger is made."""
    of.do("CREATE TABLE creatures (slug text PRIMARY KEY, name text)")
    of.write(table().replace("creatures.json", "漢字.json"), 漢字=[{"slug": "a"}])
    with pytest.raises(ManifestError, match=r"encoding, LATIN1, .*漢字\.json: rename it"):
        of.run(plan=plan)
    assert of.rows("SELECT to_regnamespace('compose_init')") == [(None,)]
