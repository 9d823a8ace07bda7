"""The application's role in the database: what it must be able to do, and what it must not.

    the catalog, as it is ─▶ Role, schemas, relations, memberships ─▶ faults, each with the SQL that fixes it

The role is made by an administrator (`deploy/roles.sh`); init looks at it after migrating, since a
revision makes tables, and what is granted on them shows only then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from compose_init.database.connection import Connection
from compose_init.errors import CredentialsRefused

LEDGER = "compose_init"
DATA = ("SELECT", "INSERT", "UPDATE", "DELETE")
WRITING = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
NEEDED = {
    "r": DATA,
    "p": DATA,
    "v": ("SELECT",),
    "m": ("SELECT",),
    "f": ("SELECT",),
    "S": ("USAGE",),
}
"""By pg_class.relkind. `nextval` wants USAGE; a view is made to be read, and may not be writable at all."""

# What belongs to PostgreSQL itself or to an extension is not the application's.
SCHEMAS = """
  SELECT n.* FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
"""

# Not in here: partitions, which are reached through their table, and sequences of identity columns, which ask
# for no privilege. The version table, whatever its name, is the one that has version_num and nothing else.
# What belongs to a role that neither we nor the migrations are is another application's.
RELATIONS = f"""
  WITH named AS ({SCHEMAS}), found AS (
    SELECT c.*, n.nspname, c.relkind = 'r' AND (
      SELECT array_agg(a.attname::text) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = ARRAY['version_num'] AS is_version
    FROM pg_class c JOIN named n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype = 'i' AND d.refclassid = 'pg_class'::regclass)))
  SELECT f.* FROM found f
  WHERE pg_has_role(current_user, f.relowner, 'MEMBER')
     OR f.relowner IN (SELECT v.relowner FROM found v WHERE v.is_version)
     OR f.relowner = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)
"""

READ_ROLE = """
SELECT quote_ident(r.rolname), quote_ident(current_database()), quote_ident(current_user),
       r.rolcanlogin, r.rolsuper, r.rolcreatedb OR r.rolcreaterole,
       has_database_privilege(r.oid, d.oid, 'CONNECT'), has_database_privilege(r.oid, d.oid, 'CREATE'),
       d.datdba = r.oid
FROM pg_roles r, pg_database d WHERE r.rolname = %(role)s AND d.datname = current_database()
"""

READ_SCHEMAS = f"""
SELECT quote_ident(n.nspname), has_schema_privilege(r.oid, n.oid, 'USAGE'),
       has_schema_privilege(r.oid, n.oid, 'CREATE'), n.nspowner = r.oid
FROM ({SCHEMAS}) n, pg_roles r WHERE r.rolname = %(role)s ORDER BY 1
"""

READ_RELATIONS = f"""
SELECT quote_ident(c.nspname), format('%%I.%%I', c.nspname, c.relname), c.relkind::text, c.is_version,
       c.relowner = r.oid, ARRAY(
         SELECT p FROM unnest(CASE c.relkind WHEN 'S' THEN ARRAY['USAGE'] ELSE
                ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] END) p
         WHERE CASE c.relkind WHEN 'S' THEN has_sequence_privilege(r.oid, c.oid, p)
               ELSE has_table_privilege(r.oid, c.oid, p) END)
FROM ({RELATIONS}) c, pg_roles r WHERE r.rolname = %(role)s
ORDER BY c.relkind = 'S', 2 -- a sequence goes with its table, where that gets another owner
"""

# By what it is a member of, directly, it is or may become the owner of something; or may write everything.
READ_MEMBERSHIPS = f"""
SELECT quote_ident(g.rolname), string_agg(quote_ident(o.rolname), ', ' ORDER BY o.rolname)
FROM pg_roles r JOIN pg_auth_members m ON m.member = r.oid JOIN pg_roles g ON g.oid = m.roleid, pg_roles o
WHERE r.rolname = %(role)s AND pg_has_role(g.oid, o.oid, 'MEMBER') AND (
  o.rolname IN (current_user, 'pg_write_all_data')
  OR o.oid IN (SELECT datdba FROM pg_database WHERE datname = current_database())
  OR o.oid IN (SELECT relowner FROM ({RELATIONS}) c))
