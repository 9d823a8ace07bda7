"""Errors of a connection: what a person can do about them."""

from __future__ import annotations

import psycopg
import pytest

from compose_init.database.connection import connect, translate_lost_connection
from compose_init.database.url import from_variables
from compose_init.errors import CredentialsRefused, SettingsError


@pytest.mark.parametrize(("password", "named"), [('"secret"', True), ("secret", False)])
def test_a_refused_password_in_quotes(
    monkeypatch: pytest.MonkeyPatch, password: str, named: bool
) -> None:
    """As `docker run --env-file` passes it on; the password itself is not shown."""

    def refuse(**_: object) -> None:
        raise psycopg.OperationalError('FATAL: password authentication failed for user "app"')

    monkeypatch.setattr(psycopg, "connect", refuse)
    parts = {"POSTGRES_HOST": "db", "POSTGRES_USER": "app", "POSTGRES_PASSWORD": password}
    database = from_variables(parts)
    assert database is not None
    with pytest.raises(CredentialsRefused) as raised:
        connect(database)
    assert ("begins and ends with a quote" in str(raised.value)) is named
    assert "secret" not in str(raised.value)


def test_a_ledger_that_somebody_has_changed(database: str) -> None:
    """It is said of the ledger alone; anything else that is not there is a defect of ours."""
    with psycopg.connect(database, autocommit=True) as connection:
        with (
            pytest.raises(SettingsError, match="compose_init is not as"),
            translate_lost_connection(),
        ):
            connection.execute("SELECT digests FROM compose_init.source")
        with pytest.raises(psycopg.errors.UndefinedTable), translate_lost_connection():
            connection.execute("SELECT FROM nowhere")
