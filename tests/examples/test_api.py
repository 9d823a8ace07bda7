"""The example API: its migrations, its routes and its honesty, over real HTTP and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from alembic import command
from alembic.config import Config
from dnd_helper_api.schema_state import Revisions, judge, own_revisions
from dnd_helper_api.schemas import MonsterIn, SpellIn
from dnd_helper_api.settings import SettingsError, database_url, load

from examples.postgres import PASSWORD, USER, Server, free_port
from tests.support.forks import Running
from tests.support.preloaded import Call

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[2] / "examples" / "dnd-helper"
API = EXAMPLE / "api"
TOKEN = "let me write"
HEAD = "0015"
OWN = Revisions(heads=frozenset({"c"}), known=frozenset("abc"))

Record = dict[str, Any]

GOBLIN: Record = {
    "slug": "goblin",
    "hp": 7,
    "ac": 15,
    "type": "humanoid",
    "size": "small",
    "cr": 0.125,
    "abilities": {"str": 8, "dex": 14},
    "languages": ["Common", "Goblin"],
    "translations": {
        "en": {
            "name": "Goblin",
            "description": "Small and mean.",
            "actions": [{"name": "Scimitar", "text": "Hit: 1d6 + 2"}],
        },
        "ru": {"name": "Гоблин", "description": "Мелкий и злой."},
    },
}
FIREBALL: Record = {
    "slug": "fireball",
    "school": "evocation",
    "level": 3,
    "components": {"v": True, "s": True, "m": True, "material_desc": "guano"},
    "classes": ["wizard"],
    "translations": {
        "en": {"name": "Fireball", "description": "A bright streak flashes."},
        "ru": {"name": "Огненный шар", "description": "Яркая вспышка."},
    },
}
RESOURCES = [pytest.param("/monsters", GOBLIN, id="m"), pytest.param("/spells", FIREBALL, id="s")]


def create_database(server: Server, name: str, template: str = "template1") -> str:
    """Create a database and return its address."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.url(name)


