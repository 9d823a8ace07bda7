"""./stack doctor without Docker: its table, its frame, and checks that need nothing but this machine."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from time import time
from typing import Any

import pytest

from tests.support.docker import ROOT, Completed, run
from tests.support.http_server import in_a_thread

PARTS = (
    *(
        "head",
        "state",
        "messages",
        "model",
        "settings",
        "lock",
        "tool",
        "json",
        "alerts",
        "releases",
    ),
    *("compose", "configuration", "backup", "status", "status_text", "command_status", "timer"),
    *("installation", "data", "database", "checks_server", "checks_folder", "checks_mounts"),
    *("checks_data", "checks_release", "command_doctor"),
)
WELL = 'while read -r name _; do eval "check_$name() { ok well; }"; done <<<"$CHECKS"; '
NOTHING_IS_MISSING = "first_missing() { :; }; docker_fault() { :; }; collect_settings() { :; }; "


def call(folder: Path, script: str, **programs: str) -> Completed:
    """Run bash with the parts of the script in a folder, and programs of the test's own."""
    for name, text in programs.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    # The head goes to the folder of the script.
    sources = f"cd {shlex.quote(str(folder))}; "
    (folder / "stack").touch()
    for name in PARTS:
        text = (ROOT / "deploy" / "stack.d" / f"{name}.sh").read_text(encoding="utf-8")
        sources += "" if name == "head" else f"source {ROOT}/deploy/stack.d/{name}.sh; "
        if name == "head":
            kept = "\n".join(line for line in text.splitlines() if not line.startswith("cd "))
            (folder / "head.sh").write_text(kept, encoding="utf-8")
            sources += f"source {shlex.quote(str(folder / 'head.sh'))}; "
    path = f"{folder}:/usr/bin:/bin"
    return run("bash", "-c", f"{sources} TOPIC=it; {script}", cwd=folder, PATH=path)


def test_every_check_has_a_function_and_a_row_in_the_docs(tmp_path: Path) -> None:
    """In the same order."""
    rows = call(tmp_path, 'echo "$CHECKS"').stdout.splitlines()
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    section = page.partition("\n## Check the server\n")[2].partition("\n## ")[0]
    topics = re.findall(r"^\| ([^|]*?) \|", section, re.MULTILINE)[2:]
    assert [row.split(" ", 2)[2] for row in rows] == topics
    for name in [row.split()[0] for row in rows]:
        assert call(tmp_path, f"declare -F check_{name}").returncode == 0


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        ("false; ok unreachable", ["fault    Docker: this could not be checked to its end"]),
        ("die 69 'no way'", ["fault    Docker: this could not be checked to its end", "no way"]),
        ("fault 'it is old' 'renew it'", ["fault    Docker: it is old\n         -> renew it\n"]),
        ("fault one x; fault two y; ok three", ["fault    Docker: one", "fault    Docker: two"]),
    ],
)
def test_no_check_ends_the_others(tmp_path: Path, check: str, lines: list[str]) -> None:
    """Whatever happens in it: the rest is checked, and the exit code is 78."""
    script = f"{WELL}{NOTHING_IS_MISSING}check_docker() {{ {check}; }}; command_doctor"
    done = call(tmp_path, script)
    assert done.returncode == 78
    for line in lines:
        assert line in done.stdout
    assert "unreachable" not in done.stdout
    assert "ok       programs: well" in done.stdout
    assert "ok       last runs: well" in done.stdout
    assert done.stdout.endswith(f"faults: {done.stdout.count('fault    ')}, warnings: 0\n")


