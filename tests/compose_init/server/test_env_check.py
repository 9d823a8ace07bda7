"""A server's `.env`: every fault at once, by line; and nothing wrong where nothing is."""

from __future__ import annotations

import re
import string
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose_init.errors import SettingsError
from compose_init.server.compose_file import named_variables
from compose_init.server.env_check import STACK, check

ROOT = Path(__file__).parents[3]
COMPOSE = """
services:
  api:
    image: ${REGISTRY:?set it in .env}/api:${API_TAG:-latest}  # not ${COMMENTED}
    environment:
      HOST: ${REGISTRY}
      TZ:
      PASSWORD: $$NOT_ONE
      BOTH: ${OUTER:-${INNER}}
      LOG_LEVEL: ${LOG_LEVEL:-INFO}
      INIT_LOCK_TIMEOUT: ${INIT_LOCK_TIMEOUT:-300}
"""
RIGHT = "COMPOSE_FILE=compose.yml:release.yml\nREGISTRY=ghcr.io/me\n"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "compose.yml").write_text(COMPOSE, encoding="utf-8")
    return tmp_path


def faults(folder: Path, text: str | bytes, mode: int = 0o600) -> list[str]:
    """Return the faults that `check` finds, one per line."""
    path = folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    try:
        check(path, [folder / "compose.yml"])
    except SettingsError as error:
        return str(error).splitlines()[1:] or [str(error)]
    return []


def test_what_a_compose_file_names() -> None:
    """By Compose's rules, comments left out."""
    assert named_variables(COMPOSE) == {
        **dict.fromkeys(("API_TAG", "TZ", "OUTER", "INNER", "LOG_LEVEL"), False),
        "INIT_LOCK_TIMEOUT": False,
        "REGISTRY": True,
    }


@pytest.mark.parametrize(
    "text",
    [
        RIGHT,
        RIGHT + "# a comment\n\nAPI_TAG=1.2.0 # with words after it\n",
        RIGHT + "export API_TAG='1 2'\nTZ=\"Europe/Berlin\"  # quoted\n",
        RIGHT
        + "API_TAG = 1\nTZ: UTC\nexport OUTER='a\n# b'\nSTACK_PROBE_URL=http://${REGISTRY}/\n",
        RIGHT.replace("\n", "\r\n") + 'STACK_KEEP="5"\t# five\r\n',
        "\ufeff" + RIGHT + "INNER=3\nSTACK_KEEP=${INNER}0\n",
        RIGHT + "DOCKER_HOST=unix:///x\nSTACK_KEEP=3\nOUTER=\nLOG_LEVEL=debug\n",
    ],
)
def test_nothing_wrong(folder: Path, text: str) -> None:
    """Nothing is said."""
    assert faults(folder, text) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("API_TAG", "line 3: must look like NAME=value"),
        ("API TAG=1", "line 3: the text before = is not a valid name"),
        ("API_TAG=1\t# one", "line 3: API_TAG: a TAB before # begins no comment for Compose"),
        ("API_TAG=${", "line 3: API_TAG: a variable in braces must look like"),
        ("API_TAG=${NOT_SET:?}", "line 3: API_TAG: a variable that it requires by ? is not set"),
        ("1TAG=1", "line 3: the text before = is not a valid name"),
        ("API_TAG='1", "line 3: API_TAG: the quote is not closed"),
        ('API_TAG="1" 2', "line 3: API_TAG: the quote is not closed, or more follows"),
        ("REGISTRY=other", "line 3: REGISTRY: is set already, in line 2"),
        ("APY_TAG=1", "line 3: APY_TAG: nothing reads it; did you mean API_TAG?"),
        ("STACK_KEPT=3", "line 3: STACK_KEPT: nothing reads it; did you mean STACK_KEEP?"),
        ("COMMENTED=1", "line 3: COMMENTED: nothing reads it; no compose file names it"),
        ("API_TAG=changeme", "line 3: API_TAG: is still a placeholder"),
        ("API_TAG=<tag>", "line 3: API_TAG: is still a placeholder"),
        ("TZ=registry.example.com", "line 3: TZ: is still a placeholder"),
        ("STACK_KEEP=1", "line 3: STACK_KEEP: must be a whole number from 2 on, found '1'"),
        ("STACK_BACKUP=maybe", "line 3: STACK_BACKUP: must be true or false, found 'maybe'"),
        ("STACK_PROBE_URL=localhost", "line 3: STACK_PROBE_URL: must look like http://"),
        ("STACK_SERVICES=api;rm", "line 3: STACK_SERVICES: must be names of services"),
        ("STACK_KEEP=$REGISTRY", "line 3: STACK_KEEP: must be a whole number from 2 on"),
        ("STACK_KEEP='$REGISTRY'", "line 3: STACK_KEEP: must be a whole number"),
        ('TZ="a\nb"\nSTACK_KEEP=1', "line 5: STACK_KEEP: must be a whole number from 2 on"),
        ("COMPOSE_PATH_SEPARATOR=,", "COMPOSE_PATH_SEPARATOR: must be removed"),
        ("INIT_LOCK_TIMEOUT=soon", "line 3: INIT_LOCK_TIMEOUT: must be a number of seconds"),
        ("LOG_LEVEL=LOUD", "line 3: LOG_LEVEL: must be one of"),
        ("POSTGRES_PASSWORD=s3cret", "line 3: POSTGRES_PASSWORD: is a secret"),
    ],
)
def test_a_fault_is_named(folder: Path, line: str, words: str) -> None:
    """By line, with what to do; a secret is not shown."""
    found = faults(folder, f"{RIGHT}{line}\n")
    assert any(words in each for each in found), found
    assert "s3cret" not in str(found)


