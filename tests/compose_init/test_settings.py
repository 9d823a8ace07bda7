"""Settings: from the environment alone, every fault at once, never a secret."""

from __future__ import annotations

from pathlib import Path

import psycopg.conninfo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from compose_init.errors import SettingsError
from compose_init.settings import KNOWN, OAuth, read

ADDRESS = {"DATABASE_URL": "postgresql://app:secret@db:5433/shop"}
HARD = "p@ss:w/rd #1% é?&=+"


def faults(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as raised:
        read(environ)
    assert raised.value.exit_code == 78
    return str(raised.value)


def test_address_as_a_url() -> None:
    """Every part of the URL reaches libpq and SQLAlchemy, the driver named."""
    database = read(ADDRESS).need_database()
    assert database.parameters == {
        "host": "db",
        "port": "5433",
        "dbname": "shop",
        "user": "app",
        "password": "secret",
    }
    assert database.sqlalchemy_url == "postgresql+psycopg://app:secret@db:5433/shop"


def test_address_in_parts() -> None:
    """POSTGRES_* make the same address; port and database have defaults."""
    environ = {"POSTGRES_HOST": "db", "POSTGRES_USER": "app", "POSTGRES_PASSWORD": HARD}
    database = read(environ).need_database()
    assert database.parameters == {
        "host": "db",
        "port": "5432",
        "dbname": "app",
        "user": "app",
        "password": HARD,
    }
    assert make_url(database.sqlalchemy_url).password == HARD


def test_a_password_in_a_url_need_not_be_quoted() -> None:
    """People paste passwords as they are; the address ends at the last @."""
    database = read({"DATABASE_URL": "postgres://app:p@ss:w/rd #1%@db/shop"}).need_database()
    assert database.parameters["password"] == "p@ss:w/rd #1%"
    assert database.parameters["host"] == "db"
    assert database.parameters["dbname"] == "shop"


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_any_password_survives_both_forms(password: str) -> None:
    """What goes in as POSTGRES_PASSWORD comes out of the URL that the application gets."""
    parts = {"POSTGRES_HOST": "db", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": password}
    database = read(parts).need_database()
    assert make_url(database.sqlalchemy_url).password == password
    again = read({"DATABASE_URL": database.url}).need_database()
    assert again.parameters == database.parameters
    assert psycopg.conninfo.conninfo_to_dict(database.url)["password"] == password


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql://u@db/n?sslmode=require", {"sslmode": "require", "host": "db"}),
        ("postgresql+asyncpg://u@db/n?ssl=require", {"sslmode": "require", "host": "db"}),
        ("postgresql://u@/n?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "n"}),
        ("postgresql://u@[::1]:5433/n", {"host": "::1", "port": "5433"}),
        ("postgresql://u@a:1,b:2/n", {"host": "a,b", "port": "1,2"}),
        ("postgresql://u@db", {"dbname": "u"}),
    ],
)
def test_forms_of_the_url(url: str, parameters: dict[str, str]) -> None:
    """TLS, sockets, IPv6, several hosts, and a database named like its user."""
    found = read({"DATABASE_URL": url}).need_database().parameters
    assert {name: found.get(name) for name in parameters} == parameters


def test_the_applications_driver_is_kept() -> None:
    """An async application's env.py gets the driver that its URL names."""
    database = read({"DATABASE_URL": "postgresql+asyncpg://u:p@db/n?ssl=require"}).need_database()
    assert database.sqlalchemy_url == "postgresql+asyncpg://u:p@db:5432/n?ssl=require"


def test_every_setting_can_come_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE is read whole, but for the line's end that editors add."""
    path = tmp_path / "password"
    path.write_text(HARD + "\n", encoding="utf-8")
    environ = {"POSTGRES_HOST": "db", "POSTGRES_USER": "u", "POSTGRES_PASSWORD_FILE": str(path)}
    settings = read(environ)
    assert settings.need_database().parameters["password"] == HARD
    assert settings.file_values == {"POSTGRES_PASSWORD": HARD}
    assert HARD in settings.secrets


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors write it; it is no part of a password."""
    path = tmp_path / "password"
    path.write_bytes(b"\xef\xbb\xbf" + HARD.encode() + b"\r\n")
    environ = {"POSTGRES_HOST": "db", "POSTGRES_USER": "u", "POSTGRES_PASSWORD_FILE": str(path)}
    assert read(environ).need_database().parameters["password"] == HARD


def test_a_value_and_a_file_exclude_each_other(tmp_path: Path) -> None:
    """Nobody can tell which one is meant."""
    path = tmp_path / "password"
    path.write_text("two")
    said = faults({**ADDRESS, "API_TOKEN": "one", "API_TOKEN_FILE": str(path)})
    assert "API_TOKEN: is set, and API_TOKEN_FILE as well" in said


def test_every_fault_at_once(tmp_path: Path) -> None:
    """One start shows all that is wrong, by variable, with what to do."""
    said = faults(
        {
            "POSTGRES_PORT": "many",
            "INIT_LOCK_TIMEOUT": "soon",
            "INIT_DATABASE_TIMEOUT": "-1",
            "LOG_LEVEL": "loud",
            "LOG_JSON": "perhaps",
            "API_BASE_URL": "api:8000",
            "API_COMMAND": "run 'it",
            "API_HEADERS": "no colon here",
            "ALEMBIC_CONFIG": str(tmp_path / "none.ini"),
            "SEED_MANIFEST": str(tmp_path / "none.toml"),
            "INIT_REPORT": str(tmp_path / "none" / "report.json"),
            "API_TOKEN_FILE": str(tmp_path / "none"),
            "INIT_LOCK_TIMEOT": "3",
            "SEED_MANIFST": "x",
        }
    )
    for name in (
        "POSTGRES_HOST",
        "POSTGRES_USER",
        "POSTGRES_PORT",
        "INIT_LOCK_TIMEOUT",
        "INIT_DATABASE_TIMEOUT",
        "LOG_LEVEL",
        "LOG_JSON",
        "API_BASE_URL",
        "API_COMMAND",
        "API_HEADERS",
        "ALEMBIC_CONFIG",
        "SEED_MANIFEST",
        "INIT_REPORT",
        "API_TOKEN_FILE",
    ):
        assert f"  {name}: " in said
    assert "INIT_LOCK_TIMEOT: is not a setting; did you mean INIT_LOCK_TIMEOUT?" in said
    assert "SEED_MANIFST: is not a setting; did you mean SEED_MANIFEST?" in said


@pytest.mark.parametrize(
    "url",
    [
        "mysql://app:hunter22@db/shop",
        "app:hunter22@db",
        "postgresql://app:hunter22@db:port/shop",
        "postgresql://app:hunter22",
    ],
)
def test_a_wrong_address_never_shows_its_password(url: str) -> None:
    """A fault names the variable, never the secret in it."""
    assert "hunter22" not in faults({"DATABASE_URL": url})


def test_no_address_at_all() -> None:
    """The message says which variables to set; offline checks need none."""
    assert "POSTGRES_HOST" in faults({})
    assert read({}, offline=True).database is None


def test_empty_counts_as_not_set() -> None:
    """Compose passes an empty value for `${NAME:-}`."""
    empty = dict.fromkeys([*KNOWN, *(f"{name}_FILE" for name in KNOWN)], "")
    assert read({**empty, **ADDRESS}).api is None


def test_repr_holds_no_secret() -> None:
    """A traceback that shows the settings shows no secret."""
    environ = {**ADDRESS, "API_TOKEN": "tok-123456", "API_BASE_URL": "http://api"}
    shown = repr(read(environ))
    assert "secret" not in shown.replace("secrets", "")
    assert "tok-123456" not in shown


def test_headers_and_token() -> None:
    """One header a line; the token is a bearer's."""
    environ = {
        **ADDRESS,
        "API_BASE_URL": "http://api:8000/",
        "API_HEADERS": "X-Tenant: blue\nX-Key: k1234",
        "API_TOKEN": "t1234",
    }
    api = read(environ).api
    assert api is not None
    assert api.base_url == "http://api:8000"
    assert api.headers == {"X-Tenant": "blue", "X-Key": "k1234"}
    assert (api.token, api.token_file, api.oauth) == ("t1234", None, None)


def test_a_login_in_the_apis_address_is_a_secret() -> None:
    """An API's next page is at the same address, and messages name it."""
    assert "hunter22" in read({**ADDRESS, "API_BASE_URL": "http://me:hunter22@api:8000"}).secrets


def test_other_secrets_of_the_environment() -> None:
    """A header's token without its scheme, the login of a proxy, passwords for libpq."""
    environ = {
        **ADDRESS,
        "API_BASE_URL": "http://api:8000",
        "API_HEADERS": "Authorization: Token abc.def",
        "https_proxy": "http://me:proxy-pass@proxy:3128",
        "PGSSLPASSWORD": "key-pass",
    }
    expected = {"Token abc.def", "abc.def", "proxy-pass", "key-pass"}
    assert expected <= set(read(environ).secrets)


OAUTH = {
    **ADDRESS,
    "API_BASE_URL": "http://api:8000/",
    "API_OAUTH_TOKEN_URL": "https://login/token",
    "API_OAUTH_CLIENT_ID": "seeds",
    "API_OAUTH_CLIENT_SECRET": "hunter22",
}


def test_client_credentials() -> None:
    """Scope and audience are sent where they are set; the secret is one."""
    settings = read({**OAUTH, "API_OAUTH_SCOPE": "a b"})
    assert settings.api is not None
    assert settings.api.oauth == OAuth("https://login/token", "seeds", "hunter22", {"scope": "a b"})
    assert "hunter22" in settings.secrets
    assert "hunter22" not in repr(settings)


def test_one_way_to_authenticate() -> None:
    """Half of the client credentials, or two ways at once, are faults; whatever else is missing."""
    half = {name: value for name, value in OAUTH.items() if name != "API_OAUTH_CLIENT_SECRET"}
    assert "API_OAUTH_CLIENT_SECRET: is missing" in faults(half)
    alone = {**ADDRESS, "API_OAUTH_SCOPE": "a"}
    assert "API_OAUTH_TOKEN_URL: is missing" in faults(alone)
    assert "API_TOKEN: is set, and API_OAUTH_" in faults({**OAUTH, "API_TOKEN": "t1234"})
    header = {"API_HEADERS": "authorization: Basic xyz"}
    assert "API_HEADERS: has Authorization" in faults({**OAUTH, **header})
    token = {**ADDRESS, **header, "API_BASE_URL": "http://api", "API_TOKEN": "t1234"}
    assert "API_HEADERS: has Authorization" in faults(token)
    wrong = faults({**OAUTH, "API_OAUTH_TOKEN_URL": "https://seeds:hunter22@login/token"})
    assert "API_OAUTH_TOKEN_URL: must look like" in wrong
    assert "hunter22" not in wrong


def test_a_command_alone_means_loopback() -> None:
    """The temporary API is reached where uvicorn listens by default."""
    api = read({**ADDRESS, "API_COMMAND": "python -m app --port '8000'"}).api
    assert api is not None
    assert (api.base_url, api.command) == (
        "http://127.0.0.1:8000",
        ("python", "-m", "app", "--port", "8000"),
    )


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://api:port", "http://api:99999", "http://a b", "http://"]
)
def test_an_address_that_is_none_is_a_fault(address: str) -> None:
    """Half an IPv6 address, or a port that is none, is found before anything is contacted."""
    assert "API_BASE_URL: must look like" in faults({**ADDRESS, "API_BASE_URL": address})
    oauth = {**OAUTH, "API_OAUTH_TOKEN_URL": address}
    assert "API_OAUTH_TOKEN_URL: must look like" in faults(oauth)