def alembic(url: str) -> Config:
    """Return the configuration of a program that runs Alembic in-process: no file, an address."""
    config = Config()
    config.set_main_option("script_location", str(API / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


@pytest.fixture(scope="module")
def migrated(server: Server) -> str:
    """Migrate a database to head as a person does it, with the settings' own variables."""
    create_database(server, "migrated")
    environment = {
        **os.environ,
        "POSTGRES_HOST": server.host,
        "POSTGRES_PORT": str(server.port),
        "POSTGRES_DB": "migrated",
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": PASSWORD,
    }
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"], cwd=API, env=environment, check=True
    )
    return "migrated"


@contextmanager
def running(url: str, **variables: str) -> Iterator[httpx.Client]:
    """Yield a client of the API in a process of its own, which SIGTERM ends in good time."""
    port = free_port()
    address = {"DATABASE_URL": url, "API_HOST": "127.0.0.1", "API_PORT": str(port)}
    call = Call([], {**os.environ, **address, **variables}, str(API), "dnd_helper_api.main")
    with Path(os.devnull).open("w") as output, Running(call, output) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                for _ in range(600):
                    try:
                        client.get("/health")
                        break
                    except httpx.ConnectError:
                        assert process.poll() is None, "the API has ended"
                        time.sleep(0.05)
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def open_client(
    server: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Yield a client without a token, of an API that requires a token."""
    secret = tmp_path_factory.mktemp("secrets") / "token"
    secret.write_text(f"{TOKEN}\n")
    url = create_database(server, "served", template=migrated)
    with running(url, API_TOKEN_FILE=str(secret), APP_VERSION="1.2.3") as client:
        yield client


@pytest.fixture
def client(open_client: httpx.Client) -> Iterator[httpx.Client]:
    """Yield a client that may write; remove its records afterwards."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=open_client.base_url, headers=headers) as writer:
        yield writer
        for path in ("/monsters", "/spells"):
            for row in writer.get(f"{path}/list/raw").json():
                writer.delete(f"{path}/{row['id']}").raise_for_status()


# --- settings


def test_address_is_put_together_from_parts_whatever_the_password_holds() -> None:
    """No character of a password needs quoting, in a variable or in a file."""
    password = "p@ss:w/rd #1% x?"
    parts = {"POSTGRES_HOST": "db", "POSTGRES_DB": "dnd", "POSTGRES_USER": "u"}
    url = database_url({**parts, "POSTGRES_PASSWORD": password})
    assert (url.password, url.host, url.port, url.database) == (password, "db", 5432, "dnd")
    assert url.drivername == "postgresql+psycopg"
    assert password not in str(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_address_names_the_driver(scheme: str) -> None:
    """What hosting providers hand out works as it is."""
    url = database_url({"DATABASE_URL": f"{scheme}://u:p%40ss@db:1/dnd?sslmode=require"})
    assert url.drivername == "postgresql+psycopg"
    assert (url.password, url.query["sslmode"]) == ("p@ss", "require")


def test_a_variable_can_come_from_a_file(tmp_path: Path) -> None:
    """`NAME_FILE` gives the content without its last line break; an empty NAME is not set."""
    (tmp_path / "url").write_text("postgresql://u:p@db/dnd\n")
    environment = {"DATABASE_URL": "", "DATABASE_URL_FILE": str(tmp_path / "url")}
    assert load(environment).database.host == "db"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "POSTGRES_HOST, POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD"),
        ({"DATABASE_URL": "x", "DATABASE_URL_FILE": "y"}, "both DATABASE_URL and"),
        ({"DATABASE_URL_FILE": "/no/such/file"}, "DATABASE_URL_FILE cannot be read"),
        ({"DATABASE_URL": "s3cret"}, "DATABASE_URL is not an address"),
        ({"DATABASE_URL": "mysql://u:s3cret@db/dnd"}, "DATABASE_URL names mysql"),
        ({"DATABASE_URL": "postgres://db/d", "API_PORT": "s3cret"}, "API_PORT is not a number"),
    ],
)
def test_wrong_settings_are_named_and_never_shown(environment: Record, said: str) -> None:
    """An error holds the variable's name and not its value."""
    with pytest.raises(SettingsError, match=said) as caught:
        load(environment)
    assert "s3cret" not in str(caught.value)


# --- migrations and health


@pytest.mark.parametrize(
    ("found", "status"),
    [("", "missing"), ("a", "behind"), ("bc", "behind"), ("c", "ok"), ("x", "ok"), ("cx", "ok")],
)
def test_revisions_found_decide_whether_the_api_can_serve(found: str, status: str) -> None:
    """Exactly the head serves, and so does a revision that only a newer image can have brought."""
    assert judge(frozenset(found), OWN).status == status


def test_history_is_one_line_with_one_head() -> None:
    """Each revision follows the one before."""
    own = own_revisions()
    assert own.heads == {HEAD}
    assert len(own.known) == int(HEAD)


def test_health_follows_the_schema(server: Server) -> None:
    """503 with a reason until the schema is there; 200 at head, and ahead of it, for rollbacks."""
    url = create_database(server, "followed")
    with running(url) as client, psycopg.connect(url, autocommit=True) as connection:

        def health() -> tuple[int, Record]:
            answer = client.get("/health")
            return answer.status_code, answer.json()

        code, body = health()
        assert (code, body["status"], body["revision"]) == (503, "missing", None)
        assert "run the migrations" in body["reason"]

        command.upgrade(alembic(url), "0002")
        code, body = health()
        assert (code, body["status"], body["revision"]) == (503, "behind", "0002")
        assert body["reason"] == f"schema is behind: found 0002, expected {HEAD}"

        command.upgrade(alembic(url), "head")
        assert health() == (200, {"status": "ok", "revision": HEAD, "version": "dev"})
        assert client.post("/spells", json=FIREBALL).status_code == 201, "no token is set"

        connection.execute("UPDATE alembic_version SET version_num = 'f00'")
        code, body = health()
        assert (code, body["status"], body["revision"]) == (200, "ok", "f00")
        assert body["note"] == "schema is ahead: f00 is not known here"

        connection.execute("DELETE FROM alembic_version")
        assert health()[0] == 503

        with psycopg.connect(server.url(), autocommit=True) as other:
            other.execute("DROP DATABASE followed WITH (FORCE)")
        code, body = health()
        assert (code, body["status"]) == (503, "unreachable")
        assert PASSWORD not in str(body)