def test_all_at_once(folder: Path) -> None:
    """Missing, empty, release.yml, mode."""
    found = faults(folder, b"REGISTRY=\nCOMPOSE_FILE=compose.yml\n", 0o644)
    said = "\n".join(found)
    assert "REGISTRY: is empty; the compose files need it" in said
    assert "COMPOSE_FILE: must end with :release.yml" in said
    assert "chmod 600 .env" in said
    assert "REGISTRY: is missing" in "\n".join(faults(folder, "COMPOSE_FILE=a:release.yml\n"))


def test_what_cannot_be_read(folder: Path) -> None:
    """A file that is not text, or does not exist."""
    assert "is not UTF-8 text" in faults(folder, b"A=\xff")[0]
    with pytest.raises(SettingsError, match="nowhere does not exist"):
        check(folder / "nowhere", [])


def test_secrets_beside_it(folder: Path) -> None:
    """The folder's mode; files that are missing, empty or not filled in."""
    compose = folder / "compose.yml"
    compose.write_text(
        COMPOSE + "secrets:\n  a:\n    file: ./secrets/a\n  b:\n    file: ./secrets/b\n"
    )
    secrets = folder / "secrets"
    secrets.mkdir()
    secrets.chmod(0o755)
    (secrets / "a").write_text("changeme\n")
    (secrets / "c").write_text("\n")
    found = "\n".join(faults(folder, RIGHT))
    assert "chmod 700 secrets" in found
    assert "secrets/b: is missing; the compose files name it" in found
    assert "secrets/a: is still a placeholder" in found
    assert "secrets/c: is empty" in found
    secrets.chmod(0o700)
    for name in "abc":
        (secrets / name).write_text("a good one")
    assert faults(folder, RIGHT) == []


@given(
    st.dictionaries(
        st.sampled_from(["API_TAG", "TZ", "OUTER", "INNER"]),
        st.text(string.ascii_letters + string.digits + " #=$\\'\"_-.", max_size=20),
    )
)
def test_a_value_is_never_said(values: dict[str, str]) -> None:
    """What could be a secret stays out of a message, whatever is wrong with it."""
    marked = {name: f"zq{value}zq" for name, value in values.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "compose.yml").write_text(COMPOSE, encoding="utf-8")
        lines = "".join(f"{name}={value}\n" for name, value in marked.items())
        assert "zq" not in str(faults(folder, RIGHT + lines + "BROKEN\n"))


