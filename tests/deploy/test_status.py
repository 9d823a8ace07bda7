"""./stack status without Docker: one collection, printed as text and as JSON, whatever is missing or odd."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker import ROOT, Completed, run

MODEL = {
    "name": "shop",
    "services": {"api": {"image": "r.example/api"}, "init": {"image": "r.example/init"}},
}
FAKE = """#!/bin/sh
case $* in
  "compose config"*) echo '%s' ;;
  "compose --file -"*) echo '{"x-variables": {"REGISTRY": "r.example"}}' ;;
  %s ;;
esac
"""
ANSWERS = FAKE % (json.dumps(MODEL), "version*) echo 28.0")
STOPPED = FAKE % (json.dumps(MODEL), "*) echo 'no daemon' >&2; exit 1")
STALLED = FAKE % (json.dumps(MODEL), "*) echo >>asked; exec sleep 600")
CURRENT, PREVIOUS = "0123456789ab", "ba9876543210"
ODD = 'a "quoted" \\ path, Grüße 😀, a tab\tand \x1b[31mcolour\x1b[0m'


def status(folder: Path, *words: str, docker: str = ANSWERS, **files: str | bytes) -> Completed:
    """Run `./stack status` in a folder whose state is these files; `_` in a name is `-`."""
    (folder / "releases").mkdir()
    (folder / "stack").write_bytes((ROOT / "deploy" / "stack").read_bytes())
    (folder / "compose.yml").touch()
    (folder / "release.yml").touch()
    (folder / ".env").write_text("REGISTRY=r.example\n", encoding="utf-8")
    for name, text in files.items():
        content = text if isinstance(text, bytes) else text.encode()
        (folder / "releases" / name.replace("_", "-")).write_bytes(content)
    program = folder / "docker"
    program.write_text(docker, encoding="utf-8")
    program.chmod(0o755)
    path = f"{folder}:/usr/bin:/bin"
    return run("bash", str(folder / "stack"), "status", *words, cwd=folder, PATH=path)


def document(done: Completed) -> dict[str, Any]:
    """Return what was printed as JSON."""
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit_code"] == done.returncode
    return found


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"current": f"{CURRENT} c0ffee\n", "previous": f"{PREVIOUS}\n"},
        {"blocked": f"{PREVIOUS} - 2026-11-24T02:15:00Z its init failed\n", "history": ""},
    ],
    ids=["nothing", "files-of-releases-are-gone", "blocked-and-removed"],
)
@pytest.mark.parametrize("words", [(), ("--output", "json")], ids=["text", "json"])
def test_the_status_has_no_internal_errors(
    tmp_path: Path, files: dict[str, str], words: tuple[str, ...]
) -> None:
    """Whatever is missing in releases/; the API has no container, so the exit code is 2."""
    done = status(tmp_path, *words, **files)
    assert done.stderr == ""
    assert done.returncode == 2
    assert "api has no container" in done.stdout
    for release in {CURRENT, PREVIOUS}:
        assert (release in done.stdout) == (release in "".join(files.values()))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"open_alert": "- init failed\n"},
            "nobody was told, no alert channel was configured",
        ),
        ({"open_alert": "webhook,telegram init failed\n"}, "sent by webhook and telegram"),
        (
            {"open_alert": "webhook,telegram init failed\n", "unsent_alerts": "telegram {}\n"},
            "sent by webhook, not sent yet by telegram",
        ),
    ],
)
def test_the_status_says_who_was_told(tmp_path: Path, files: dict[str, str], words: str) -> None:
    """Nobody, those whose receiver has it, or those whose receiver has not."""
    done = status(tmp_path, **files)
    assert f"the last failure that no success has followed ({words}): init failed" in done.stdout


def test_text_and_json_say_the_same(tmp_path: Path) -> None:
    """What serves since when, what came before, what is blocked and why, the last runs."""
    files = {
        "current": f"{CURRENT} c0ffee\n",
        "previous": f"{PREVIOUS}\n",
        "blocked": f"fedcba987654 c0ffee 2026-11-25T02:15:00Z {ODD}\n",
        "history": (
            f"2026-11-20T00:00:00Z deploy ok {CURRENT} nothing -> {CURRENT}\n"
            f"2026-11-21T00:00:00Z deploy ok {PREVIOUS} x\n"
            f"2026-11-22T00:00:00Z deploy ok {CURRENT} {ODD}\n"
            f"2026-11-23T00:00:00Z deploy rolled-back {CURRENT} x\n"
            f"2026-11-24T00:00:00Z deploy ok {CURRENT} the same with another .env\n"
        ),
        "dumps": f"2026-11-24T02:15:00Z 20261124T021500Z.dump 2000 {CURRENT} c0ffee well\n",
    }
    for name in ("text", "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "backups").mkdir()
        (tmp_path / name / "backups" / "20261124T021500Z.dump").write_bytes(b"x" * 2000)
    text = status(tmp_path / "text", **files).stdout
    found = document(status(tmp_path / "json", "--output", "json", **files))
    plain = ODD.replace("\x1b", "")
    assert found["current"]["id"] == CURRENT
    assert found["current"]["since"] == "2026-11-22T00:00:00Z"
    assert f"({CURRENT}), since 2026-11-22T00:00:00Z (" in text
    assert found["previous"] == {"id": PREVIOUS, "version": None}
    assert f"before     ({PREVIOUS})" in text
    [blocked] = found["blocked"]
    assert blocked["reason"] == plain
    assert "(fedcba987654) since 2026-11-25T02:15:00Z (" in text
    assert found["runs"][2]["message"] == plain
    assert [run["result"] for run in found["runs"]] == ["ok", "ok", "ok", "rolled-back", "ok"]
    assert "2026-11-23T00:00:00Z deploy rolled-back" in text
    assert found["backup"]["file"] == "backups/20261124T021500Z.dump"
    assert found["backup"]["bytes"] == 2000
    assert "backups/20261124T021500Z.dump, 2 KB, " in text


def test_json_stays_valid_with_bytes_that_are_not_text(tmp_path: Path) -> None:
    """Of a log in another encoding, or cut within a character."""
    reason = b"cut \xe2\x82 latin \xfc, half a pair \xed\xa0\x80, \xe2\x82\xac is whole"
    found = document(status(tmp_path, "--output", "json", open_alert=b"webhook " + reason + b"\n"))
    assert found["alert"] == {
        "text": "cut ?? latin ?, half a pair ???, € is whole",
        "sent": "sent by webhook",
    }


@pytest.mark.parametrize("words", [(), ("--output", "json")], ids=["text", "json"])
def test_without_docker_the_files_are_shown(tmp_path: Path, words: tuple[str, ...]) -> None:
    """And the reason, with exit code 2; whether the services are healthy is not known."""
    done = status(tmp_path, *words, docker=STOPPED, current=f"{CURRENT} c0ffee\n")
    assert done.returncode == 2
    assert done.stderr == ""
    assert CURRENT in done.stdout
    assert "Docker does not answer; is its service running? no daemon" in done.stdout
    if words:
        assert document(done)["healthy"] is None
    else:
        assert "services   not known" in done.stdout


@pytest.mark.parametrize("words", [(), ("--output", "json")], ids=["text", "json"])
def test_without_the_command_docker(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Compose cannot be asked either, and the files are shown."""
    docker = "#!/bin/sh\necho 'docker: not found' >&2\nexit 127\n"
    done = status(tmp_path, *words, docker=docker, current=f"{CURRENT} c0ffee\n")
    assert done.returncode == 2
    assert done.stderr == ""
    assert CURRENT in done.stdout
    assert "Docker does not answer; is its service running? docker: not found" in done.stdout
    if words:
        assert document(done)["current"]["id"] == CURRENT


