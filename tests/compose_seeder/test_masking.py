"""Secrets in text, replaced in every form."""

from __future__ import annotations

import configparser
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from compose_seeder.errors import quote as quote_in_message
from compose_seeder.masking import SecretMask

QUOTES = re.compile(r"[\\'\"]")
"""Which of them a form has depends on the secret."""

PASSWORD = 'S3cr3t@pw/x#1 %q"z'


def sqlalchemy(secret: str) -> str:
    url = URL.create("postgresql", "user", secret, "host", 5432, "name")
    return url.render_as_string(hide_password=False)


def sql(secret: str) -> str:
    return "ALTER ROLE a PASSWORD '" + secret.replace("'", "''") + "'"


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "urllib": quote,
    "urllib, every character": lambda secret: quote(secret, safe=""),
    "urllib, a form": quote_plus,
    "small hexadecimals": lambda secret: re.sub(
        "%..", lambda found: found[0].lower(), quote(secret, safe="")
    ),
    "SQLAlchemy": sqlalchemy,
    "SQLAlchemy, for set_main_option": lambda secret: sqlalchemy(secret).replace("%", "%%"),
    "for set_main_option": lambda secret: secret.replace("%", "%%"),
    "for set_main_option and a driver": lambda secret: secret.replace("%", "%%%%"),
    "quoted twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "libpq": lambda secret: make_conninfo(password=secret),
    "SQL": sql,
    "repr": repr,
    "repr of bytes": lambda secret: repr(secret.encode()),
    "repr of a list with its repr": lambda secret: repr([repr(secret)]),
    "JSON": json.dumps,
    "JSON, as it is": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON in JSON": lambda secret: json.dumps({"body": json.dumps({"token": secret})}),
    "JSON with escaped slashes": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "HTML": html.escape,
    "one line": quote_in_message,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "secret", [PASSWORD, "a'b\\c%25d\te  f", "pä ß&<wörd>", "100%%sure{}", "🔑+key=="]
)
def test_every_form(form: str, secret: str) -> None:
    """No part of it is left, and what stands around it is."""
    masked = SecretMask({secret})(f"before <{FORMS[form](secret)}> after")
    expected = f"before <{FORMS[form]('plainsecret')}> after".replace("plainsecret", "***")
    assert QUOTES.sub("", masked) == QUOTES.sub("", expected)


@given(
    secret=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=30),
    form=st.sampled_from(["urllib", "JSON", "SQLAlchemy", "repr", "JSON in JSON"]),
)
def test_any_secret(secret: str, form: str) -> None:
    masked = SecretMask({secret})(FORMS[form](secret))
    assert "***" in masked
    assert secret not in masked


def test_what_a_parser_takes_out_of_it() -> None:
    """What follows a percent sign, for configparser; what stands before an @, for a parser of URLs."""
    parser = configparser.ConfigParser()
    parser["alembic"] = {}
    with pytest.raises(ValueError, match="invalid interpolation syntax") as raised:
        parser.set("alembic", "url", f"postgresql://u:{PASSWORD}@host")
    assert "%q" not in SecretMask({PASSWORD})(str(raised.value))
    assert SecretMask({PASSWORD})("host 'S3cr3t'") == "host '***'"


def test_what_is_cut_off() -> None:
    """A message shows the beginning of a long text: not that of a secret in it."""
    mask = SecretMask({"hunter2secretvalue"})
    assert mask(quote_in_message("token hunter2secretvalue", 14)) == "token ***…"
    assert mask("hunter hunt… hun") == "hunter ***… hun"


def test_a_secret_in_another_one() -> None:
    """The longer one goes first: no rest of it stays."""
    assert SecretMask({"hunter", "hunter22"})("hunter22 hunter") == "*** ***"


def test_a_short_secret_stays() -> None:
    """It would mask ordinary words."""
    assert SecretMask({"abc"})("abc") == "abc"


def test_the_words_of_a_long_one_stay() -> None:
    """A key in a file of its own has many."""
    key = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN\\nabc"\n}'
    mask = SecretMask({key})
    assert mask('{"type": "table"}') == '{"type": "table"}'
    assert mask(f"bad: {key}") == mask(f"bad: {json.dumps(key)[1:-1]}") == "bad: ***"


def test_a_url_that_is_a_secret() -> None:
    """Its password is masked however parsers cut it; its user, host and database are no secrets."""
    mask = SecretMask(["postgresql://user_1:S3cr3t/passw0rd#45@db_host_1:5432/data_base_1"])
    said = "port 'S3cr3t' of 'passw0rd', database data_base_1 of user_1 on db_host_1"
    assert mask(said) == "port '***' of '***', database data_base_1 of user_1 on db_host_1"
