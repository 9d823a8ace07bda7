"""Settings and Compose files mean to the script what they mean to Compose, which is asked.

Only the programs `docker` and `docker compose` are needed here, not the engine.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from compose_init.server.env_file import read_lines
from tests.support.docker import ROOT, Completed, run

CASES = {
    "plain": ("5", "5"),
    "spaces": ("  5  ", "5"),
    "comment": ("5 # five", "5"),
    "tab before the comment": ("5\t# five", "5\t# five"),
    "no space before the comment": ("5#five", "5#five"),
    "empty": ("", ""),
    "only a comment": ("# five", "# five"),
    "double quotes": ('"5"', "5"),
    "double quotes and a comment": ('"5" # five', "5"),
    "double quotes, a TAB and a comment": ('"5"\t# five', "5"),
    "single quotes": ("'5 # five'", "5 # five"),
    "other quotes inside": ('"it\'s"', "it's"),
    "escaped quotes": (r'"say \"five\""', 'say "five"'),
    "escaped line end": (r'"a\nb"', "a\nb"),
    "no escape in single quotes": (r"'a\nb'", r"a\nb"),
    "no escape without quotes": (r"a\nb", r"a\nb"),
    "two lines": ('"a\nb"', "a\nb"),
    "two lines, one like another setting": ('"a\nSTACK_KEEP=9"', "a\nSTACK_KEEP=9"),
    "two lines in single quotes": ("'a\n# b'", "a\n# b"),
    "Windows line end": ("5\r", "5"),
    "Windows line end after quotes": ('"5"\r', "5"),
    "variable": ("$FIVE", "5"),
    "variable in braces": ("${FIVE}0", "50"),
    "variable in double quotes": ('"${FIVE}0"', "50"),
    "variable in single quotes": ("'$FIVE'", "$FIVE"),
    "default": ("${NONE:-6}", "6"),
    "default of an empty one": ("${EMPTY-6}", ""),
    "alternative": ("${FIVE:+yes}", "yes"),
    "unknown variable": ("a$NONE", "a"),
    "variable that comes later": ("$LATER", ""),
    "two dollar signs": ("a$$b", "a$b"),
    "escaped dollar sign": (r'"\$FIVE"', r"$FIVE"),
    "percent": ("100%", "100%"),
    "backslash at the end": ("a\\", "a\\"),
    "equals sign": ("a=b=c", "a=b=c"),
    "colon": ("a:b", "a:b"),
    "markup": ("<a>&b", "<a>&b"),
    "not ASCII": ("größer 日本", "größer 日本"),
    "line separator": ("a\u2028b", "a\u2028b"),
    "glob": ("*", "*"),
    "backquotes": ("`id`", "`id`"),
    "command": ("'$(id)'", "$(id)"),
    "tabs inside": ("a\tb", "a\tb"),
}
"""What stands behind `STACK_VERIFY=` in .env, and what it means."""

REST = 'EMPTY=\nFIVE=5\nSTACK_VERIFY={}\nLATER=7\nexport STACK_KEEP = "3"\nSTACK_PROBE_SERVICE: web # of YAML\n'


def call(folder: Path, script: str, **environment: str) -> Completed:
    """Run a script in a folder, with the functions of deploy/stack that ask Compose."""
    parts = ("state", "messages", "tool", "compose", "model", "settings", "configuration")
    sources = " ".join(f"source {ROOT}/deploy/stack.d/{name}.sh;" for name in parts)
    head = f"set -Eeuo pipefail; export LC_ALL=C; STATE=releases EXIT_USAGE=78 DOCKER_FAULT= EVENT=; {sources}"
    return run("bash", "-c", f"{head} {script}", timeout=60, cwd=folder, **environment)


def settings(folder: Path, *names: str, **environment: str) -> list[str]:
    """Return settings as the script reads them, with `none` as the default."""
    printed = "; ".join(f"setting {name} none; printf '\\0'" for name in names)
    done = call(folder, f"classify_services() {{ :; }}; read_settings; {printed}", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\0")[:-1]


@pytest.fixture(name="folder")
def _folder(engine: None, tmp_path: Path) -> Path:
    del engine
    (tmp_path / "compose.yml").write_text("services: {api: {image: a}}\n", encoding="utf-8")
    (tmp_path / "releases").mkdir()
    return tmp_path


@pytest.mark.parametrize(("text", "value"), CASES.values(), ids=CASES)
def test_a_setting_is_what_compose_reads(folder: Path, text: str, value: str) -> None:
    """In whatever form it stands in .env, and beside others."""
    (folder / ".env").write_bytes(REST.format(text).encode())
    names = ("STACK_VERIFY", "STACK_KEEP", "STACK_PROBE_SERVICE", "STACK_SERVICES")
    assert settings(folder, *names) == [value or "none", "3", "web", "none"]
    (folder / "compose.yml").write_text(
        'services: {api: {image: a, labels: {v: "${STACK_VERIFY}"}}}'
    )
    done = run("docker", "compose", "config", "--format", "json", cwd=folder)
    label = json.loads(done.stdout)["services"]["api"]["labels"]["v"]
    assert label.replace("$$", "$") == value  # what Compose itself puts into a container


@pytest.mark.parametrize(("text", "value"), CASES.values(), ids=CASES)
def test_the_check_reads_the_same(text: str, value: str) -> None:
    """What compose-init checks is what the script and Compose use; a TAB before a comment it refuses."""
    faults: list[str] = []
    found = {line.name: line.value for line in read_lines(REST.format(text), faults)}
    if "\t#" in value:
        assert faults == [
            "line 3: STACK_VERIFY: a TAB before # begins no comment for Compose; write a space"
        ]
    else:
        assert (found["STACK_VERIFY"], faults) == (value, [])
    assert (found["STACK_KEEP"], found["STACK_PROBE_SERVICE"]) == ("3", "web")


PIECES = (
    *(
        "a",
        " ",
        "\t",
        "#",
        " #",
        "'",
        '"',
        "\\",
        r"\n",
        r"\"",
        r"\'",
        r"\$A",
        r"\012",
        r"\0101",
        "\n",
        "\r",
        "ü",
    ),
    *(
        "$",
        "$$",
        "$A",
        "${A}",
        "${B:-x}",
        "${A:+y}",
        "${N-z}",
        "${N:-${A}}",
        "${",
        "}",
        "$5",
        "=",
        ":",
        "%",
    ),
)
"""What a value is made of that could be read in several ways."""


@given(st.data())
@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_value_is_read_as_by_compose(folder: Path, data: st.DataObject) -> None:
    """Quotes, escapes, variables and comments in any order: the same value, or a fault."""
    quote = data.draw(st.sampled_from(["", '"', "'"]))
    body = "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=6)))
    text = f"A=5\nE=\nV={quote}{body}{quote}{data.draw(st.sampled_from(['', ' # c', '  ']))}\nW=1\n"
    (folder / ".env").write_bytes(text.encode())
    faults: list[str] = []
    found = {line.name: line.value for line in read_lines(text, faults)}
    done = call(folder, "compose_variables A V W")
    if done.returncode:
        assert faults, done.stderr
    elif not faults:
        lines = [line.split("\t") for line in done.stdout.splitlines()]
        texts = {name: json.loads(f'"{string}"').replace("$$", "$") for name, string in lines}
        assert texts == {"A": "5", "V": found["V"], "W": found["W"]}


def test_the_environment_decides(folder: Path) -> None:
    """As for Compose, a variable of the environment stands above .env, and in its values."""
    (folder / ".env").write_text("STACK_KEEP=3\nSTACK_VERIFY=$OUTER\nCOMPOSE_FILE=other.yml\n")
    (folder / "other.yml").write_text("services: {api: {image: a}}\n")
    given = {"STACK_KEEP": "4\n'5\"", "OUTER": "of the machine"}
    names = ("STACK_KEEP", "STACK_VERIFY", "COMPOSE_FILE")
    assert settings(folder, *names, **given) == ["4\n'5\"", "of the machine", "other.yml"]


def test_what_compose_cannot_read_is_said(folder: Path) -> None:
    """Exit code 78, in Compose's words, for .env as for a Compose file."""
    (folder / ".env").write_text('A="1\n')
    done = call(folder, "read_settings")
    assert done.returncode == 78
    assert "Compose cannot read its files or .env: " in done.stderr
    assert "unterminated quoted value" in done.stderr
    (folder / ".env").write_text("A=1\n")
    (folder / "compose.yml").write_text("services: {api: {image: }\n")
    done = call(folder, "read_settings")
    assert done.returncode == 78
    assert "yaml" in done.stderr