def test_warnings_alone_are_no_fault(tmp_path: Path) -> None:
    """Exit code 0, and they are counted."""
    script = f"{WELL}{NOTHING_IS_MISSING}check_disk() {{ warning full soon; }}; command_doctor"
    done = call(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("faults: 0, warnings: 1\n")


def test_a_check_that_lacks_what_it_needs_is_skipped(tmp_path: Path) -> None:
    """With the reason; what needs nothing is checked."""
    done = call(tmp_path, "command_doctor", docker="#!/bin/sh\necho no daemon >&2; exit 1\n")
    assert done.returncode == 78
    assert (
        "fault    Docker: Docker does not answer; is its service running? no daemon" in done.stdout
    )
    assert "skipped  registry: Docker does not answer" in done.stdout
    assert "fault    files: compose.yml is not here\n         -> copy it to" in done.stdout
    assert "fault    settings: " in done.stdout
    assert "skipped  clock: the settings cannot be read" in done.stdout


@contextmanager
def clock(ahead: float) -> Iterator[str]:
    """Yield host and port of a server whose clock is `ahead` by so many seconds."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            del timestamp
            return formatdate(time() + ahead, usegmt=True)

        def do_HEAD(self) -> None:
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    with in_a_thread(listening):
        yield f"127.0.0.1:{listening.server_port}"


@pytest.mark.parametrize("curl", [True, False], ids=["curl", "bash-alone"])
@pytest.mark.parametrize(
    ("ahead", "pattern"),
    [
        (0, r"ok       it: as that of 127.0.0.1:\d+$"),
        (3600, r"fault    it: it is 3[56]\d\d s behind 127"),
        (-3600, r"fault    it: it is 36\d\d s ahead of 127"),
    ],
)
def test_a_clock_that_is_wrong_is_a_fault(
    tmp_path: Path, ahead: int, pattern: str, *, curl: bool
) -> None:
    """More than a minute from the registry's, forwards or backwards."""
    hidden = "" if curl else "command() { [[ $2 != curl ]] && builtin command $*; }; "
    with clock(ahead) as host:
        done = call(tmp_path, f"{hidden}registry_host() {{ echo {host}; }}; check_clock")
    assert re.match(pattern, done.stdout, re.MULTILINE), done.stdout


def test_a_registry_without_a_date_is_a_warning(tmp_path: Path) -> None:
    """Nobody can tell; the remedy says how to compare."""
    done = call(tmp_path, "registry_host() { echo 127.0.0.1:9; }; check_clock")
    assert done.stdout.startswith("warning  it: there was no clock to compare with")


NAMES = """#!/bin/sh
case $1 in
  info) echo $PROXY ;;
  network) exit 1 ;;
  run) echo nowhere; exit 2 ;;
esac
"""


@pytest.mark.parametrize(
    ("host", "found", "proxy", "words"),
    [
        ("127.0.0.1:5000", 2, "", "ok       it: 127.0.0.1 needs none"),
        ("r.example", 2, "", "fault    it: r.example is not found\n"),
        ("r.example", 2, "http://p:1", "ok       it: r.example is not found here, and"),
        ("r.example:5000", 0, "", "warning  it: r.example is found here and not in containers: no"),
    ],
)
def test_the_name_of_the_registry(
    tmp_path: Path, host: str, found: int, proxy: str, words: str
) -> None:
    """Found here and in a container; a proxy may know it where this machine does not."""
    getent = f"#!/bin/sh\nexit {found}\n"
    script = (
        f"export PROXY={proxy}; unset HTTPS_PROXY https_proxy; PROJECT=shop;"
        f" registry_host() {{ echo {host}; }}; image_with_shell() {{ echo image; }}; check_dns"
    )
    done = call(tmp_path, script, docker=NAMES, getent=getent)
    assert done.stdout.startswith(words), done.stdout + done.stderr


LABELS = "#!/bin/sh\necho '[name=seccomp,profile=builtin name=selinux]'\n"
MODEL = """\
services\tinit\tsecrets\t0\tsource\ttoken
services\tinit\tvolumes\t0\ttype\tbind
services\tinit\tvolumes\t0\tsource\t{here}/seeds
services\tinit\tvolumes\t0\tread_only\ttrue
services\tinit\tvolumes\t0\tbind\tselinux\tz
secrets\ttoken\tfile\t{here}/secrets/token
"""


def test_labels_of_selinux(tmp_path: Path) -> None:
    """What Docker labels itself is right; what it does not must have a label that containers may read."""
    for name in ("seeds", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "secrets" / "token").touch()
    enforcing = "#!/bin/sh\necho Enforcing\n"
    model = shlex.quote(MODEL.format(here=tmp_path))
    script = f"INIT_SERVICE=init MODEL={model}; check_selinux"
    done = call(tmp_path, script, docker=LABELS, getenforce=enforcing)
    assert done.stdout == (
        f"fault    it: containers may not read {tmp_path}/secrets/token\n"
        f"         -> chcon -R -t container_file_t {tmp_path}/secrets/token; or write :z after the mount\n"
    )
    label = "#!/bin/sh\necho system_u:object_r:container_file_t:s0\n"
    done = call(tmp_path, script, docker=LABELS, getenforce=enforcing, stat=label)
    assert done.stdout.startswith("ok       it: is Enforcing")
    (tmp_path / "stat").unlink()
    for docker, mode, words in (
        (LABELS.replace("selinux", "apparmor"), "Enforcing", "Docker does not use it"),
        (LABELS, "Permissive", "is Permissive"),
    ):
        getenforce = f"#!/bin/sh\necho {mode}\n"
        done = call(tmp_path, script, docker=docker, getenforce=getenforce)
        assert done.stdout.startswith("ok ")
        assert words in done.stdout


@pytest.mark.parametrize(
    ("security", "user"),
    [
        ("name=seccomp,profile=builtin", None),
        ("name=seccomp,profile=builtin name=userns", None),
        ("name=seccomp,profile=builtin name=selinux", None),
        ("name=seccomp,profile=builtin name=rootless", "0:0"),
    ],
)
def test_the_tool_reads_what_the_user_of_the_script_can(
    tmp_path: Path, security: str, user: str | None
) -> None:
    """Whatever Docker makes of users and labels; in a rootless Docker, root of a container is that user."""
    docker = f"#!/bin/sh\ncase $1 in info) echo '[{security}]' ;; run) echo \"$@\" ;; esac\n"
    script = "run_tool_image none '' IMAGE check; echo \"$ANSWER\""
    said = call(tmp_path, script, docker=docker).stdout
    wanted = f" --user {user or f'{os.getuid()}:{os.getgid()}'} --userns host --security-opt label=disable "
    assert wanted in said


def test_a_test_alert_says_who_has_it(tmp_path: Path) -> None:
    """By each channel; one that fails is a fault, and the rest is tried."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "alert_webhook").write_text("http://127.0.0.1:9/x")
    (tmp_path / "secrets" / "alert_telegram_token").write_text("1:a")
    post = (
        'post_alert() { [[ $2 == *\'"event": "test"\'* ]] || exit 9; ANSWER="sent to $1 at http://x";'
        ' [[ $1 == telegram ]] || { ANSWER="no connection" && return 76; }; }; '
    )
    script = f"{WELL}{NOTHING_IS_MISSING}{post}command_doctor --alert"
    done = call(tmp_path, script)
    assert done.returncode == 78
    assert "fault    test alert: webhook does not take it: no connection" in done.stdout
    assert "ok       test alert: sent to telegram at http://x" in done.stdout
    assert done.stdout.endswith("faults: 1, warnings: 0\n")


ARM = """\
linux/arm64\tarchitecture\tarm64
linux/arm64\tconfig\tLabels\torg.opencontainers.image.version\t1
unknown/unknown\tarchitecture\tunknown
"""


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ARM, "fault    it: r/api is for arm64, and this machine is amd64"),
        (ARM + "linux/amd64\tarchitecture\tamd64\n", ""),
        ("architecture\tamd64\nhistory\t0\tarchitecture\tm68k\n", ""),
        ("", ""),
    ],
)
def test_an_image_must_be_for_this_machine(tmp_path: Path, config: str, words: str) -> None:
    """Also where it is for several; what cannot be known is no fault."""
    docker = "#!/bin/sh\necho amd64\n"
    script = f"compgen() {{ false; }}; check_architecture r/api {shlex.quote(config)} || true"
    done = call(tmp_path, script, docker=docker)
    assert done.stdout.partition("\n")[0] == words, done.stderr


UNIT = '[Service]\nType=oneshot\nExecStart="{}/stack" deploy --timer\n'


def test_the_unit_must_start_this_folder(tmp_path: Path) -> None:
    """A unit that starts another folder starts nothing here."""
    here, other = tmp_path / "50% here", tmp_path / "other"
    for folder in (here, other):
        (folder / "releases").mkdir(parents=True)
        (folder / "stack").touch()
    units = tmp_path / "units"
    units.mkdir()
    unit = units / "stack-shop.service"
    script = f"PROJECT=shop; STACK_UNITS={units}; check_timer"
    assert call(here, script).stdout.startswith("warning  it: nothing starts")
    unit.write_text(UNIT.format(str(here).replace("%", "%%")), encoding="utf-8")
    assert call(here, script).stdout.startswith("ok       it: ")
    assert call(other, script).stdout.startswith(f"warning  it: {unit} starts {here}/stack")


PG_RESTORE = """#!/bin/sh
case $1 in
  ps) echo $CONTAINER ;;
  exec) [ "$(cat)" = whole ] || { echo 'pg_restore: error: unexpected end of file' >&2; exit 1; } ;;
