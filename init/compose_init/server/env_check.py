"""The check of a server's `.env` against the Compose files that read it, before anything happens.

Compose itself accepts a name that it does not know in silence, and an empty value for one that is missing.
Here every fault is reported at once, by line, and never with a value that could be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from compose_init.errors import SettingsError
from compose_init.flags import FLAGS
from compose_init.server.compose_file import (
    named_secret_files,
    named_variables,
    passes_whole_env_file,
)
from compose_init.server.env_file import Line, read_lines
from compose_init.settings import DECLARED, SECRET
from compose_init.settings import read as read_settings
from compose_init.settings.field_types import is_web_address

Rule = Callable[[str], str]
"""A value to its fault; empty if the value is valid."""


def _integer_from(least: int) -> Rule:
    def rule(value: str) -> str:
        right = value.isascii() and value.isdigit() and int(value) >= least
        return "" if right else f"must be a whole number from {least} on, found {value!r}"

    return rule


def _flag(value: str) -> str:
    return "" if value.lower() in FLAGS else f"must be true or false, found {value!r}"


def _url(value: str) -> str:
    return "" if is_web_address(value) else "must look like http://127.0.0.1:8000/health"


def _names(value: str) -> str:
    right = re.fullmatch(r"[\w.-]+( +[\w.-]+)*", value, re.ASCII)
    return "" if right else f"must be names of services, with spaces between them, found {value!r}"


def _any(value: str) -> str:
    del value
    return ""


STACK: Mapping[str, Rule] = {
    "STACK_INIT_SERVICE": _names,
    "STACK_SERVICES": _names,
    "STACK_PROBE_URL": _url,
    "STACK_PROBE_SERVICE": _names,
    "STACK_PROBE_VERSION": _flag,
    "STACK_PROBE_TIMEOUT": _integer_from(1),
    "STACK_PULL_TIMEOUT": _integer_from(1),
    "STACK_WAIT_TIMEOUT": _integer_from(1),
    "STACK_WATCH_SECONDS": _integer_from(0),
    "STACK_KEEP": _integer_from(2),
    "STACK_MIN_FREE_MB": _integer_from(0),
    "STACK_BACKUP": _flag,
    "STACK_BACKUP_KEEP": _integer_from(1),
    "STACK_BACKUP_SERVICE": _names,
    "STACK_VERIFY": _any,
    "STACK_TELEGRAM_CHAT": _any,
    "STACK_TELEGRAM_API": _url,
}
"""Variables of deploy/stack; everything else in `.env` is for the compose files."""
RELEASE = "release.yml"
"""The file into which deploy/stack writes the images of the running release."""
DOCKER_PREFIXES = ("COMPOSE_", "DOCKER_", "BUILDX_", "BUILDKIT_")
"""The beginnings of the names that Docker itself reads."""
PLACEHOLDER = re.compile(
    r"change[_-]?me|replace[_-]?me|\btodo\b|<[^<>]*>|\byour-|\bx{3,}\b|\bexample\.(?:com|org|net)\b",
    re.IGNORECASE,
)
FOR_OTHERS = 0o007
FOR_OTHERS_AND_GROUP = 0o077


def check(path: Path, compose_files: Sequence[Path]) -> int:
    """Check a `.env`, and return the number of its variables.

    Args:
        path: of `.env`; the folder `secrets/` beside it is checked too.
        compose_files: the files that read it.

    Raises:
        SettingsError: with every fault.
    """
    faults: list[str] = []
    lines = list(read_lines(_text(path), faults))
    text = "\n".join(_text(file) for file in compose_files)
    wanted = named_variables(text)
    values = {line.name: line.value for line in lines}
    faults += _values(lines)
    faults += _missing(values, wanted)
    faults += _unknown(lines, wanted, anything=passes_whole_env_file(text))
    faults += _secrets(lines, wanted)
    faults += _release(values)
    faults += _alerts(values, path.parent / "secrets")
    faults += _modes(path)
    faults += _secret_files(path.parent, named_secret_files(text))
    if faults:
        raise SettingsError("\n".join([f"{path} is wrong:", *(f"  {fault}" for fault in faults)]))
    return len(lines)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text (byte {error.start})") from None


def _values(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        if PLACEHOLDER.search(line.value):
            yield f"line {line.number}: {line.name}: is still a placeholder; put your own value there"
        elif line.value and line.name in STACK:
            if wrong := STACK[line.name](line.value):
                yield f"line {line.number}: {line.name}: {wrong}"
        elif line.value and line.name in DECLARED and DECLARED[line.name].expected:
            try:
                read_settings({line.name: line.value}, offline=True)
            except SettingsError as error:
                yield f"line {line.number}: {str(error).partition(chr(10))[2].strip()}"


def _missing(values: Mapping[str, str], wanted: Mapping[str, bool]) -> Iterator[str]:
    for name, needed in sorted(wanted.items()):
        if needed and name not in values:
            yield f"{name}: is missing; the compose files need it"
        elif needed and not values[name]:
            yield f"{name}: is empty; the compose files need it"


def _unknown(lines: Iterable[Line], wanted: Mapping[str, bool], *, anything: bool) -> Iterator[str]:
    """Find names that nobody reads; if a service gets the whole file, only names of deploy/stack."""
    known = {*wanted, *STACK}
    for line in lines:
        if line.name in known or line.name.startswith(DOCKER_PREFIXES):
            continue
        if anything and not line.name.startswith("STACK_"):
            continue
        near = difflib.get_close_matches(line.name, sorted(known), n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else "; no compose file names it"
        yield f"line {line.number}: {line.name}: nothing reads it{hint}"


def _secrets(lines: Iterable[Line], wanted: Mapping[str, bool]) -> Iterator[str]:
    for line in lines:
        if line.name in SECRET and line.value and line.name not in wanted:
            yield f"line {line.number}: {line.name}: is a secret; put it into a file in secrets/"


def _release(values: Mapping[str, str]) -> Iterator[str]:
    if values.get("COMPOSE_PATH_SEPARATOR", ":") != ":":
        yield "COMPOSE_PATH_SEPARATOR: must be removed, so that every program reads COMPOSE_FILE in the same way"
    elif values.get("COMPOSE_FILE", "").split(":")[-1] != RELEASE:
        yield (
            f"COMPOSE_FILE: must end with :{RELEASE}, as in COMPOSE_FILE=compose.yml:{RELEASE}, so that"
            " a command typed by hand uses the deployed images"
        )


def _alerts(values: Mapping[str, str], secrets: Path) -> Iterator[str]:
    """Find an alert channel that would fail when it is needed."""
    webhook = secrets / "alert_webhook"
    with suppress(OSError):  # missing; or not readable, which another rule reports
        if wrong := _url(webhook.read_text("utf-8", "replace").strip()):
            yield f"secrets/alert_webhook: {wrong}"
    if (secrets / "alert_telegram_token").is_file() and not values.get("STACK_TELEGRAM_CHAT"):
        yield "STACK_TELEGRAM_CHAT: is missing; secrets/alert_telegram_token needs it"


def _modes(path: Path) -> Iterator[str]:
    if path.stat().st_mode & FOR_OTHERS:
        yield f"every user of this machine can read it; chmod 600 {path.name}"
    secrets = path.parent / "secrets"
    if secrets.is_dir() and secrets.stat().st_mode & FOR_OTHERS_AND_GROUP:
        yield "other users can enter secrets/; chmod 700 secrets"


def _secret_files(folder: Path, named: Iterable[str]) -> Iterator[str]:
    secrets = folder / "secrets"
    try:
        there = (
            sorted(each for each in secrets.iterdir() if each.is_file()) if secrets.is_dir() else []
        )
        contents = {each: each.read_bytes() for each in there}
    except OSError as error:
        yield f"secrets/: {error.filename} cannot be read: {error.strerror}"
        return
    for name in named:
        if not (folder / name).is_file():
            yield f"{name.removeprefix('./')}: is missing; the compose files name it"
    for path, content in contents.items():
        where = path.relative_to(folder)
        if not content.strip():
            yield f"{where}: is empty"
        elif PLACEHOLDER.fullmatch(content.decode("utf-8", "replace").strip()):
            yield f"{where}: is still a placeholder"