def test_a_docker_that_stalls_is_asked_once(tmp_path: Path) -> None:
    """It is given one bound, not one for each question."""
    release = f"# release {CURRENT}\nservices:\n  api:\n    image: r/api@sha256:1 # r/api:latest\n"
    timeout = tmp_path / "timeout"
    timeout.write_text(
        '#!/bin/sh\nwhile [ "$1" != docker ]; do shift; done\nexec /usr/bin/timeout 1 "$@"\n',
        encoding="utf-8",
    )
    timeout.chmod(0o755)
    files = {"current": f"{CURRENT} c0ffee\n", f"{CURRENT}.yml": release}
    found = document(status(tmp_path, "--output", "json", docker=STALLED, **files))
    assert found["exit_code"] == 2
    assert found["current"]["images"][0]["image"] == "r/api@sha256:1"
    assert (tmp_path / "asked").read_text() == "\n"


def test_a_docker_that_answers_and_then_stalls(tmp_path: Path) -> None:
    """Each question has an end, and what is known is shown."""
    docker = FAKE % (json.dumps(MODEL), "version*) echo 28.0 ;; *) exec sleep 600")
    timeout = tmp_path / "timeout"
    timeout.write_text('#!/bin/sh\nshift\nexec /usr/bin/timeout 1 "$@"\n', encoding="utf-8")
    timeout.chmod(0o755)
    found = document(status(tmp_path, "--output", "json", docker=docker, current=f"{CURRENT} c\n"))
    assert found["exit_code"] == 2
    assert found["healthy"] is False
    assert found["unhealthy"][0]["fault"] == "Docker does not list the containers"
    assert found["current"]["id"] == CURRENT


