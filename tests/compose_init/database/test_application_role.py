"""The application's role: what deploy/roles.sh gives it, and what init finds wrong with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import TupleRow

from compose_init.database import application_role
from compose_init.database.role_comparison import (
    Fault,
    Membership,
    Relation,
    Role,
    Schema,
    compare,
)
from examples.postgres import Server
from tests.support.databases import Databases
from tests.support.postgres import every_version
from tests.support.programs import ROOT, Finished, Program, write_history

numbers = count(1)
SCRIPT = ROOT / "deploy" / "roles.sh"
OWNER = "of-the-boss"
SECRET = r"""an "app's" p@ss:w/rd $1 \x %41"""
TABLES = """
op.execute('''
CREATE TABLE serial (id serial PRIMARY KEY, name text);
CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY, name text);
CREATE VIEW names AS SELECT name FROM serial UNION SELECT name FROM ident;
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
''')
"""


@dataclass(frozen=True)
class Site:
    """A database with an owner that is no superuser, and the name of an application's role."""

    server: Server
    database: str
    owner: str
    role: str
    folder: Path

    def url(self, user: str, password: str) -> dict[str, str]:
        return {
            "host": self.server.host,
            "port": str(self.server.port),
            "dbname": self.database,
            "user": user,
            "password": password,
        }

    def as_superuser(self, *statements: str) -> list[TupleRow]:
        with psycopg.connect(self.server.url(self.database), autocommit=True) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def as_application(self, statement: str) -> list[TupleRow]:
        address = self.url(self.role, SECRET)
        with psycopg.connect(**address, autocommit=True) as connection:  # type: ignore[arg-type]
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def script(self, **environ: str) -> subprocess.CompletedProcess[str]:
        """deploy/roles.sh, as the owner."""
        password = self.folder / "application_password"
        password.write_text(environ.pop("password", f"{SECRET}\n"))
        return subprocess.run(
            ["sh", str(SCRIPT)],
            env={
                "PATH": f"{self.server.binaries}:{os.environ['PATH']}",
                "PGHOST": self.server.host,
                "PGPORT": str(self.server.port),
                "POSTGRES_USER": self.owner,
                "POSTGRES_DB": self.database,
                "POSTGRES_PASSWORD": OWNER,
                "APPLICATION_ROLE": self.role,
                "APPLICATION_PASSWORD_FILE": str(password),
                **environ,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def program(self, **revisions: str) -> Program:
        """compose-init as the owner, with these revisions."""
        history = write_history(self.folder, {"a": TABLES, **revisions})
        return Program(
            {
                "POSTGRES_HOST": self.server.host,
                "POSTGRES_PORT": str(self.server.port),
                "POSTGRES_DB": self.database,
                "POSTGRES_USER": self.owner,
                "POSTGRES_PASSWORD": OWNER,
                "ALEMBIC_CONFIG": str(history),
                "INIT_APPLICATION_ROLE": self.role,
            },
            self.folder,
        )


def make_site(server: Server, database: str, folder: Path) -> Iterator[Site]:
    """Yield a site before the documented step, and remove its roles."""
    number = next(numbers)
    # A name that has to be quoted: it stands in SQL that people copy.
    site = Site(server, database.rpartition("/")[2], f"owner_{number}", f"the-api {number}", folder)
    site.as_superuser(
        f"CREATE ROLE {site.owner} LOGIN CREATEROLE PASSWORD '{OWNER}'",
        f"ALTER DATABASE {site.database} OWNER TO {site.owner}",
    )
    yield site
    site.as_superuser(f"ALTER DATABASE {site.database} OWNER TO CURRENT_USER")
    there = site.as_superuser(
        f"SELECT rolname FROM pg_roles WHERE rolname = 'other_{number}' OR rolname = '{site.role}'"
    )
    for name in [*(row[0] for row in there), site.owner]:
        site.as_superuser(f'DROP OWNED BY "{name}" CASCADE', f'DROP ROLE "{name}"')


@pytest.fixture(name="bare")
def _bare(server: Server, database: str, tmp_path: Path) -> Iterator[Site]:
    """Before the documented step."""
    yield from make_site(server, database, tmp_path)


@pytest.fixture(name="site")
def _site(bare: Site) -> Site:
    """After it."""
    return after_the_step(bare)


@pytest.fixture(scope="module")
def migrated(
    server: Server,
    databases: Callable[..., Databases],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Yield a site after the documented step and a run, for tests that leave it as it is."""
    name = databases(server).take()
    for bare in make_site(server, server.url(name), tmp_path_factory.mktemp("site")):
        assert after_the_step(bare).program().run().code == 0
        yield bare
    databases(server).give_back(name)


def after_the_step(bare: Site) -> Site:
    """Run deploy/roles.sh."""
    done = bare.script()
    assert done.returncode == 0, done.stderr
    return bare


def faults(run: Finished) -> list[str]:
    """Return the faults of the role that a run reports, one per line."""
    assert run.code == 77, run.said
    [event] = [each["event"] for each in run.events if "INIT_APPLICATION_ROLE" in each["event"]]
    return [line.strip() for line in event.splitlines()[1:]]


@every_version
def test_what_the_script_gives_is_what_init_wants(site: Site) -> None:
    """Tables of later migrations are covered; the role reads and writes data and nothing else."""
    assert site.program().run().code == 0
    site.as_application("INSERT INTO serial (name) VALUES ('x')")
    site.as_application("INSERT INTO ident (name) VALUES ('y')")
    site.as_application("INSERT INTO parted VALUES (1)")
    site.as_application("UPDATE serial SET name = 'z'")
    assert site.as_application("SELECT name FROM names ORDER BY 1") == [("y",), ("z",)]
    site.as_application("DELETE FROM serial")
    assert site.as_application("SELECT version_num FROM alembic_version") == [("a",)]
    for statement in (
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE serial ADD COLUMN mine int",
        "DROP TABLE serial",
        "TRUNCATE serial",
        "UPDATE alembic_version SET version_num = 'b'",
        "DELETE FROM alembic_version",
        "SELECT * FROM compose_init.phase",
        "INSERT INTO compose_init.phase (name, inputs) VALUES ('seed', '{}')",
        f"SET ROLE {site.owner}",
        "CREATE ROLE mine",
    ):
        with pytest.raises(InsufficientPrivilege):
            site.as_application(statement)


def test_the_script_on_a_database_that_is_there(bare: Site) -> None:
    """An installation that had one role gets its second; twice is as once; a new password counts."""
    program = bare.program()
    assert program.with_(INIT_APPLICATION_ROLE="").run().code == 0
    assert "does not exist: CREATE ROLE" in faults(program.run())[0]
    for password in ("first\n", f"{SECRET}\r\n"):
        assert bare.script(password=password).returncode == 0
    bare.as_application("INSERT INTO serial (name) VALUES ('x')")
    with pytest.raises(InsufficientPrivilege):
        bare.as_application("UPDATE alembic_version SET version_num = 'b'")
    assert program.run().code == 0


def test_the_script_mends_a_role_that_has_too_much(site: Site) -> None:
    """And gives the owner what it had through PUBLIC alone."""
    name = f'"{site.role}"'
    site.as_superuser(
        f"ALTER ROLE {name} CREATEDB NOLOGIN",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "ALTER SCHEMA public OWNER TO CURRENT_USER",
        f"GRANT {site.owner} TO CURRENT_USER",
    )
    done = site.script(POSTGRES_USER="postgres", POSTGRES_PASSWORD=server_password(site))
    assert done.returncode == 0, done.stderr
    [found] = site.as_superuser(
        f"SELECT rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = '{site.role}'"
    )
    assert found == (False, True)
    assert site.as_superuser("SELECT has_schema_privilege('public', 'public', 'CREATE')") == [
        (False,)
    ]


def server_password(site: Site) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(site.server.url())["password"])


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"password": ""}, "must contain one line"),
        ({"password": "one\ntwo\n"}, "must contain one line"),
        ({"APPLICATION_ROLE": ""}, "APPLICATION_ROLE"),
        ({"APPLICATION_ROLE": "owner"}, "must differ from the owner"),
        ({"POSTGRES_PASSWORD": "wrong"}, "password authentication failed"),
    ],
)
def test_what_the_script_refuses(bare: Site, environ: dict[str, str], words: str) -> None:
    """It says what is wrong, fails, and leaves no role behind."""
    named = {name: bare.owner if value == "owner" else value for name, value in environ.items()}
    if named.get("APPLICATION_ROLE") == bare.owner:
        named["POSTGRES_USER"] = bare.owner
    done = bare.script(**named)
    assert done.returncode != 0
    assert words in done.stderr
    assert not bare.as_superuser(f"SELECT FROM pg_roles WHERE rolname = '{bare.role}'")


def test_the_password_is_never_seen(bare: Site) -> None:
    """Not by the server's log, where every statement is written down, and not in what the script says."""
    log = bare.server.folder / "log"
    start = log.stat().st_size
    bare.as_superuser("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    try:
        done = bare.script(password="zq-very-secret\n")
    finally:
        bare.as_superuser("ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
    said = log.read_bytes()[start:].decode()
    assert "SCRAM-SHA-256$" in said
    assert "zq-very-secret" not in said + done.stdout + done.stderr


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (["REVOKE INSERT ON serial FROM {role}"], ["has no INSERT on public.serial"]),
        (
            ["REVOKE ALL ON parted FROM {role}"],
            ["has no SELECT, INSERT, UPDATE, DELETE on public."],
        ),
        (["REVOKE SELECT ON names FROM {role}"], ["has no SELECT on public.names"]),
        (
            ["REVOKE ALL ON SEQUENCE serial_id_seq FROM {role}"],
            ["has no USAGE on public.serial_id_seq"],
        ),
        (["ALTER ROLE {role} NOLOGIN"], ["cannot log in"]),
        (["ALTER ROLE {role} SUPERUSER"], ["is a superuser"]),
        (["ALTER ROLE {role} CREATEROLE"], ["can create databases or roles"]),
        (
            ["REVOKE {role} FROM {owner}", "GRANT {owner} TO {role}"],
            ["is a member of owner_"],
        ),
        (
            [
                *("REVOKE {role} FROM {owner}", "CREATE ROLE {group}"),
                *("GRANT {owner} TO {group}", "GRANT {group} TO {role}"),
            ],
            ["is a member of group_"],
        ),
        (
            ["GRANT pg_write_all_data TO {role}"],
            ["has the rights of pg_write_all_data"],
        ),
        (
            ["ALTER TABLE serial OWNER TO {role}"],
            ["owns public.serial:", "owns public.serial_id_seq"],
        ),
        (["CREATE SCHEMA theirs AUTHORIZATION {role}"], ["owns schema theirs"]),
        (["GRANT CREATE ON SCHEMA public TO PUBLIC"], ["can create tables in schema public"]),
        (
            ["REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {role}"],
            ["cannot connect to database"],
        ),
        (["GRANT CREATE ON DATABASE {database} TO {role}"], ["can create schemas in database"]),
        (
            ["SET ROLE {owner}", 'CREATE SCHEMA "an other"', 'CREATE TABLE "an other".t (id int)'],
            [
                'cannot use schema "an other"',
                'has no SELECT, INSERT, UPDATE, DELETE on "an other".t',
            ],
        ),
        (
            [
                "GRANT USAGE ON SCHEMA compose_init TO {role}",
                "GRANT UPDATE ON compose_init.phase TO {role}",
            ],
            ["can write the ledger of init"],
        ),
    ],
)
def test_a_fault_is_named_with_what_mends_it(
    migrated: Site, broken: list[str], words: list[str]
) -> None:
    """As the owner finds it, in a transaction that leaves no trace; what is said to fix it does."""
    names = {
        "role": f'"{migrated.role}"',
        "owner": migrated.owner,
        "database": migrated.database,
        "group": "group_of_the_test",
    }
    with psycopg.connect(migrated.server.url(migrated.database)) as connection:

        def execute(statements: Iterable[str]) -> None:
            for statement in statements:
                connection.execute(statement.encode())
            connection.execute(f"SET SESSION AUTHORIZATION {migrated.owner}".encode())

        execute(statement.format(**names) for statement in broken)
        found = application_role.faults(connection, migrated.role)
        assert len(found) == len(words), found
        for fault, word in zip(found, words, strict=True):
            assert word in str(fault)
        connection.execute("RESET SESSION AUTHORIZATION")
        execute(fault.fix for fault in found)
        assert application_role.faults(connection, migrated.role) == ()
        connection.rollback()


def test_a_fault_is_no_success(site: Site) -> None:
    """Found after the next revision, not taken for done afterwards, and looked for until it is fixed."""
    assert site.program().run().code == 0
    site.as_superuser(f'REVOKE INSERT ON serial FROM "{site.role}"')
    program = site.program(b="pass")
    found = faults(program.run())
    assert found == [
        f'it has no INSERT on public.serial: GRANT INSERT ON public.serial TO "{site.role}";'
    ]
    assert faults(program.run()) == found
    site.as_superuser(found[0].partition(": ")[2])
    assert program.run().code == 0
    assert program.run().names() == ["nothing to do"]


def test_all_faults_at_once_and_before_the_seeds(site: Site) -> None:
    """Those of a new revision among them; nothing is seeded."""
    seeds = site.folder / "seeds.toml"
    seeds.write_text(
        '[[dataset]]\nname = "s"\nsource = "s.json"\ntable = "serial"\nkey = ["name"]\n'
    )
    (site.folder / "s.json").write_text('[{"name": "x"}]')
    revoked = (
        f"""op.execute('CREATE TABLE later (id int); REVOKE UPDATE ON later FROM "{site.role}"')"""
    )
    program = site.program(b=revoked).with_(SEED_MANIFEST=str(seeds))
    site.as_superuser(f'ALTER ROLE "{site.role}" CREATEDB')
    found = faults(program.run())
    assert len(found) == 2
    assert "NOCREATEDB" in found[0]
    assert found[1] == (
        f'it has no UPDATE on public.later: GRANT UPDATE ON public.later TO "{site.role}";'
    )
    assert site.as_superuser("SELECT count(*) FROM serial") == [(0,)]


def test_a_fault_that_was_seen_is_looked_for_again(site: Site) -> None:
    """Also where what had made the run look is taken back."""
    seeds = site.folder / "seeds.toml"
    entry = '[[dataset]]\nname = "s"\nsource = "s.json"\ntable = "serial"\nkey = ["name"]\n'
    seeds.write_text(entry)
    (site.folder / "s.json").write_text('[{"name": "x"}]')
    program = site.program().with_(SEED_MANIFEST=str(seeds))
    assert program.run().code == 0
    site.as_superuser(f'REVOKE SELECT ON serial FROM "{site.role}"')
    assert program.run().code == 0
    seeds.write_text(f"# edited\n{entry}")
    assert len(faults(program.run())) == 1
    seeds.write_text(entry)
    assert len(faults(program.run())) == 1


def test_what_extensions_have_brought(bare: Site) -> None:
    """It is not the application's, also for an owner who is a superuser, as that of the postgres image is."""
    bare.as_superuser("CREATE EXTENSION pg_buffercache")
    owner = {"POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": server_password(bare)}
    assert bare.script(**owner).returncode == 0
    bare.as_superuser(f'REVOKE ALL ON pg_buffercache FROM "{bare.role}"')
    done = bare.program().with_(**owner).run()
    assert done.code == 0, done.said


def test_what_nobody_needs_a_right_on(site: Site) -> None:
    """A partition is reached through its table, and the sequence of an identity column through its column."""
    assert site.program().run().code == 0
    site.as_superuser(f'REVOKE ALL ON part, ident_id_seq FROM "{site.role}"')
    assert site.program(b="pass").run().code == 0
    site.as_application("INSERT INTO parted VALUES (1)")
    site.as_application("INSERT INTO ident (name) VALUES ('y')")


def test_what_is_another_applications(site: Site) -> None:
    """Tables of a role that the migrations are not, and whose rights init has not."""
    other = site.owner.replace("owner", "other")
    site.as_superuser(
        f"CREATE ROLE {other}",
        f"CREATE SCHEMA {other} AUTHORIZATION {other}",
        f"CREATE TABLE {other}.t (id int)",
        f"ALTER TABLE {other}.t OWNER TO {other}",
    )
    assert site.program().run().code == 0


def test_a_version_table_of_another_name(site: Site) -> None:
    """A run takes away the right to write it, which the role has on every table that is made."""
    env = (ROOT / "init" / "compose_init" / "migrations" / "default_env" / "env.py").read_text()
    assert "context.configure(" in env
    changed = env.replace("context.configure(", "context.configure(version_table='Our Version', ")
    program = site.program().with_(
        ALEMBIC_CONFIG=str(write_history(site.folder, {"a": TABLES}, env=changed))
    )
    assert program.run().code == 0
    assert site.as_application('SELECT * FROM "Our Version"') == [("a",)]
    with pytest.raises(InsufficientPrivilege):
        site.as_application('DELETE FROM "Our Version"')


def test_an_unchanged_run_does_not_look(site: Site) -> None:
    """It imports nothing for it, and asks nothing; another role is looked at."""
    (site.folder / "sitecustomize.py").write_text(
        "import atexit, sys\natexit.register(lambda: "
        "print('roles:', 'compose_init.database.application_role' in sys.modules, file=sys.stderr))\n"
    )
    watched = site.program().with_(PYTHONPATH=f"{site.folder}:{ROOT}")
    assert watched.run().code == 0
    site.as_superuser(f'REVOKE SELECT ON serial FROM "{site.role}"')
    run = watched.run()
    assert (run.code, run.names()) == (0, ["nothing to do"])
    assert "roles: False" in run.err
    other = watched.with_(INIT_APPLICATION_ROLE="nobody").run()
    assert "roles: True" in other.err
    assert faults(other) == [
        "it does not exist: CREATE ROLE \"nobody\" LOGIN PASSWORD '…'; and the rights it needs"
    ]
    assert len(faults(watched.run())) == 1


def test_a_plan_says_it_too(site: Site) -> None:
    """Not for tables that pending revisions make; exit code 77 where no revision could fix it."""
    program = site.program()
    first = program.run("--plan", "--output", "json")
    assert first.code == 2, first.said
    assert "faults" not in json.loads(first.out)
    assert program.run().code == 0
    assert program.run("--plan").code == 0
    site.as_superuser(f'REVOKE DELETE ON serial FROM "{site.role}"')
    plan = program.run("--plan", "--output", "json")
    assert plan.code == 77
    fix = f'GRANT DELETE ON public.serial TO "{site.role}";'
    assert json.loads(plan.out)["faults"] == [
        {"problem": "has no DELETE on public.serial", "fix": fix}
    ]
    text = program.run("--plan").out
    assert text.splitlines()[0] == "nothing would change"
    assert fix in text
    pending = site.program(b="pass").run("--plan")
    assert pending.code == 2
    assert fix in pending.out


def test_the_owner_of_the_database(site: Site) -> None:
    """It may do everything in it."""
    site.as_superuser(f'ALTER DATABASE {site.database} OWNER TO "{site.role}"')
    with psycopg.connect(site.server.url(site.database)) as connection:
        found = [fault.fix for fault in application_role.faults(connection, site.role)]
    assert f"ALTER DATABASE {site.database} OWNER TO postgres;" in found


def test_a_role_of_its_own(site: Site) -> None:
    """The one that init connects as is not the application's: a fault of the settings."""
    run = site.program().with_(INIT_APPLICATION_ROLE=site.owner).run()
    assert run.code == 78
    assert "INIT_APPLICATION_ROLE: is the role that init connects as" in run.said


ROLE = Role("app", "shop", "boss")


def test_nothing_wrong() -> None:
    """A role with what it needs."""
    relations = [
        Relation("public", "public.t", held=("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")),
        Relation("public", "public.alembic_version", version=True, held=("SELECT",)),
        Relation("public", "public.s", "S", held=("USAGE",)),
        Relation("public", "public.v", "v", held=("SELECT",)),
        Relation("compose_init", "compose_init.run", held=("SELECT", "INSERT")),
    ]
    schemas = [Schema("public"), Schema("empty", usage=False), Schema("compose_init", usage=False)]
    assert list(compare(ROLE, schemas, relations, [])) == []


def test_a_superuser_hides_everything_else() -> None:
    """Every question is answered with yes."""
    role = replace(ROLE, superuser=True, creates=True, makes_roles=True)
    owned = [Relation("public", "public.t", owned=True)]
    found = list(compare(role, [Schema("public", create=True)], owned, [Membership("g", "boss")]))
    assert found == [
        Fault("is a superuser", "ALTER ROLE app NOSUPERUSER;"),
        Fault("can create databases or roles", "ALTER ROLE app NOCREATEDB NOCREATEROLE;"),
    ]


def test_the_version_table_is_for_a_run_to_fix() -> None:
    """As far as it can."""
    [found] = compare(ROLE, [], [Relation("public", "public.v", version=True)], [])
    assert found.fixed_by_run
    assert re.match(r"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON public\.v FROM", found.fix)