def test_migrations_move_the_data_and_can_be_taken_back(server: Server, migrated: str) -> None:
    """Rows written before a revision are right after it, and again after down and up."""
    url = create_database(server, "moved", template=migrated)
    command.downgrade(alembic(url), "0005")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO monsters (slug, hp, ac, type, size, cr, speed) VALUES
                ('bat', 1, 12, 'beast', ' Tiny', '0', '5 ft., fly 30 ft.'),
                ('imp', 10, 13, 'fiend', 'Tiny', '1/8', 'fly 40 ft. (hover), swim 20 ft.'),
                ('rat', 1, 10, 'beast', 'TINY', null, null)
            """
        )
        connection.execute(
            "INSERT INTO spells (slug, school, level, duration)"
            " VALUES ('bane', 'Enchantment ', 1, 'Concentration, up to 1 minute')"
        )
        command.upgrade(alembic(url), "0008")
        connection.execute("""UPDATE monsters SET senses = '{"darkvision": "60 ft.", "pp": 9}'""")
        moved = (
            "SELECT slug, size::text, cr::float, speed_walk, speed_fly, speed_swim, is_flying,"
            " darkvision_range, senses FROM monsters ORDER BY slug"
        )
        expected = [
            ("bat", "tiny", 0.0, 5, 30, None, True, 60, {"pp": 9}),
            ("imp", "tiny", 0.125, None, 40, 20, True, 60, {"pp": 9}),
            ("rat", "tiny", None, None, None, None, False, 60, {"pp": 9}),
        ]
        for _ in range(2):
            command.upgrade(alembic(url), "head")
            assert connection.execute(moved).fetchall() == expected
            school = "SELECT school, concentration FROM spells"
            assert connection.execute(school).fetchall() == [("enchantment", True)]
            command.downgrade(alembic(url), "0008")
        ratings = "SELECT cr, speed FROM monsters ORDER BY slug"
        assert connection.execute(ratings).fetchall() == [
            ("0", "5 ft., fly 30 ft."),
            ("1/8", "fly 40 ft., swim 20 ft."),
            (None, None),
        ]


def test_everything_can_be_taken_back_and_the_models_are_the_head(
    server: Server, migrated: str
) -> None:
    """`downgrade base` leaves nothing; after `upgrade head`, `alembic check` finds no difference."""
    url = create_database(server, "emptied", template=migrated)
    command.downgrade(alembic(url), "base")
    with psycopg.connect(url) as connection:
        left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert {name for (name,) in connection.execute(left)} <= {
            "alembic_version",
            "alembic_version_pkc",
        }
        assert (
            connection.execute("SELECT 1 FROM pg_type WHERE typname = 'monster_size'").rowcount == 0
        )
    command.upgrade(alembic(url), "head")
    command.check(alembic(url))  # raises where there is one
    with psycopg.connect(url) as connection:
        valid = "SELECT bool_and(indisvalid) FROM pg_index"
        assert connection.execute(valid).fetchone() == (True,)


# --- routes


@pytest.mark.parametrize(("path", "sent"), RESOURCES)
def test_records_are_written_read_and_removed(
    client: httpx.Client, path: str, sent: Record
) -> None:
    """201 with the id, the whole row in the raw list, translations apart, 204, then 404."""
    answer = client.post(path, json=sent)
    assert answer.status_code == 201
    row = answer.json()
    given = {name: value for name, value in sent.items() if name != "translations"}
    assert row.items() >= given.items()
    assert client.get(f"{path}/list/raw").json() == [row]
    assert client.get(f"{path}/{row['id']}").json() == row
    texts = client.get(f"{path}/{row['id']}/translations").json()
    assert [text["lang"] for text in texts] == ["en", "ru"]
    for text in texts:
        assert text.items() >= sent["translations"][text["lang"]].items()
    assert client.delete(f"{path}/{row['id']}").status_code == 204
    for gone in (
        client.get(f"{path}/{row['id']}"),
        client.get(f"{path}/{row['id']}/translations"),
        client.put(f"{path}/{row['id']}", json=sent),
        client.delete(f"{path}/{row['id']}"),
    ):
        assert gone.status_code == 404


@pytest.mark.parametrize(("path", "sent"), RESOURCES)
def test_put_sets_every_field_and_the_languages_it_names(
    client: httpx.Client, path: str, sent: Record
) -> None:
    """A field left out goes back to its default; a language left out stays."""
    row = client.post(path, json={**sent, "source": "SRD"}).json()
    english = {"en": {"name": "Changed", "description": "Anew."}}
    answer = client.put(f"{path}/{row['id']}", json={**sent, "translations": english})
    assert answer.status_code == 200
    assert answer.json() == {**row, "source": None}
    assert client.get(f"{path}/{row['id']}").json() == {**row, "source": None}
    texts = client.get(f"{path}/{row['id']}/translations").json()
    assert [text["name"] for text in texts] == ["Changed", sent["translations"]["ru"]["name"]]


@pytest.mark.parametrize(("path", "sent"), RESOURCES)
def test_a_slug_can_be_there_twice(client: httpx.Client, path: str, sent: Record) -> None:
    """The API neither upserts nor refuses: the raw list has both, the older one first."""
    ids = [client.post(path, json=sent).json()["id"] for _ in range(2)]
    assert [row["id"] for row in client.get(f"{path}/list/raw").json()] == ids


@pytest.mark.parametrize(("path", "sent"), RESOURCES)
@pytest.mark.parametrize("description", ["", None])
def test_a_translation_without_description_is_dropped_without_a_word(
    client: httpx.Client, path: str, sent: Record, description: str | None
) -> None:
    """The answer is 201 all the same; what was there before stays as it was."""
    english = sent["translations"]["en"]
    emptied = {**sent["translations"]["ru"], "description": description}
    answer = client.post(path, json={**sent, "translations": {"en": english, "ru": emptied}})
    assert answer.status_code == 201
    texts = f"{path}/{answer.json()['id']}/translations"
    assert [text["lang"] for text in client.get(texts).json()] == ["en"]
    again = {**sent, "translations": {"en": {**english, "description": description}}}
    assert client.put(f"{path}/{answer.json()['id']}", json=again).status_code == 200
    assert client.get(texts).json()[0]["description"] == english["description"]


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/monsters", {**GOBLIN, "hitpoints": 7}, 422),
        ("/monsters", {**GOBLIN, "hp": "7"}, 422),
        ("/monsters", {**GOBLIN, "hp": 2**31}, 422),
        ("/monsters", {**GOBLIN, "size": "Small"}, 422),
        ("/monsters", {**GOBLIN, "languages": None}, 422),
        ("/monsters", {**GOBLIN, "type": "nul \0"}, 422),
        ("/monsters", {**GOBLIN, "translations": {"eng": {"name": "Goblin"}}}, 422),
        ("/monsters", {**GOBLIN, "translations": {"en": {"name": "Goblin", "tale": "…"}}}, 422),
        ("/monsters", {**GOBLIN, "habitat_id": 4711}, 409),
        ("/monsters", {name: GOBLIN[name] for name in GOBLIN if name != "slug"}, 422),
        ("/spells", {**FIREBALL, "colour": "red"}, 422),
        ("/spells", {**FIREBALL, "school": "pyromancy"}, 422),
        ("/spells", {**FIREBALL, "level": 10}, 422),
        ("/spells", {**FIREBALL, "components": {"v": True, "x": True}}, 422),
    ],
)
def test_what_does_not_fit_is_refused(
    client: httpx.Client, path: str, sent: Record, status: int
) -> None:
    """Unknown fields, other types and values out of range are the sender's fault; nothing stays."""
    assert client.post(path, json=sent).status_code == status
    assert client.get(f"{path}/list/raw").json() == []


