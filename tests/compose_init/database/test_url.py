"""The application's own address: what works with Alembic's command works here."""

from __future__ import annotations

import psycopg
import pytest
from alembic.config import Config
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from compose_init.database.url import from_parameters, from_url
from tests.compose_init.migrations.test_upgrade import SYNC, TWO, history
from tests.support.programs import Program

OWN = """
import os
from alembic import context
context.config.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])
"""


@pytest.mark.parametrize("password", ["Sup3r!secret", "a^b|c {d}$", "x'(y)*,;=&~", "p+q"])
@pytest.mark.parametrize("driver", ["", "+psycopg", "+asyncpg"])
def test_a_password_is_given_as_it_was(password: str, driver: str) -> None:
    """Nothing is quoted that every program reads as it is: set_main_option() takes no %."""
    url = from_url(f"postgresql{driver}://app:{password}@postgres/app")
    assert url.parameters["password"] == password
    assert make_url(url.application_url).password == password
    Config().set_main_option("sqlalchemy.url", url.application_url)


@pytest.mark.parametrize(
    "login", ["a:p@ss", "a:p/w", "a:p#w", "a:p?w", "a:p%2fw", "a%40b:c", "a:[x"]
)
def test_what_must_be_quoted_is(login: str) -> None:
    """As it was given, some programs would read another password or none."""
    url = from_url(f"postgresql://{login}@postgres/app")
    read = make_url(url.application_url)
    assert (read.username, read.password) == (
        url.parameters["user"],
        url.parameters["password"],
    )
    assert (read.host, read.database) == ("postgres", "app")


def test_a_password_of_its_own_variable() -> None:
    """It is quoted no more than it must be."""
    parts = {"host": "postgres", "user": "app", "password": "Sup3r!secret"}
    assert from_parameters(parts).url == "postgresql://app:Sup3r!secret@postgres/"


@pytest.mark.parametrize(
    "parameter", ["prepared_statement_cache_size=0", "command_timeout=60", "direct_tls=x"]
)
def test_parameters_of_a_driver_are_left_to_it(parameter: str) -> None:
    """Libpq does not know them, and the application's driver gets them."""
    url = from_url(f"postgresql+asyncpg://a:b@postgres/app?{parameter}&ssl=prefer")
    assert url.parameters.keys() == {"host", "port", "dbname", "user", "password", "sslmode"}
    query = make_url(url.sqlalchemy_url).query
    assert "&".join(f"{name}={value}" for name, value in query.items()) == f"{parameter}&ssl=prefer"


def test_a_parameter_of_no_driver(program: Program) -> None:
    """Without a driver all are libpq's: 78 with the name."""
    url = program.environ["DATABASE_URL"] + "?command_timeout=60"
    run = program.with_(DATABASE_URL=url).run("--wait-only")
    assert run.code == 78
    assert "command_timeout" in run.said


def test_an_env_py_that_sets_the_url(program: Program) -> None:
    """As Alembic takes it, with a password of other characters than letters."""
    url = program.environ["DATABASE_URL"]
    role = sql.Identifier(f"{conninfo_to_dict(url)['dbname']}_own")
    with psycopg.connect(url, autocommit=True) as connection:
        create = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD 'Sup3r!secret'")
        connection.execute(create.format(role))
        try:
            place = url.partition("@")[2].replace("localhost", "127.0.0.1")
            own = f"postgresql+psycopg://{role.as_string()[1:-1]}:Sup3r!secret@{place}"
            run = history(program, TWO, OWN + SYNC.replace("import os", ""), DATABASE_URL=own).run()
            assert run.code == 0, run.said
        finally:
            connection.execute(sql.SQL("REASSIGN OWNED BY {} TO postgres").format(role))
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))