GROUP BY g.rolname ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Role:
    """The application's role; names are quoted, as SQL wants them."""

    name: str
    database: str
    owner: str
    """The role that init connects as."""
    logs_in: bool = True
    superuser: bool = False
    makes_roles: bool = False
    """Or databases."""
    connects: bool = True
    creates: bool = False
    """Schemas in the database."""
    owns_database: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema, and what the role can do in it."""

    name: str
    usage: bool = True
    create: bool = False
    owned: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or sequence, and what the role can do with it.

    Attributes:
        schema: its schema's name, quoted.
        name: with the schema's, quoted.
        kind: as in pg_class.relkind.
        version: whether it is Alembic's version table.
        owned: whether it belongs to the role.
        held: the privileges that the role has, of whatever source.
    """

    schema: str
    name: str
    kind: str = "r"
    version: bool = False
    owned: bool = False
    held: Sequence[str] = DATA


@dataclass(frozen=True, slots=True)
class Membership:
    """What the role is a member of, and whose rights it has by that."""

    group: str
    of: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the role.

    Attributes:
        problem: what it can or cannot do.
        fix: SQL.
        ours: a run fixes it by itself: Alembic makes its version table when the role has been given its
            rights on all tables that are to come.
    """

    problem: str
    fix: str
    ours: bool = False

    def __str__(self) -> str:
        return f"{self.problem}: {self.fix}"


def check(connection: Connection, role: str) -> None:
    """Nothing, where the role is as it should be.

    Raises:
        CredentialsRefused: with every fault, and the SQL that fixes it.
    """
    for fault in (found := faults(connection, role)):
        if fault.ours:
            with suppress(psycopg.errors.InsufficientPrivilege):  # it stays a fault, and is said
                connection.execute(fault.fix.encode())
    if any(fault.ours for fault in found):
        found = faults(connection, role)
    if found:
        head = (
            f"the application's role {role} (INIT_APPLICATION_ROLE) is not as it should be in database"
            f" {connection.info.dbname}; run roles.sh, or this SQL, as the owner; then run again:"
        )
        raise CredentialsRefused("\n".join([head, *(f"  it {fault}" for fault in found)]))


def faults(connection: Connection, role: str) -> tuple[Fault, ...]:
    """All that is wrong with a role; changes nothing."""
    name = {"role": role}
    row = connection.execute(READ_ROLE, name).fetchone()
    if row is None:
        return (_missing(connection, role),)
    return tuple(
        compare(
            Role(*row),
            [Schema(*each) for each in connection.execute(READ_SCHEMAS, name)],
            [Relation(*each) for each in connection.execute(READ_RELATIONS, name)],
            [Membership(*each) for each in connection.execute(READ_MEMBERSHIPS, name)],
        )
    )


def compare(
    role: Role,
    schemas: Sequence[Schema],
    relations: Sequence[Relation],
    memberships: Sequence[Membership],
) -> Iterator[Fault]:
    """What is, against what should be.

    A superuser, and a member of the owner, may do everything: then nothing of the rest can be seen.
    """
    yield from _of_role(role)
    for each in memberships if not role.superuser else ():
        yield Fault(
            f"is a member of {each.group}, and with it has the rights of {each.of}",
            f"REVOKE {each.group} FROM {role.name};",
        )
    if role.superuser or memberships:
        return
    yield from _of_database(role)
    ledger = [each for each in relations if each.schema == LEDGER]
    theirs = [each for each in relations if each.schema != LEDGER]
    for schema in schemas:
        if schema.name == LEDGER:
            yield from _of_ledger(role, schema, ledger)
        else:
            used = any(each.schema == schema.name for each in theirs)
            yield from _of_schema(role, schema, used=used)
    for relation in theirs:
        yield from _of_relation(role, relation)


def _missing(connection: Connection, role: str) -> Fault:
    from psycopg import sql

    name = sql.Identifier(role).as_string(connection)
    return Fault("does not exist", f"CREATE ROLE {name} LOGIN PASSWORD '…'; and what it may do")


def _of_role(role: Role) -> Iterator[Fault]:
    if not role.logs_in:
        yield Fault("cannot log in", f"ALTER ROLE {role.name} LOGIN;")
    if role.superuser:
        yield Fault("is a superuser", f"ALTER ROLE {role.name} NOSUPERUSER;")
    if role.makes_roles:
        yield Fault(
            "can create databases or roles", f"ALTER ROLE {role.name} NOCREATEDB NOCREATEROLE;"
        )
    if not role.connects:
        yield Fault(
            f"cannot connect to database {role.database}",
            f"GRANT CONNECT ON DATABASE {role.database} TO {role.name};",
        )


def _of_database(role: Role) -> Iterator[Fault]:
    if role.owns_database:
        yield Fault(
            f"owns database {role.database}",
            f"ALTER DATABASE {role.database} OWNER TO {role.owner};",
        )
    elif role.creates:
        yield Fault(
            f"can create schemas in database {role.database}",
            f"REVOKE CREATE ON DATABASE {role.database} FROM PUBLIC, {role.name};",
        )


def _of_schema(role: Role, schema: Schema, *, used: bool) -> Iterator[Fault]:
    if schema.owned:
        yield Fault(
            f"owns schema {schema.name}", f"ALTER SCHEMA {schema.name} OWNER TO {role.owner};"
        )
    elif schema.create:
        yield Fault(
            f"can create tables in schema {schema.name}",
            f"REVOKE CREATE ON SCHEMA {schema.name} FROM PUBLIC, {role.name};",
        )
    if used and not schema.usage:
        yield Fault(
            f"cannot use schema {schema.name}",
            f"GRANT USAGE ON SCHEMA {schema.name} TO {role.name};",
        )


def _of_ledger(role: Role, schema: Schema, tables: Sequence[Relation]) -> Iterator[Fault]:
    """Without the schema nobody gets at its tables, whatever is granted on them."""
    writes = any(set(each.held) & {*WRITING, "USAGE"} for each in tables)
    if schema.create or schema.owned or (schema.usage and writes):
        yield Fault(
            f"can write the ledger of init, schema {LEDGER}",
            f"REVOKE ALL ON SCHEMA {LEDGER} FROM PUBLIC, {role.name};"
            f" REVOKE ALL ON ALL TABLES IN SCHEMA {LEDGER} FROM PUBLIC, {role.name};",
        )


def _of_relation(role: Role, relation: Relation) -> Iterator[Fault]:
    needed = ("SELECT",) if relation.version else NEEDED[relation.kind]
    missing = [each for each in needed if each not in relation.held]
    if relation.owned:
        yield Fault(
            f"owns {relation.name}",
            # What was granted to it has become the owner's own.
            f"ALTER TABLE {relation.name} OWNER TO {role.owner}; {_grant(role, relation, needed)}",
        )
    elif relation.version and set(relation.held) & set(WRITING):
        yield Fault(
            f"can write Alembic's version table {relation.name}",
            f"REVOKE {', '.join(WRITING)} ON {relation.name} FROM PUBLIC, {role.name};",
            ours=True,
        )
    elif missing and not relation.version:
        yield Fault(
            f"has no {', '.join(missing)} on {relation.name}", _grant(role, relation, missing)
        )


def _grant(role: Role, relation: Relation, rights: Sequence[str]) -> str:
    what = f"SEQUENCE {relation.name}" if relation.kind == "S" else relation.name
    return f"GRANT {', '.join(rights)} ON {what} TO {role.name};"
