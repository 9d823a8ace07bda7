"""Flask-Migrate: its own folder, its own env.py, and the application that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.environments import Environment
from tests.support.schema_dump import at, dump

pytestmark = [pytest.mark.slow, pytest.mark.histories]

APPLICATION = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
address = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
app.config["SQLALCHEMY_DATABASE_URI"] = address
db = SQLAlchemy(app)

class Monster(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False, index=True)

Migrate(app, db)
"""


def test_the_same_as_flask_db_upgrade(
    environment: Callable[[str], Environment],
    new_database: Callable[..., str],
) -> None:
    """`flask db init` and `migrate` make it; compose-init leaves what `flask db upgrade` leaves."""
    there = environment("flask")
    expected, found = new_database(), new_database()
    (there.home / "app.py").write_text(APPLICATION)
    for words in (("init",), ("migrate", "-m", "monsters"), ("upgrade",)):
        own = there.run({"DATABASE_URL": expected}, "flask", "db", *words)
        assert own.code == 0, own.said

    environ = {"DATABASE_URL": found, "ALEMBIC_CONFIG": "migrations"}
    run = there.init(environ, "--migrate-only")
    assert run.code == 0, run.said
    assert at(found) == at(expected)
    assert dump(found) == dump(expected)
    assert there.init(environ, "--migrate-only").names() == ["nothing to do"]


def test_an_application_that_cannot_be_loaded(
    environment: Callable[[str], Environment],
    new_database: Callable[..., str],
) -> None:
    """70, with what to set; nothing is migrated."""
    there = environment("flask")
    migrations = there.home / "migrations"
    (migrations / "versions").mkdir(parents=True)
    (migrations / "env.py").write_text("from flask import current_app\ncurrent_app.name\n")
    run = there.init(
        {"DATABASE_URL": new_database(), "ALEMBIC_CONFIG": str(Path("migrations"))},
        "--migrate-only",
    )
    assert run.code == 70
    assert "set FLASK_APP" in run.said


def test_an_application_in_another_file(
    environment: Callable[[str], Environment],
    new_database: Callable[..., str],
) -> None:
    """`FLASK_APP` names it, as for `flask db upgrade`."""
    there = environment("flask")
    (there.home / "web.py").write_text(APPLICATION)
    environ = {"FLASK_APP": "web", "ALEMBIC_CONFIG": "migrations"}
    for words in (("init",), ("migrate", "-m", "monsters")):
        own = there.run({**environ, "DATABASE_URL": new_database()}, "flask", "db", *words)
        assert own.code == 0, own.said
    run = there.init({**environ, "DATABASE_URL": new_database()}, "--migrate-only")
    assert run.code == 0, run.said
    assert run.events[-1]["revisions"] == 1


FACTORY = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()

def create_app(prefix):
    app = Flask(__name__)
    address = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
    app.config.update(SQLALCHEMY_DATABASE_URI=address, PREFIX=prefix)
    db.init_app(app)
    Migrate(app, db)
    return app
"""


def test_a_factory_whose_revisions_need_the_application(
    environment: Callable[[str], Environment],
    new_database: Callable[..., str],
) -> None:
    """As `flask db upgrade`: `.flaskenv` names the factory, and a revision asks for the application as it is loaded."""
    there = environment("flask")
    expected, found = new_database(), new_database()
    (there.home / "web.py").write_text(FACTORY)
    (there.home / ".flaskenv").write_text("FLASK_APP=web:create_app('shop')\n")
    for words in (("init",), ("revision", "-m", "first")):
        assert there.run({"DATABASE_URL": expected}, "flask", "db", *words).code == 0
    path = next((there.home / "migrations" / "versions").glob("*.py"))
    text = path.read_text().replace(
        "from alembic import op",
        "from alembic import op\nfrom flask import current_app\nNAME = current_app.config['PREFIX']",
    )
    path.write_text(text.replace("    pass", "    op.create_table(NAME)", 1))
    own = there.run({"DATABASE_URL": expected}, "flask", "db", "upgrade")
    assert own.code == 0, own.said
    environ = {"DATABASE_URL": found, "ALEMBIC_CONFIG": "migrations"}
    assert there.init(environ, "--plan").code == 2
    run = there.init(environ, "--migrate-only")
    assert run.code == 0, run.said
    assert "CREATE TABLE public.shop" in dump(found)
    assert dump(found) == dump(expected)
    assert there.init(environ, "--migrate-only").names() == ["nothing to do"]