ODD: dict[str, Any] = {
    "x-other": {"services": {"no": {"image": "no"}}},
    "services": {
        "1": {"image": "one", "restart": "no", "command": "image: x"},
        "true": {"image": "two", "labels": {"a": "x\n  no:\n    image: no\n", '"': "b"}},
        "a.b-c_d": {"image": "three:3", "deploy": {"replicas": 3, "labels": {"replicas": "9"}}},
        "many": {"image": "four@sha256:" + "0" * 64, "scale": 2, "restart": "unless-stopped"},
        "built": {"build": "."},
    },
}


def test_services_of_odd_names(folder: Path) -> None:
    """Names that YAML quotes, values that look like keys, extensions, comments."""
    (folder / "compose.yml").write_text(json.dumps(ODD))
    done = call(folder, "MODEL=$(compose_model); list_services")
    assert sorted(done.stdout.splitlines()) == [
        "1 one 1 no",
        "a.b-c_d three:3 3 -",
        "built - 1 -",
        f"many four@sha256:{'0' * 64} 2 unless-stopped",
        "true two 1 -",
    ], done.stderr


PLACES = (
    "with space",
    'with "quotes"',
    "with $dollar",
    "with\ttab",
    "ümlaut",
    "back\\slash",
    "a&b",
)


@pytest.mark.parametrize("name", PLACES)
def test_files_of_odd_names_are_a_part_of_the_configuration(folder: Path, name: str) -> None:
    """Secrets, configs and read-only mounts, in a folder whose own name is odd too."""
    here = folder / name
    here.mkdir()
    for part in ("secret", "config", "mount"):
        (here / f"{name} {part}").write_text("one")
    escaped = name.replace("$", "$$")
    places = {part: f"./{escaped} {part}" for part in ("secret", "config", "mount")}
    mount = {"type": "bind", "source": places["mount"], "target": "/m", "read_only": True}
    api = {"image": "a", "secrets": ["s"], "configs": ["c"], "volumes": [mount]}
    document = {
        "name": "odd",
        "services": {"api": api},
        "secrets": {"s": {"file": places["secret"]}},
        "configs": {"c": {"file": places["config"]}},
    }
    (here / "compose.yml").write_text(json.dumps(document))

    def configuration() -> str:
        done = call(here, "MODEL=$(compose_model) INIT_SERVICE=init; configuration_hash")
        assert done.returncode == 0, done.stderr
        return done.stdout

    seen = {configuration()}
    for part in places:
        (here / f"{name} {part}").write_text("two")
        seen.add(configuration())
    assert len(seen) == 4


