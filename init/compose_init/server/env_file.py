"""A server's `.env`, checked against the compose files that read it, before anything happens.

Compose itself takes a name that it does not know without a word, and an empty value for one that is
missing. Here every fault is said at once, by line, and never with a value that could be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from compose_init.errors import SettingsError
from compose_init.flags import FLAGS
from compose_init.settings import KNOWN, SECRET
from compose_init.settings import read as read_settings
from compose_init.settings.field_types import is_web_address

Rule = Callable[[str], str]
"""A value -> what is wrong with it, with the value where it is no secret; empty where nothing is."""


def _whole(least: int) -> Rule:
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
    "STACK_PROBE_TIMEOUT": _whole(1),
    "STACK_WAIT_TIMEOUT": _whole(1),
    "STACK_KEEP": _whole(2),
    "STACK_MIN_FREE_MB": _whole(0),
    "STACK_BACKUP": _flag,
    "STACK_BACKUP_KEEP": _whole(1),
    "STACK_BACKUP_SERVICE": _names,
    "STACK_VERIFY": _any,
    "STACK_TELEGRAM_CHAT": _any,
    "STACK_TELEGRAM_API": _url,
}
"""Variables of deploy/stack; everything else in `.env` is for the compose files."""
RELEASE = "release.yml"
"""Where deploy/stack writes the images of the release that runs."""
COMPOSE = ("COMPOSE_", "DOCKER_", "BUILDX_", "BUILDKIT_")
"""What Docker itself reads."""
OURS = tuple(
    name for name in KNOWN if name.endswith("_TIMEOUT") or name in {"LOG_LEVEL", "LOG_JSON"}
)
"""Settings of init whose values can be judged one by one."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
REFERENCE = re.compile(
    r"\$(?:(?P<escape>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<operator>:?[-?+])?)|(?P<end>\})",
    re.ASCII,
)
PASSED = re.compile(
    r"^\s+(?:-\s+[\"']?([A-Z_][A-Z0-9_]*)[\"']?|([A-Z_][A-Z0-9_]*):)\s*$", re.MULTILINE
)
SECRET_FILE = re.compile(r"^\s+file:\s*[\"']?(\./[^\s\"'#$]+)", re.MULTILINE)
WHOLE = re.compile(r"^\s+(?:env_file:|-)\s*[\"']?(?:\./)?\.env\b", re.MULTILINE)
PLACEHOLDER = re.compile(
    r"change[_-]?me|replace[_-]?me|\btodo\b|<[^<>]*>|\byour-|\bx{3,}\b|\bexample\.(?:com|org|net)\b",
    re.IGNORECASE,
)
FOR_OTHERS = 0o007
FOR_OTHERS_AND_GROUP = 0o077


@dataclass(frozen=True)
class Line:
    """A variable, as it stands in the file."""

    number: int
    name: str
    value: str


def check(path: Path, compose_files: Sequence[Path]) -> int:
    """How many variables there are, where nothing is wrong.

    Args:
        path: of `.env`; `secrets/` beside it is looked at too.
        compose_files: what reads it.

    Raises:
        SettingsError: with every fault.
    """
    faults: list[str] = []
    lines = list(_lines(_text(path), faults))
    text = "\n".join(_text(file) for file in compose_files)
    wanted = variables(text)
    values = {line.name: line.value for line in lines}
    faults += _values(lines)
    faults += _missing(values, wanted)
    faults += _unknown(lines, wanted, anything=bool(WHOLE.search(text)))
    faults += _secrets(lines, wanted)
    faults += _release(values)
    faults += _alerts(values, path.parent / "secrets")
    faults += _modes(path)
    faults += _secret_files(path.parent, SECRET_FILE.findall(_without_comments(text)))
    if faults:
        raise SettingsError("\n".join([f"{path} is wrong:", *(f"  {fault}" for fault in faults)]))
    return len(lines)


