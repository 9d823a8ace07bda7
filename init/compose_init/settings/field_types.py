"""Types of variables: from text to a value, or to a fault in our own words.

A fault says what is wrong and what to do. It never quotes a value that may be a secret.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from compose_init.database import url
from compose_init.files import find_alembic_config, find_manifest
from compose_init.flags import FLAGS
from compose_seeder.errors import ManifestError
from compose_seeder.header import FIELD_NAME, VALUE_FAULTS, fits_header
from compose_seeder.sources.location import check_url

T = TypeVar("T")

DAY_SECONDS = 86_400
OWN_FAULT = "setting"
"""The type of the faults that are worded here; pydantic's own have others."""


def _fault(problem: str) -> PydanticCustomError:
    return PydanticCustomError(OWN_FAULT, "{problem}", {"problem": problem})


def is_web_address(text: str) -> bool:
    """Tell if the text is an http or https URL with a host, and a valid port where it names one."""
    try:
        parts = urlsplit(text)
        number = parts.port  # read for its ValueError
    except ValueError:
        return False
    host = parts.hostname or " "
    named = host.isprintable() and " " not in host
    return parts.scheme in {"http", "https"} and named and number != 0


def _web_address(text: str) -> str:
    if not is_web_address(text):
        raise _fault("must look like http://api:8000")
    return text


def _token_url(text: str) -> str:
    if not is_web_address(text) or urlsplit(text).username:
        raise _fault("must look like https://login.example.com/token")
    return text


def _health_path(text: str) -> str:
    if not text.startswith("/"):
        raise _fault(f"must begin with /, found {text!r}")
    if not text.isprintable():
        raise _fault(f"holds what no address may, found {text!r}")
    return text


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in FLAGS:
        return FLAGS[value.lower()]
    raise _fault(f"must be true or false, found {value!r}")


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _address(secret: SecretStr) -> SecretStr:
    _worded(url.from_url, secret.get_secret_value())
    return secret


def _port(text: str) -> str:
    try:
        return url.port(text)
    except ValueError as error:
        raise _fault(f"{error}; found {text!r}") from None


def _worded(parse: Callable[[Any], T], text: Any) -> T:
    """Return what `parse` makes of the text; its `ValueError` says nothing of a password."""
    try:
        return parse(text)
    except ValueError as error:
        raise _fault(str(error)) from None


def _header_secret(secret: SecretStr) -> SecretStr:
    if not fits_header(secret.get_secret_value()):
        raise _fault(f"holds what no header may: {VALUE_FAULTS}")
    return secret


def _headers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    headers = {}
    for number, line in enumerate(value.splitlines(), start=1):
        name, colon, text = line.partition(":")
        if not line.strip():
            continue
        if not (colon and FIELD_NAME.fullmatch(name.strip())):
            raise _fault(f"line {number} must look like Name: value")
        if not fits_header(text.strip()):
            raise _fault(f"line {number} holds what no header may: {VALUE_FAULTS}")
        headers[name.strip()] = text.strip()
    return headers


def _words(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise _fault(f"cannot be split into words: {error}") from None


def _alembic_config(named: Any) -> Path | None:
    return _worded(find_alembic_config, named)


def _manifest(named: Any) -> str | None:
    if named is None or "://" not in named:
        return _worded(find_manifest, named)
    try:
        check_url(named)
    except ManifestError as error:
        raise _fault(str(error)) from None
    return str(named)


def _report(named: str) -> str:
    if os.path.isdir(named):  # noqa: PTH112 - never raises
        raise _fault(f"{named} is a folder; name a file in it")
    if not os.access(Path(named).absolute().parent, os.W_OK):
        raise _fault(f"the folder of {named} is not there, or cannot be written")
    return named


Seconds = Annotated[float, Field(gt=0, lt=DAY_SECONDS, allow_inf_nan=False)]
Flag = Annotated[bool, BeforeValidator(_flag)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_address)]
Port = Annotated[str, AfterValidator(_port)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
TokenUrl = Annotated[str, AfterValidator(_token_url)]
HealthPath = Annotated[str, AfterValidator(_health_path)]
HeaderSecret = Annotated[SecretStr, AfterValidator(_header_secret)]
Headers = Annotated[dict[str, str], BeforeValidator(_headers)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
AlembicConfig = Annotated[Path | None, BeforeValidator(_alembic_config)]
"""An `alembic.ini` or a folder, absolute; of the working folder where the variable is not set."""
ManifestLocation = Annotated[str | None, BeforeValidator(_manifest)]
"""An absolute path or a URL; the default's where the variable is not set and the file is there."""
ReportFile = Annotated[str, AfterValidator(_report)]