def test_variables_are_a_part_of_the_configuration(folder: Path) -> None:
    """Where a service gets them: in its model, or as a secret, of which the model has only the name."""
    services = {"api": {"image": "a", "environment": {"COLOUR": "${COLOUR}"}, "secrets": ["t"]}}
    document = {"services": services, "secrets": {"t": {"environment": "TOKEN"}}}
    (folder / "compose.yml").write_text(json.dumps(document))

    def configuration(text: str) -> str:
        (folder / ".env").write_text(text)
        done = call(folder, "MODEL=$(compose_model) INIT_SERVICE=init; configuration_hash")
        assert done.returncode == 0, done.stderr
        return done.stdout

    before = configuration("COLOUR=red\nTOKEN=1\n")
    assert configuration("# words\nTOKEN='1'\nCOLOUR = red # words\nSTACK_KEEP=5\n") == before
    assert configuration("COLOUR=blue\nTOKEN=1\n") != before
    assert configuration("COLOUR=red\nTOKEN='1\nSTACK_KEEP=5'\n") != before


def test_json_texts() -> None:
    """Every character that a JSON string can have comes through, also those that bash or awk know."""
    texts = [
        "\\",
        '"',
        "\\\\n",
        "\t\n\b\f",
        "\x01\x1f",
        "\u2028\u2029",
        "a\\u0041",
        "é€",
        "-n",
        "%s",
        "",
    ]
    for text in texts:
        string = json.dumps(text, ensure_ascii=False)[1:-1].replace("\u2028", "\\u2028")
        done = call(ROOT, f"json_text {shlex.quote(string)}")
        assert done.stdout == text
        lines = call(ROOT, f"json_lines <<<{shlex.quote(json.dumps({text: [text]}))}").stdout
        name = json.dumps(text)[1:-1]
        assert lines == f"{name}\t0\t{name}\n"
