"""The fast path: quick where nothing is to be done, and never wrong about that."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose_init import up_to_date
from compose_init.errors import InitError
from compose_init.last_run import NOTHING
from compose_init.output.progress import LogProgress
from compose_init.phases.options import RunOptions
from compose_init.run import Run
from compose_init.settings import KNOWN, read
from compose_seeder.errors import SeedError
from examples.postgres import Server
from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.forks import BASE
from tests.support.programs import ROOT, Program, write_history

HEAVY = {
    *("alembic", "sqlalchemy", "httpx", "pydantic", "pydantic_settings", "msgspec", "rich"),
    *("tenacity", "obstore", "jsonschema_rs"),
}
TABLES = (
    "op.execute('CREATE TABLE texts (slug text, value text)'); "
    "op.execute('CREATE TABLE others (slug text)')"
)
MANIFEST = """
[[dataset]]
name = "texts"
source = "texts/*.json"
table = "texts"
key = ["slug"]
env = ["OWNER"]
"""
OTHER = """
[[dataset]]
name = "others"
source = "others.json"
table = "others"
key = ["slug"]
"""
RECORD = '[{"slug": "%s", "value": "${env:OWNER}"}]'


@dataclass
class Place:
    """A folder and a database that a complete run has left, and the variables of that run."""

    server: Server
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def fill(self) -> None:
        """Write all files anew; other ones are removed."""
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "seeds" / "texts").mkdir(parents=True)
        write_history(self.home, {"one": TABLES, "two": "pass"}, env=SYNC)
        self.write("seeds/seeds.toml", MANIFEST)
        self.write("seeds/texts/a.json", RECORD % "a")
        self.write("seeds/texts/b.json", RECORD % "b")
        self.write("service", "from-file\n")
        self.environ = {
            "DATABASE_URL": self.server.url("fast"),
            "ALEMBIC_CONFIG": str(self.home / "alembic.ini"),
            "SEED_MANIFEST": str(self.home / "seeds" / "seeds.toml"),
            "LOG_SERVICE_NAME_FILE": str(self.home / "service"),
            "INIT_DATABASE_TIMEOUT": "5",
            "INIT_LOCK_TIMEOUT": "2",
            "OWNER": "ann",
            "HOME": "/root",
        }

    def write(self, name: str, text: str) -> None:
        """Write one file."""
        (self.home / name).write_text(text)

    def execute(self, statement: str, database: str = "fast") -> None:
        """Execute a statement that somebody types by hand."""
        with psycopg.connect(self.server.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def answer(self, *words: str) -> bool:
        """Ask the fast path."""
        return up_to_date.answer(words, self.environ)

    def whole(self, options: RunOptions | None = None) -> str:
        """Run the whole program; its outcome."""
        run = Run(read(self.environ), options or RunOptions(), LogProgress(), lambda: None)
        outcome = run.execute().outcome
        return "ahead" if run.report.ahead else outcome


Step = Callable[[Place], object]


def edit(name: str, text: str) -> Step:
    """Write a file, and its folder."""
    return lambda place: place.write(name, text)


def remove(name: str) -> Step:
    """Remove a file."""
    return lambda place: (place.home / name).unlink(missing_ok=True)


def by_hand(statement: str) -> Step:
    """Change the database."""

    def step(place: Place) -> None:
        with suppress(psycopg.Error):  # a step before may have removed what it changes
            place.execute(statement)

    return step


def run(place: Place) -> None:
    """Run the whole program in between; it may end in an error."""
    with suppress(InitError, SeedError):
        place.whole()


def set_variable(name: str, text: str | None) -> Step:
    """Set a variable, or take it away."""

    def step(place: Place) -> None:
        if text is None:
            place.environ.pop(name, None)
        else:
            place.environ[name] = text

    return step


VARIABLES = st.builds(
    set_variable,
    st.sampled_from(
        [*KNOWN, *(f"{name}_FILE" for name in KNOWN), "OWNER", "OWNER_FILE", "INIT_X", "HOME"]
    ),
    st.sampled_from(
        [None, "", "x", "1", "true", "DEBUG", "/nowhere", "http://api", "x\n", "\udcff"]
    ),
)
FILES = st.sampled_from(
    [
        edit("alembic.ini", "[alembic]\nscript_location = elsewhere\n"),
        edit("migrations/env.py", SYNC + "\n# edited"),
        edit("migrations/versions/two.py", "raise RuntimeError"),
        edit(
            "migrations/versions/three.py",
            'revision = "three"\ndown_revision = "two"\ndef upgrade(): pass\n',
        ),
        remove("migrations/versions/two.py"),
        remove("migrations/env.py"),
        remove("alembic.ini"),
        edit("seeds/seeds.toml", MANIFEST + 'on_drift = "overwrite"\n'),
        edit("seeds/seeds.toml", "what is this"),
        remove("seeds/seeds.toml"),
        edit("seeds/texts/a.json", RECORD % "changed"),
        edit("seeds/texts/a.json", "["),
        edit("seeds/texts/c.json", RECORD % "c"),
        edit("seeds/texts/c.txt", "matches nothing"),
        remove("seeds/texts/b.json"),
        edit("service", "another\n"),
        edit("service", "\n"),
        remove("service"),
    ]
)
ANOTHER_TABLE = "DROP TABLE texts; CREATE TABLE texts (slug text, value text)"
HANDS = st.sampled_from(
    [
        by_hand("UPDATE alembic_version SET version_num = 'one'"),
        by_hand("UPDATE alembic_version SET version_num = 'unknown'"),
        by_hand("DELETE FROM alembic_version"),
        by_hand("DROP TABLE alembic_version"),
        by_hand("DROP TABLE texts"),
        by_hand(ANOTHER_TABLE),
        by_hand("ALTER TABLE texts RENAME TO moved"),
        by_hand("DROP SCHEMA compose_init CASCADE"),
        by_hand("DROP FUNCTION compose_init.current_revisions"),
        by_hand("UPDATE compose_init.phase SET version_table = 'public.t'"),
        by_hand("ALTER TABLE alembic_version RENAME TO renamed"),
        by_hand("DELETE FROM compose_init.phase WHERE name = 'seed'"),
        by_hand("DELETE FROM compose_init.phase WHERE name = 'migrate'"),
        by_hand("DELETE FROM compose_init.phase WHERE name = 'variables'"),
        by_hand("UPDATE compose_init.phase SET inputs = '{}'"),
    ]
)
STEPS = st.lists(st.one_of(VARIABLES, FILES, HANDS, st.just(run)), min_size=1, max_size=4)


@pytest.fixture(scope="module", name="place")
def _place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Complete a run, and make its database the template of others."""
    place = Place(server, tmp_path_factory.mktemp("place"))
    place.fill()
    place.execute("DROP DATABASE IF EXISTS fast_template", "postgres")
    place.execute("DROP DATABASE IF EXISTS fast", "postgres")
    place.execute("CREATE DATABASE fast", "postgres")
    assert place.whole() == "done"
    place.execute("ALTER DATABASE fast RENAME TO fast_template", "postgres")
    yield place
    place.execute("DROP DATABASE IF EXISTS fast WITH (FORCE)", "postgres")
    place.execute("DROP DATABASE fast_template", "postgres")


