"""The database's address: a URL or its parts, to libpq's parameters and SQLAlchemy's URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from psycopg.pq import Conninfo

ADDRESS = (
    *("DATABASE_URL", "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER"),
    "POSTGRES_PASSWORD",
)
"""The variables that make the address."""

EXAMPLE = "postgresql://user:password@host:5432/name"

URL = re.compile(
    # Greedy up to the last @: a password may hold @ : / # and % as they are.
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+]*)://(?:(?P<login>.*)@)?(?P<hosts>[^/?#@]*)(?:/(?P<name>[^?#]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)


NO_QUOTE = "!$&'()*,;="
"""Characters of a login that a URL has as they are; + is a space to some programs."""


@dataclass(frozen=True)
class Database:
    """Where PostgreSQL is.

    Attributes:
        parameters: libpq's connection parameters, password included.
        url: the same for SQLAlchemy and the application, with every part quoted that must be.
        driver: the one that a URL names for SQLAlchemy, such as asyncpg, or "".
    """

    parameters: Mapping[str, str] = field(repr=False)
    url: str = field(repr=False)
    driver: str = ""

    @property
    def place(self) -> str:
        """Host, port and name, for messages."""
        p = self.parameters
        return f"{p.get('host', 'localhost')}:{p.get('port', '5432')}/{p.get('dbname', '')}"

    @property
    def sqlalchemy_url(self) -> str:
        """With the driver named: a bare postgresql:// means psycopg2 to SQLAlchemy before 2.1."""
        driver = self.driver or "psycopg"
        return self.url.replace("postgresql://", f"postgresql+{driver}://", 1)

    @property
    def application_url(self) -> str:
        """As the application itself was given it."""
        return self.sqlalchemy_url if self.driver else self.url


def from_url(url: str) -> Database:
    """Read a URL; a password need not be quoted, since the login ends at the last @.

    Raises:
        ValueError: it is no address of a PostgreSQL; the message holds nothing of the URL.
    """
    match = URL.fullmatch(url)
    scheme, _, driver = (match["scheme"] if match else "").partition("+")
    if match is None or scheme not in {"postgresql", "postgres"}:
        raise ValueError(f"must look like {EXAMPLE}")
    query = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
    if driver == "asyncpg" and "ssl" in query:
        query["sslmode"] = query.pop("ssl")
    user, *password = _login(match["login"])
    hosts = [_host_and_port(part) for part in match["hosts"].split(",")] if match["hosts"] else []
    parts = {
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(port(number or "5432") for _, number in hosts),
        "dbname": unquote(match["name"] or "") or user,
        "user": user,
        "password": password[0] if password else "",
        **query,
    }
    if not parts["host"] and "service" not in parts:
        raise ValueError(f"names no host; it must look like {EXAMPLE}")
    return from_parameters(parts, driver, _plain(match["login"]))


def from_variables(values: Mapping[str, str]) -> Database | None:
    """Return the address in DATABASE_URL, or in the POSTGRES_ variables; None where neither is complete.

    Args:
        values: variables that are set, by name.

    Raises:
        ValueError: as `from_url` and `port`.
    """
    if "DATABASE_URL" in values:
        return from_url(values["DATABASE_URL"])
    if "POSTGRES_HOST" not in values or "POSTGRES_USER" not in values:
        return None
    user = values["POSTGRES_USER"]
    parameters = {
        "host": values["POSTGRES_HOST"],
        "port": port(values.get("POSTGRES_PORT", "5432")),
        "dbname": values.get("POSTGRES_DB", user),
        "user": user,
        "password": values.get("POSTGRES_PASSWORD", ""),
    }
    return from_parameters(parameters)


def from_parameters(
    parameters: Mapping[str, str], driver: str = "", login: str | None = None
) -> Database:
    """Return the address with these parameters; empty parameters are left out.

    Args:
        parameters: of libpq; where a driver is named, its own among them, which only it is given.
        driver: as in `Database`.
        login: user and password for the URL, as they were given; None to quote them.
    """
    given = {name: value for name, value in parameters.items() if value}
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} if driver else given
    ours = {name: value for name, value in given.items() if name in known}
    return Database(ours, _url(dict(given), driver, login), driver)


def port(text: str) -> str:
    """Return the port, if it is valid.

    Raises:
        ValueError: without the text itself: in an address it may be part of a password.
    """
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65_536:  # noqa: PLR2004 - TCP has no more
        raise ValueError("the port must be a number from 1 to 65535")
    return text


def is_in_quotes(text: str) -> bool:
    """Tell if the text begins and ends with the same quote, as `docker run --env-file` passes values on."""
    text = text.strip()
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def password_of(url: str) -> str:
    """Return the password in a URL, even if the rest of the URL is invalid; empty if there is none."""
    match = URL.fullmatch(url)
    return "".join(_login(match["login"])[1:]) if match else ""


def _login(login: str | None) -> list[str]:
    user, colon, password = (login or "").partition(":")
    return [unquote(user), *([unquote(password)] if colon else [])]


def _host_and_port(part: str) -> tuple[str, str]:
    if part.startswith("["):  # an IPv6 address
        host, _, rest = part[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, number = part.partition(":")
    return unquote(host), number


def _plain(login: str | None) -> str | None:
    """Return user and password as they were given, if all programs read them alike; else None.

    An env.py may hand the URL to set_main_option(), which stumbles over each % that quoting would add.
    """
    if not login or "%" in login:
        return None
    try:
        parts = urlsplit(f"postgresql://{login}@host/name")
    except ValueError:
        return None
    given = parts.username or "", *([parts.password] if parts.password is not None else [])
    return login if list(given) == _login(login) and "@" not in login else None


def _url(rest: dict[str, str], driver: str, given: str | None) -> str:
    """Return a URL with every part quoted; parameters without a place in a URL go into its query."""
    user, password = rest.pop("user", ""), rest.pop("password", "")
    login = given or quote(user, safe=NO_QUOTE) + (
        f":{quote(password, safe=NO_QUOTE)}" if password else ""
    )
    hosts, ports = rest.pop("host", ""), rest.pop("port", "")
    name = quote(rest.pop("dbname", ""), safe="")
    if hosts.startswith("/") or "," in hosts:  # a socket's folder, or several servers
        rest |= {"host": hosts, "port": ports} if ports else {"host": hosts}
        place = ""
    else:
        place = (f"[{hosts}]" if ":" in hosts else hosts) + (f":{ports}" if ports else "")
    if driver == "asyncpg" and "sslmode" in rest:
        rest["ssl"] = rest.pop("sslmode")
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in rest.items())
    return f"postgresql://{login}{'@' if login else ''}{place}/{name}{'?' if query else ''}{query}"