def test_a_label_of_several_lines(tmp_path: Path) -> None:
    """And with quotes: one version, in valid JSON."""
    docker = FAKE % (json.dumps(MODEL), "image*) printf '1.0\\n\"beta\"' ;; version*) echo 28.0")
    release = f"# release {CURRENT}\nservices:\n  api:\n    image: r/api@sha256:1 # r/api:latest\n"
    files = {"current": f"{CURRENT} c0ffee\n", f"{CURRENT}.yml": release}
    found = document(status(tmp_path, "--output", "json", docker=docker, **files))
    assert found["current"]["version"] == '1.0"beta"'
    assert found["current"]["images"][0]["version"] == '1.0"beta"'


def test_a_folder_that_is_not_prepared_is_said_in_json(tmp_path: Path) -> None:
    """With exit code 78, as in text."""
    (tmp_path / "stack").write_bytes((ROOT / "deploy" / "stack").read_bytes())
    done = run("bash", str(tmp_path / "stack"), "status", "--output", "json", cwd=tmp_path)
    found = document(done)
    assert done.returncode == 78
    assert found["fault"] == f"there is no compose.yml in {tmp_path}"
    assert found["current"] is None


def test_a_lock_that_a_run_holds_is_seen_and_not_touched(tmp_path: Path) -> None:
    """A run that begins while the status looks must find the lock free."""
    lock = tmp_path / "releases" / "lock"
    part = shlex.quote(f"{ROOT}/deploy/stack.d/lock.sh")
    lock.parent.mkdir()
    lock.touch()
    script = f"STATE=releases; source {part}; is_locked && echo held || echo free"
    assert run("bash", "-c", script, cwd=tmp_path).stdout == "free\n"
    held = f"exec 9>releases/lock; flock 9; {script}"
    assert run("bash", "-c", held, cwd=tmp_path).stdout == "held\n"


TIMER = """#!/bin/sh
case $1 in
  is-active) exit 0 ;;
  show) [ "$TZ" = UTC ] && echo 'Thu 2026-11-26 02:45:12 UTC' ;;
esac
"""


def test_the_next_run_of_the_timer(tmp_path: Path) -> None:
    """As systemd says it."""
    (tmp_path / "systemctl").write_text(TIMER, encoding="utf-8")
    (tmp_path / "systemctl").chmod(0o755)
    found = document(status(tmp_path, "--output", "json"))
    assert found["timer"] == {"name": "stack-shop.timer", "next": "2026-11-26T02:45:12Z"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "in the future"),
        (119, "119 s ago"),
        (3600, "60 minutes ago"),
        (90000, "25 hours ago"),
        (864000, "10 days ago"),
    ],
)
def test_how_long_ago(tmp_path: Path, seconds: int, words: str) -> None:
    """In the unit that a person would use."""
    part = shlex.quote(f"{ROOT}/deploy/stack.d/status_text.sh")
    done = run("bash", "-c", f"source {part}; describe_age {seconds}", cwd=tmp_path)
    assert done.stdout == f"{words}\n"