def again(place: Place) -> None:
    """Bring everything back to what the complete run left."""
    place.fill()
    place.execute("DROP DATABASE IF EXISTS fast WITH (FORCE)", "postgres")
    place.execute("CREATE DATABASE fast TEMPLATE fast_template", "postgres")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_it_never_says_nothing_where_there_is_something(place: Place, steps: list[Step]) -> None:
    """After any change of what a run reads: the whole program has nothing to do, and nothing to refuse."""
    again(place)
    assert place.answer()
    for step in steps:
        step(place)
        if place.answer():
            assert place.whole() == NOTHING


def test_a_changed_setting_is_seen_once(place: Place) -> None:
    """The whole program validates it and leaves the new digest; the file of a NAME_FILE counts."""
    again(place)
    for change in (
        set_variable("INIT_API_TIMEOUT", "30"),
        edit("service", "another\n"),
        set_variable("LOG_LEVEL", "warning"),
    ):
        change(place)
        assert not place.answer()
        assert place.whole() == NOTHING
        assert place.answer()


def test_a_table_that_was_made_anew_is_seeded(place: Place) -> None:
    """As after a downgrade and an upgrade by hand: nothing else has changed."""
    again(place)
    by_hand(ANOTHER_TABLE)(place)
    assert not place.answer()
    assert not place.answer("--seed-only", "--dataset", "texts")
    assert place.whole() == "done"
    with psycopg.connect(place.server.url("fast")) as connection:
        assert connection.execute("SELECT slug FROM texts ORDER BY 1").fetchall() == [
            ("a",),
            ("b",),
        ]
    assert place.answer()


