"""Manifest and sources behind https://."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.https_server import CERTIFICATE, serving
from tests.support.programs import Program

MANIFEST = b'[[dataset]]\nname = "habitats"\nsource = "habitats.json"\ntable = "habitats"\nkey = ["slug"]\n'


def test_seeds_from_the_web(program: Program) -> None:
    """With a token, that nobody shows; the second run downloads nothing, and names what is gone."""
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE habitats (slug text)")
    with serving() as web:
        web.answers["/dnd/seeds.toml?version=1"] = 200, {"ETag": '"m"'}, MANIFEST
        web.answers["/dnd/habitats.json"] = 200, {"ETag": '"h"'}, b'[{"slug": "arctic"}]'
        seeded = program.with_(
            SEED_MANIFEST=f"{web.address}/dnd/seeds.toml?version=1",
            SEED_HTTPS_TOKEN="hunter22",
            SSL_CERT_FILE=str(CERTIFICATE),
        )
        run = seeded.run()
        assert run.code == 0, run.said
        assert "hunter22" not in run.said
        assert {token for _, _, token in web.asked} == {"Bearer hunter22"}
        web.asked.clear()
        assert seeded.run().names() == ["nothing to do"]
        assert [method for method, _, _ in web.asked] == ["HEAD", "HEAD"]
        del web.answers["/dnd/habitats.json"]
        gone = seeded.run()
        assert gone.code == 66
        assert "/dnd/habitats.json cannot be read: the server answered 404" in gone.said
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT slug FROM habitats").fetchall() == [("arctic",)]


@pytest.mark.parametrize("address", ["ftp://h/seeds.toml", "https://u:hunter22@h/seeds.toml"])
def test_what_is_no_address_of_a_manifest(program: Program, address: str) -> None:
    """78, with what is known instead."""
    run = program.with_(SEED_MANIFEST=address).run()
    assert run.code == 78
    assert "hunter22" not in run.said
    assert "SEED_MANIFEST: " in run.said