@pytest.mark.parametrize("url", ["https://[::1/x", "https://h:port/x", "https:///x", "s3://"])
def test_a_url_of_a_manifest_that_is_none_is_a_fault(url: str) -> None:
    """Half an address, or one without a host or bucket."""
    assert "SEED_MANIFEST: " in faults({**ADDRESS, "SEED_MANIFEST": url})


def test_what_no_header_may_hold_is_a_fault() -> None:
    """It would be refused when it is sent: by a traceback, or again and again until the deadline."""
    api = {**ADDRESS, "API_BASE_URL": "http://api"}
    for token in ("s3cr3t\nx", "s3cr3t ", "s3cr3té"):
        for name in ("API_TOKEN", "SEED_HTTPS_TOKEN"):
            said = faults({**api, name: token})
            assert f"{name}: holds what no header may" in said
            assert "s3cr3t" not in said
    said = faults({**api, "API_HEADERS": "X-Good: a\nX-Key: s3cr3té"})
    assert "API_HEADERS: line 2 holds what no header may" in said
    assert "s3cr3t" not in said
    assert "line 1 must look like" in faults({**api, "API_HEADERS": "X Key: a"})
    assert "API_HEALTH_PATH: " in faults({**api, "API_HEALTH_PATH": "/health\n"})


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "POSTGRES_PASSWORD", "LOG_LEVEL", "SEED_MANIFEST"]
)
def test_bytes_that_are_no_text_are_a_fault(name: str) -> None:
    """Python hands them on as surrogates, which neither a log nor PostgreSQL takes."""
    said = faults({"POSTGRES_HOST": "db", "POSTGRES_USER": "u", name: "abcd\udcff"})
    assert said.splitlines()[1:] == [f"  {name}: holds bytes that are not UTF-8 text"]