TEXTS = ("--dataset", "texts")
OTHERS = ("--dataset", "others")


@pytest.mark.parametrize("flags", [(), ("--seed-only",)])
def test_a_selection_of_datasets_is_answered(place: Place, flags: tuple[str, ...]) -> None:
    """As in the first of two steps: by what the last complete run of the same datasets has left."""
    again(place)
    place.write("seeds/seeds.toml", MANIFEST + OTHER)
    place.write("seeds/others.json", '[{"slug": "a"}]')
    texts, both = ((*flags, *words) for words in (TEXTS, (*TEXTS, *OTHERS)))
    options = RunOptions(migrate=not flags, datasets=("texts",))
    assert not place.answer(*texts)
    place.whole(options)
    assert place.answer(*texts)
    assert place.answer(*TEXTS, *flags, *TEXTS)
    assert not place.answer()
    assert not place.answer(*both)
    place.whole(replace(options, datasets=("texts", "others")))
    assert place.answer(*both)
    assert place.answer(*flags, *OTHERS, *TEXTS)


@pytest.mark.parametrize("flags", [(), ("--seed-only",)])
def test_a_selection_is_looked_at_again_where_its_datasets_may_have_changed(
    place: Place, flags: tuple[str, ...]
) -> None:
    """By a file, by a variable of records, or by the beginning of another run."""
    for change in (
        edit("seeds/texts/a.json", RECORD % "changed"),
        edit("seeds/seeds.toml", MANIFEST + 'on_drift = "overwrite"\n'),
        remove("seeds/seeds.toml"),
        set_variable("OWNER", "bob"),
        by_hand("DELETE FROM compose_init.phase WHERE name = 'seed:texts'"),
    ):
        again(place)
        place.whole(RunOptions(migrate=not flags, datasets=("texts",)))
        assert place.answer(*flags, *TEXTS)
        change(place)
        assert not place.answer(*flags, *TEXTS)


def test_a_selection_migrates_too(place: Place) -> None:
    """Without `--seed-only`, a new revision is something to do."""
    again(place)
    place.whole(RunOptions(datasets=("texts",)))
    place.whole(RunOptions(migrate=False, datasets=("texts",)))
    place.write(
        "migrations/versions/three.py",
        'revision = "three"\ndown_revision = "two"\ndef upgrade(): pass\n',
    )
    assert not place.answer(*TEXTS)
    assert place.answer("--seed-only", *TEXTS)


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--verify"], {}),
        (["--plan"], {}),
        (["--migrate-only"], {}),  # no run with this command line has been complete
        (["--output", "json"], {}),
        (["--dataset"], {}),
        (["--dataset", ""], {}),
        (["--dataset", "--seed-only"], {}),
        (["--dataset", "texts"], {}),  # nor with this one
        (["--migrate-only", "--dataset", "texts"], {}),
        (["--seed-only", "--migrate-only"], {}),
        ([], {"INIT_REPORT": "/tmp/report.json"}),  # noqa: S108
        ([], {"LOG_LEVEL": "debug"}),
        ([], {"POSTGRES_HOST_FILE": "/dev/zero"}),
    ],
)
def test_what_it_leaves_to_the_whole_program(
    place: Place, arguments: list[str], variables: dict[str, str]
) -> None:
    """Whatever writes more than the one line."""
    again(place)
    assert not up_to_date.answer(arguments, place.environ | variables)