def test_writing_needs_the_token_where_one_is_set(
    open_client: httpx.Client, client: httpx.Client
) -> None:
    """401 without it or with another one; reading needs none."""
    row = client.post("/spells", json=FIREBALL).json()
    path = f"/spells/{row['id']}"
    for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": TOKEN}):
        refused = [
            open_client.post("/spells", json=FIREBALL, headers=headers),
            open_client.put(path, json=FIREBALL, headers=headers),
            open_client.delete(path, headers=headers),
        ]
        assert [answer.status_code for answer in refused] == [401, 401, 401]
    assert open_client.get("/spells/list/raw").json() == [row]
    assert open_client.get("/health").json()["version"] == "1.2.3"


def test_search_finds_by_name_likeness_and_slug_in_one_language(client: httpx.Client) -> None:
    """Best first, with name and description; another language's names are not looked at."""
    hobgoblin = {"en": {"name": "Hobgoblin", "description": "Drilled."}}
    client.post("/monsters", json={**GOBLIN, "slug": "hob", "translations": hobgoblin})
    client.post("/monsters", json=GOBLIN)

    def names(**query: str | int) -> list[str]:
        answer = client.get("/monsters", params=query).raise_for_status()
        return [found["name"] for found in answer.json()]

    assert names(q="goblin") == ["Goblin", "Hobgoblin"]
    assert names(q="goblin", limit=1) == ["Goblin"]
    assert names(q="goblim") == ["Goblin"], "a slip of the finger"
    assert names(q="hob", lang="en") == ["Hobgoblin"]
    assert names(q="Гобл", lang="ru") == ["Гоблин"]
    assert names(q="goblin", lang="ru") == ["Гоблин"], "by slug"
    assert names(q="%") == []
    found = client.get("/monsters", params={"q": "Goblin", "limit": 1}).json()[0]
    assert (found["description"], found["hp"], found["lang"]) == ("Small and mean.", 7, "en")
    assert client.get("/monsters", params={"lang": "en"}).status_code == 422


