"""The application's role, compared with the privileges that it needs: a decision on values.

Role, schemas, relations, memberships ─▶ faults, each with the SQL that fixes it
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
"""The privileges needed on a relation, by pg_class.relkind: `nextval` needs USAGE; a view may be read-only."""


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
    """A group that the role is a member of.

    Attributes:
        group: its name, quoted.
        rights_of: the roles whose rights it gives: the owner, or a role that may write everything.
    """

    group: str
    rights_of: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A privilege or attribute that the role lacks, or must not have.

    Attributes:
        problem: what it can or cannot do.
        fix: SQL.
        fixed_by_run: whether a run fixes it by itself: default privileges, which cover all later tables,
            also cover the version table that Alembic creates.
    """

    problem: str
    fix: str
    fixed_by_run: bool = False

    def __str__(self) -> str:
        return f"{self.problem}: {self.fix}"


def compare(
    role: Role,
    schemas: Sequence[Schema],
    relations: Sequence[Relation],
    memberships: Sequence[Membership],
) -> Iterator[Fault]:
    """Yield the faults of the role.

    A superuser and a member of the owner have all privileges, so no other fault can be seen.
    """
    yield from _find_role_faults(role)
    for each in memberships if not role.superuser else ():
        yield Fault(
            f"is a member of {each.group}, and with it has the rights of {each.rights_of}",
            f"REVOKE {each.group} FROM {role.name};",
        )
    if role.superuser or memberships:
        return
    yield from _find_database_faults(role)
    ledger = [each for each in relations if each.schema == LEDGER]
    application_relations = [each for each in relations if each.schema != LEDGER]
    for schema in schemas:
        if schema.name == LEDGER:
            yield from _find_ledger_faults(role, schema, ledger)
        else:
            used = any(each.schema == schema.name for each in application_relations)
            yield from _find_schema_faults(role, schema, used=used)
    for relation in application_relations:
        yield from _find_relation_faults(role, relation)


def _find_role_faults(role: Role) -> Iterator[Fault]:
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


def _find_database_faults(role: Role) -> Iterator[Fault]:
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


def _find_schema_faults(role: Role, schema: Schema, *, used: bool) -> Iterator[Fault]:
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


def _find_ledger_faults(role: Role, schema: Schema, tables: Sequence[Relation]) -> Iterator[Fault]:
    """Find out if the role can write the ledger; without USAGE on the schema, grants on its tables have no effect."""
    writes = any(set(each.held) & {*WRITING, "USAGE"} for each in tables)
    if schema.create or schema.owned or (schema.usage and writes):
        yield Fault(
            f"can write the ledger of init, schema {LEDGER}",
            f"REVOKE ALL ON SCHEMA {LEDGER} FROM PUBLIC, {role.name};"
            f" REVOKE ALL ON ALL TABLES IN SCHEMA {LEDGER} FROM PUBLIC, {role.name};",
        )


def _find_relation_faults(role: Role, relation: Relation) -> Iterator[Fault]:
    needed = ("SELECT",) if relation.version else NEEDED[relation.kind]
    missing = [each for each in needed if each not in relation.held]
    if relation.owned:
        yield Fault(
            f"owns {relation.name}",
            # ALTER TABLE … OWNER TO turns the old owner's privileges into the new owner's.
            f"ALTER TABLE {relation.name} OWNER TO {role.owner}; {_grant(role, relation, needed)}",
        )
    elif relation.version and set(relation.held) & set(WRITING):
        yield Fault(
            f"can write Alembic's version table {relation.name}",
            f"REVOKE {', '.join(WRITING)} ON {relation.name} FROM PUBLIC, {role.name};",
            fixed_by_run=True,
        )
    elif missing and not relation.version:
        yield Fault(
            f"has no {', '.join(missing)} on {relation.name}", _grant(role, relation, missing)
        )


def _grant(role: Role, relation: Relation, rights: Sequence[str]) -> str:
    what = f"SEQUENCE {relation.name}" if relation.kind == "S" else relation.name
    return f"GRANT {', '.join(rights)} ON {what} TO {role.name};"