esac
"""


@pytest.mark.parametrize(
    ("content", "container", "finding"),
    [
        ("whole", "c0", "ok       it: pg_restore reads backups/20261124T021500Z.dump, 1 KB, "),
        (
            "wh",
            "c0",
            "fault    it: backups/20261124T021500Z.dump cannot be restored: pg_restore: error",
        ),
        ("whole", "", "skipped  it: backups/20261124T021500Z.dump, 1 KB, "),
    ],
)
def test_the_newest_dump_is_read(
    tmp_path: Path, content: str, container: str, finding: str
) -> None:
    """To its end, by the programs of the database; where this does not run, nobody can."""
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "20261124T021500Z.dump").write_text(content)
    newest = "newest_backup() { echo backups/20261124T021500Z.dump; }; "
    script = f"export CONTAINER={container}; SETTINGS[STACK_BACKUP]=true; PROJECT=shop; {newest}check_backup"
    done = call(tmp_path, script, docker=PG_RESTORE)
    assert done.stdout.startswith(finding), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("function", "check", "finding"),
    [
        (
            'is_installation() { REASON="it belongs to /a, not .env; remove /a. Or else"; return 1; }',
            "installation",
            "fault    it: it belongs to /a, not .env\n         -> remove /a. Or else\n",
        ),
        (
            "lost_data() { echo 'db has one'; echo 'web has two'; }",
            "data",
            "fault    it: db has one\n         -> change that back; or, if it is meant",
        ),
        (
            "ADOPTS=yes; lost_data() { echo 'db has one'; echo 'web has two'; }",
            "data",
            "warning  it: db has one\n",
        ),
        ("lost_data() { :; }", "data", "ok       it: services have the"),
        ("ask_database() { DATABASE=none; }", "database", "fault    it: no run of init has been"),
        ("ask_database() { DATABASE=0b; }", "database", "fault    it: it belongs to the ins"),
        ("ask_database() { DATABASE=0a; }", "database", "ok       it: it is that of this"),
        ("ask_database() { REASON=no; return 1; }", "database", "fault    it: init cannot ask"),
        ("is_locked() { :; }", "database", "skipped  it: a run is in progress\n"),
        ("services_are_healthy() { false; }", "database", "skipped  it: not every service"),
    ],
)
def test_whose_the_data_is(tmp_path: Path, function: str, check: str, finding: str) -> None:
    """What a deploy would refuse is a fault, with the remedy."""
    known = (
        "services_are_healthy() { :; }; installation_value() { echo 0a; }; is_locked() { false; }; "
    )
    done = call(tmp_path, f"PROJECT=shop; {known}{function}; check_{check}")
    assert done.stdout.startswith(finding), done.stdout + done.stderr