@pytest.mark.parametrize(
    "line", ["env_file: .env", "env_file: ['.env']", "env_file:\n      - path: ./.env"]
)
def test_a_file_that_gets_everything(folder: Path, line: str) -> None:
    """With `env_file: .env` only the kit's own names can be judged."""
    compose = folder / "compose.yml"
    compose.write_text(f"{COMPOSE}    {line}\n")
    found = faults(folder, RIGHT + "ANYTHING=1\nSTACK_KEPT=1\n")
    assert [each.partition(":")[2].partition(":")[0].strip() for each in found] == ["STACK_KEPT"]


def test_the_example_documents_every_variable(tmp_path: Path) -> None:
    """Each that the compose files or the script read, and no other; its only fault is to be an example."""
    text = (ROOT / "deploy" / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))
    files = [ROOT / "compose.prod.example.yml", *sorted((ROOT / "deploy").glob("compose.*.yml"))]
    read = set().union(*(named_variables(file.read_text(encoding="utf-8")) for file in files))
    assert named == read | set(STACK) | {"COMPOSE_FILE"}
    path = tmp_path / ".env"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "roles.sh").write_text("#!/bin/sh\n")
    for name in ("postgres_password", "application_password", "bot_token"):
        (tmp_path / "secrets" / name).write_text("a good one")
    with pytest.raises(SettingsError) as caught:
        check(path, files)
    [fault] = str(caught.value).splitlines()[1:]
    assert "REGISTRY: is still a placeholder" in fault
    path.write_text(
        re.sub(
            r"^#(?=[A-Z]+_?[A-Z_]*=)",
            "",
            text.replace("example.com", "mine.net"),
            flags=re.MULTILINE,
        )
    )
    with pytest.raises(SettingsError) as caught:
        check(path, files)
    assert set(re.findall(r"line \d+: (\w+): (.*)", str(caught.value))) == {
        ("COMPOSE_FILE", "is set already, in line 6")
    }


def test_the_command(folder: Path) -> None:
    """Exit code 78 and the faults, or 0 and a line."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "compose_init", "check", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(ROOT), "LOG_JSON": "false"},
        )

    path = folder / ".env"
    path.write_text(RIGHT)
    path.chmod(0o600)
    assert call("--env-file", ".env").stdout == ".env: 2 variables, nothing wrong\n"
    path.write_text("REGISTRY\n")
    wrong = call("--env-file", ".env", "--compose-file", "compose.yml")
    assert wrong.returncode == 78
    assert "line 1: must look like NAME=value" in wrong.stderr


@pytest.mark.parametrize(
    "text",
    ["./secrets/a b", '"./secrets/a b"  # why', "'./secrets/a b'", "./secrets/a b # why"],
)
def test_a_secret_whose_path_has_a_space(folder: Path, text: str) -> None:
    """It is the whole path that must be there."""
    (folder / "compose.yml").write_text(f"{COMPOSE}secrets:\n  a:\n    file: {text}\n")
    (folder / "secrets").mkdir(mode=0o700)
    assert faults(folder, RIGHT) == ["  secrets/a b: is missing; the compose files name it"]
    (folder / "secrets" / "a b").write_text("a good one")
    assert faults(folder, RIGHT) == []


def test_a_way_to_be_told_that_would_fail(folder: Path) -> None:
    """A webhook that is no address, a bot without a chat; a secret is not shown."""
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "alert_webhook").write_text("hooks.s3cret\n")
    (secrets / "alert_telegram_token").write_text("12:ab\n")
    found = "\n".join(faults(folder, RIGHT))
    assert "secrets/alert_webhook: must look like http://" in found
    assert "STACK_TELEGRAM_CHAT: is missing" in found
    assert "s3cret" not in found
    (secrets / "alert_webhook").write_text("https://hooks/s3cret\n")
    assert faults(folder, f"{RIGHT}STACK_TELEGRAM_CHAT=-42\n") == []