def test_a_role_that_was_not_checked_is_not_passed_over(place: Place) -> None:
    """The check of the role is a phase of its own, and is forgotten before anything changes."""
    again(place)
    place.environ["INIT_APPLICATION_ROLE"] = "app_api"
    files = ["LOG_SERVICE_NAME_FILE"]
    digest = up_to_date.digest([], place.environ, files, "salt")
    inputs = json.dumps({"salt": "salt", "files": files, "digest": digest})
    place.execute(f"UPDATE compose_init.phase SET inputs = '{inputs}' WHERE name = 'variables'")
    assert not place.answer()
    place.execute(
        """INSERT INTO compose_init.phase (name, inputs, version_table)"""
        """ VALUES ('roles', '{"role": "another"}', 'public.alembic_version')"""
    )
    assert not place.answer()
    place.execute(
        """UPDATE compose_init.phase SET inputs = '{"role": "app_api"}' WHERE name = 'roles'"""
    )
    assert place.answer()


@pytest.mark.parametrize("variables", [{}, {"LOG_JSON": "off"}, {"LOG_LEVEL": "error"}])
def test_it_says_what_the_whole_program_says(place: Place, variables: dict[str, str]) -> None:
    """The same line, in the same form, but for the time; with a report, the whole program is asked."""
    again(place)
    place.environ |= BASE | variables
    assert place.whole() == NOTHING
    assert place.answer()
    fast = Program(place.environ).run()
    whole = Program(place.environ | {"INIT_REPORT": str(place.home / "report.json")}).run()
    assert (place.home / "report.json").exists()
    assert (fast.code, fast.err) == (whole.code, whole.err)
    assert (NOTHING in fast.out) == ("LOG_LEVEL" not in variables)
    lines = [re.sub(r"[\d.]+", "0", each.out) for each in (fast, whole)]
    assert lines[0] == lines[1]


def test_the_ledger_tells_no_variable(place: Place) -> None:
    """Salted: the same variables have another digest in another database."""
    again(place)
    place.environ["API_TOKEN"] = "s3cret-token"
    place.environ["API_BASE_URL"] = "http://api"
    place.whole()
    with psycopg.connect(place.server.url("fast")) as connection:
        rows = connection.execute("SELECT inputs::text FROM compose_init.phase").fetchall()
    assert "s3cret" not in str(rows)
    one, two = (up_to_date.digest([], place.environ, [], salt) for salt in ("a", "b"))
    assert one != two


def test_a_secret_in_the_line_is_masked_by_the_whole_program(place: Place) -> None:
    """The fast path does not know the secrets, so it is not told of such a run."""
    again(place)
    place.environ |= {"API_TOKEN": "noth", "API_BASE_URL": "http://api"}
    assert place.whole() == NOTHING
    assert not place.answer()


def test_what_it_imports(place: Place) -> None:
    """The standard library, psycopg, and modules of ours that are as light."""
    again(place)
    place.environ |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    place.whole()
    script = (
        "import os, sys\nfrom compose_init import up_to_date\n"
        "print(up_to_date.answer([], os.environ), file=sys.stderr)\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=place.environ,
        check=True,
        capture_output=True,
        text=True,
    )
    said, modules = done.stderr.splitlines()
    assert said == "True"
    loaded = set(modules.split())
    assert not HEAVY & {name.partition(".")[0] for name in loaded}
    assert "urllib.request" not in loaded  # three milliseconds, for proxies that nobody asks