def test_texts_are_read_in_one_language_or_in_all(server: Server, client: httpx.Client) -> None:
    """What was seeded into the tables comes out, synonyms as a list."""
    with psycopg.connect(server.url("served"), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO ui_translations (namespace, key, lang, text)"
            " VALUES ('bot', 'hello', 'en', 'Hello'), ('bot', 'hello', 'ru', 'Привет')"
        )
        connection.execute(
            "INSERT INTO enum_translations (enum_type, enum_value, lang, label, synonyms)"
            " VALUES ('size', 'tiny', 'en', 'Tiny', '{small,wee}')"
        )
    russian = client.get("/ui-translations", params={"lang": "ru"}).json()
    assert [row["text"] for row in russian] == ["Привет"]
    assert len(client.get("/ui-translations").json()) == 2
    assert client.get("/enum-translations", params={"lang": "en"}).json() == [
        {
            "id": 1,
            "enum_type": "size",
            "enum_value": "tiny",
            "lang": "en",
            "label": "Tiny",
            "description": None,
            "synonyms": ["small", "wee"],
        }
    ]


@pytest.mark.parametrize(
    ("resource", "schema"), [("monster", MonsterIn), ("spell", SpellIn)], ids=["m", "s"]
)
def test_the_seed_files_fit(resource: str, schema: type[MonsterIn | SpellIn]) -> None:
    """The API takes every record of the example's seeds, texts nested as the manifest says."""
    seeds = json.loads((EXAMPLE / "seeds" / f"seed_data_{resource}s.json").read_text())
    for record in seeds[f"{resource}s"]:
        texts = {
            text.pop("lang"): text
            for text in seeds[f"{resource}_translations"]
            if text.get(f"{resource}_slug") == record["slug"] and text.pop(f"{resource}_slug")
        }
        record.pop("habitat_slug", None)
        schema.model_validate({**record, "translations": texts})