def test_a_place_that_nobody_may_look_at_is_not_passed_over() -> None:
    """Who reads the manifest says why it cannot be read; a name that is too long stands for a closed folder."""
    long = "x" * 5000
    manifest = read({**ADDRESS, "SEED_MANIFEST": long}).manifest
    assert manifest is not None
    assert manifest.endswith(long)
    assert "cannot be read" in faults({**ADDRESS, "ALEMBIC_CONFIG": long})


def test_a_report_is_no_folder(tmp_path: Path) -> None:
    """Found before the run, and not when all is done."""
    assert "INIT_REPORT: " in faults({**ADDRESS, "INIT_REPORT": str(tmp_path)})


def test_passwords_in_the_query_are_secrets() -> None:
    """PostgreSQL's own library takes them there as well."""
    url = "postgresql://h/n?user=u&password=hunter%2022&sslpassword=key-pass"
    assert {"hunter 22", "key-pass"} <= set(read({"DATABASE_URL": url}).secrets)


def test_a_port_is_a_number_in_ascii() -> None:
    """Python calls a superscript a digit, and cannot read it as a number."""
    assert "DATABASE_URL: the port must be" in faults({"DATABASE_URL": "postgresql://h:²/n"})


PARTS = {"POSTGRES_HOST": "db", "POSTGRES_USER": "app"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_PORT", '"5432"'),
        ("POSTGRES_HOST", "'db'"),
        ("POSTGRES_DB", '"app"'),
        ("INIT_API_TIMEOUT", '"60"'),
        ("LOG_JSON", "'true'"),
        ("API_BASE_URL", '"http://api:8000"'),
        ("API_COMMAND", '"python -m api"'),
        ("ALEMBIC_CONFIG", '"/app/alembic.ini"'),
    ],
)
def test_quotes_that_are_part_of_a_value(name: str, value: str) -> None:
    """As `docker run --env-file` passes them on; the value is shown."""
    said = faults({**PARTS, name: value})
    assert f"{name}: " in said
    assert "the value is in quotes, and they are a part of it: remove them" in said


def test_quotes_around_an_address_show_no_password() -> None:
    """Where the address is wrong for its quotes."""
    said = faults({"DATABASE_URL": '"postgresql://app:hunter22@db/shop"'})
    assert "DATABASE_URL: must look like" in said
    assert "the value is in quotes" in said
    assert "hunter22" not in said


def test_quotes_that_are_meant() -> None:
    """A password, the words of a command, free text; and what does not count beside DATABASE_URL."""
    found = read(
        {
            **PARTS,
            "POSTGRES_PASSWORD": '"secret"',
            "API_COMMAND": "'/my app/run' \"a b\"",
            "LOG_SERVICE_NAME": '"init"',
        }
    )
    assert found.need_database().parameters["password"] == '"secret"'
    assert found.api is not None
    assert found.api.command == ("/my app/run", "a b")
    assert read({**ADDRESS, "POSTGRES_PORT": '"5432"'}).database is not None