def variables(text: str) -> dict[str, bool]:
    """The variables that a compose file's text names, and whether it needs each of them.

    By Compose's rules: `$$` is a dollar sign; `:-`, `-`, `:+` and `+` have something to fall back on,
    and so has what stands inside such a fallback.
    """
    found: dict[str, bool] = {}
    text = _without_comments(text)
    open_braces = 0
    for match in REFERENCE.finditer(text):
        if match["end"]:
            open_braces = max(0, open_braces - 1)
            continue
        name = match["plain"] or match["braced"]
        if name:
            needed = match["operator"] in {None, "?", ":?"} and not open_braces
            found[name] = found.get(name, False) or needed
        open_braces += match["braced"] is not None
    for listed, mapped in PASSED.findall(text):
        found.setdefault(listed or mapped, False)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path} is not there") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text (byte {error.start})") from None


def _without_comments(text: str) -> str:
    return "\n".join(_code(line) for line in text.splitlines())


def _code(line: str) -> str:
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and not line[:place].strip():
            return ""
        elif letter == "#" and line[place - 1].isspace():
            return line[:place]
    return line


def _lines(text: str, faults: list[str]) -> Iterator[Line]:
    seen: dict[str, int] = {}
    if text.startswith("\ufeff"):
        faults.append("line 1: begins with a byte order mark; save it as UTF-8 without one")
    if "\r" in text:
        faults.append("has line ends of Windows: each value would end with a carriage return")
    for number, whole in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = whole.strip().removeprefix("export ").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            faults.append(f"line {number}: must look like NAME=value")
        elif name != name.strip() or (value and value[0].isspace()):
            faults.append(f"line {number}: {name.strip()}: no spaces around =")
        elif not NAME.fullmatch(name):
            faults.append(f"line {number}: what stands before = is no name of a variable")
        elif name in seen:
            faults.append(f"line {number}: {name}: is there already, in line {seen[name]}")
        else:
            seen[name] = number
            plain = _unquoted(value)
            if plain is None:
                faults.append(f"line {number}: {name}: the quote is not closed, or more follows it")
            else:
                yield Line(number, name, plain)


def _unquoted(value: str) -> str | None:
    """As Compose reads it; None where its quotes are not right."""
    if value[:1] not in {"'", '"'} or not value:
        return re.sub(r"\s+#.*", "", value).strip()
    match = re.fullmatch(r"""'([^']*)'\s*(?:#.*)?|"((?:[^"\\]|\\.)*)"\s*(?:#.*)?""", value)
    return (match[1] or match[2] or "") if match else None


def _values(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        if PLACEHOLDER.search(line.value):
            yield f"line {line.number}: {line.name}: is still a placeholder; put your own value there"
        elif "$" in line.value and line.name in STACK:
            yield f"line {line.number}: {line.name}: is read as it stands; write the value itself, without $"
        elif line.value and line.name in STACK:
            if wrong := STACK[line.name](line.value):
                yield f"line {line.number}: {line.name}: {wrong}"
        elif line.value and line.name in OURS:
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
    """A name that nobody reads is a typing error; where a service gets the whole file, only one of ours is."""
    known = {*wanted, *STACK}
    for line in lines:
        if line.name in known or line.name.startswith(COMPOSE):
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
        yield "COMPOSE_PATH_SEPARATOR: must be left away, so that COMPOSE_FILE is read alike by all"
    elif values.get("COMPOSE_FILE", "").split(":")[-1] != RELEASE:
        yield (
            f"COMPOSE_FILE: must end with :{RELEASE}, as in COMPOSE_FILE=compose.yml:{RELEASE}, so that"
            " what is done by hand uses the images that were deployed"
        )


def _alerts(values: Mapping[str, str], secrets: Path) -> Iterator[str]:
    """A way to be told that would fail when it is needed."""
    webhook = secrets / "alert_webhook"
    with suppress(OSError):  # not there; or not to be read, which is said by another rule
        if wrong := _url(webhook.read_text("utf-8", "replace").strip()):
            yield f"secrets/alert_webhook: {wrong}"
    if (secrets / "alert_telegram_token").is_file() and not values.get("STACK_TELEGRAM_CHAT"):
        yield "STACK_TELEGRAM_CHAT: is missing; secrets/alert_telegram_token needs it"


def _modes(path: Path) -> Iterator[str]:
    if path.stat().st_mode & FOR_OTHERS:
        yield f"everybody on this machine can read it; chmod 600 {path.name}"
    secrets = path.parent / "secrets"
    if secrets.is_dir() and secrets.stat().st_mode & FOR_OTHERS_AND_GROUP:
        yield "secrets/ can be entered by others; chmod 700 secrets"


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
