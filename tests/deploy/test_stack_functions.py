"""Functions of deploy/stack, each with its parts sourced, and with a `docker` of the test's own."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.support.docker import ROOT, Completed, run

MODEL = """\
name: shop
services:
  api:
    configs:
      - source: settings
        target: /settings
    image: registry.example/shop/api:latest
    restart: unless-stopped
    secrets:
      - source: token
    volumes:
      - type: bind
        source: {here}/etc
        target: /etc/own
        read_only: true
        bind:
          create_host_path: true
      - type: bind
        source: {here}/uploads
        target: /uploads
  init:
    image: registry.example/shop/init:latest
    restart: "no"
    volumes:
      - type: bind
        source: {outside}
        target: /versions
        read_only: true
  postgres:
    image: postgres:16-alpine
  worker:
    deploy:
      replicas: 2
      resources:
        limits:
          memory: "1"
    environment:
      replicas: "7"
    image: registry.example/shop/worker:latest
    restart: always
secrets:
  token:
    name: shop_token
    file: {here}/secrets/token
configs:
  settings:
    name: shop_settings
    file: {here}/settings.toml
"""
"""What `docker compose config` answers, here as YAML."""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """Return a server's folder, with a `docker` that prints the model and nothing else."""
    here, outside = tmp_path / "server", tmp_path / "versions"
    for made in (here / "etc", here / "uploads", here / "secrets", here / "releases", outside):
        made.mkdir(parents=True)
    for name in ("etc/own.conf", "uploads/cat.jpg", "secrets/token", "settings.toml"):
        (here / name).write_text("one", encoding="utf-8")
    (outside / "r1.py").write_text("one", encoding="utf-8")
    (here / ".env").write_text("COLOUR=red\nSTACK_KEEP=5\n", encoding="utf-8")
    model = tmp_path / "model"
    document = yaml.safe_load(MODEL.format(here=here, outside=outside))
    model.write_text(json.dumps(document, indent=2), encoding="utf-8")
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!/bin/sh\n[ "$*" = "compose config --format json" ] && cat {shlex.quote(str(model))}\nexit 0\n',
        encoding="utf-8",
    )
    docker.chmod(0o755)
    return here


READ_MODEL = "MODEL=$(compose_model)"


def call(folder: Path, function: str, *parts: str, given: str = "") -> Completed:
    """Run a function of deploy/stack in a folder; `given` is its standard input."""
    sources = " ".join(f"source {ROOT}/deploy/stack.d/{name}.sh;" for name in parts)
    script = f"set -Eeuo pipefail; STATE=releases INIT_SERVICE=init; {sources} {function}"
    path = f"{folder.parent}:/usr/bin:/bin"
    (folder.parent / "given").write_text(given, encoding="utf-8")
    return run("bash", "-c", f"{script} <{folder.parent}/given", cwd=folder, PATH=path)


def services(folder: Path) -> str:
    function = f"{READ_MODEL}; list_services"
    return call(folder, function, "compose", "model", "settings").stdout


def test_services_and_their_replicas(folder: Path) -> None:
    """A key of the same name elsewhere is none."""
    assert services(folder).splitlines() == [
        "api registry.example/shop/api:latest 1 unless-stopped",
        "init registry.example/shop/init:latest 1 no",
        "postgres postgres:16-alpine 1 -",
        "worker registry.example/shop/worker:latest 2 always",
    ]


NOW = datetime.now(UTC)
"""The time when the containers below are made, minutes before the last test runs."""


def container(
    name: str = "worker",
    state: str = "running",
    health: str = "-",
    *,
    code: int = 0,
    restarts: int = 0,
    ago: float = 3600,
    image: str = "new",
) -> str:
    """Return a line of `list_containers`."""
    started = (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    return f"{name} {state} {health} {code} {restarts} {started} {image}"


RESTARTED = "worker does not stay up: it has restarted"


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ([container(), container(health="healthy")], []),
        ([container(restarts=9, ago=60), container()], []),
        ([], ["worker has no container"]),
        ([container()], ["worker has 1 of 2 containers"]),
        ([container(), container(state="exited", code=3)], ["worker is exited with exit code 3"]),
        ([container(), container(state="exited")], ["worker is exited with exit code 0"]),
        ([container(), container(restarts=1, ago=2)], [RESTARTED]),
        ([container(), container(state="restarting", restarts=1)], [RESTARTED]),
        ([container(), container(health="unhealthy")], ["worker is unhealthy"]),
        ([container(), container(state="paused")], ["worker is paused"]),
        ([container(), container(image="old")], ["worker runs old"]),
    ],
)
def test_what_is_wrong_with_a_service(folder: Path, rows: list[str], faults: list[str]) -> None:
    """Every replica is up, of the right image, and has not restarted a moment ago."""
    since = int((NOW - timedelta(seconds=15)).timestamp())
    function = f"SERVICES={shlex.quote(services(folder))}; service_faults worker new {since}"
    given = "".join(f"{row}\n" for row in [container("postgres", "dead"), *rows])
    found = call(folder, function, "settings", "compose", given=given)
    assert found.stdout.splitlines() == faults, found.stderr


def test_a_job_that_is_done_is_well(folder: Path) -> None:
    """Restart policy "no" and exit code 0."""
    function = f"SERVICES={shlex.quote(services(folder))}; service_faults init - 0"
    for code, faults in ((0, []), (1, ["init is exited with exit code 1"])):
        given = f"{container('init', 'exited', code=code)}\n"
        found = call(folder, function, "settings", "compose", given=given)
        assert found.stdout.splitlines() == faults, found.stderr


def configuration(folder: Path) -> str:
    function = f"{READ_MODEL}; configuration_hash"
    found = call(folder, function, "model", "settings", "compose", "configuration")
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize(
    "path",
    ["etc/own.conf", "secrets/token", "settings.toml", "seeds/t.json", "../versions/r1.py"],
)
def test_what_compose_uses_is_a_part_of_the_configuration(folder: Path, path: str) -> None:
    """Configs, secrets, read-only mounts, and seeds behind a link."""
    target = folder.parent / "elsewhere"
    target.mkdir()
    (target / "t.json").write_text("one", encoding="utf-8")
    (folder / "seeds").symlink_to(target)
    before = configuration(folder)
    assert configuration(folder) == before
    (folder / path).write_text("two", encoding="utf-8")
    assert configuration(folder) != before


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_file_that_cannot_be_read_is_no_part_of_a_hash(folder: Path, name: str) -> None:
    """Wherever it stands among the others, there is no hash; here a link leads round in a circle."""
    for each in ("a", "z"):
        (folder / each).mkdir()
        (folder / each / "file").write_text(each, encoding="utf-8")
    paths = f"{folder}/a\n{folder}/z\n"
    assert call(folder, "hash_files", "model", "configuration", given=paths).returncode == 0
    (folder / name / "circle").symlink_to(folder / name)
    found = call(
        folder, "{ hashes=$(hash_files) || exit 3; }", "model", "configuration", given=paths
    )
    assert found.returncode == 3, found.stderr


@pytest.mark.parametrize("path", ["uploads/cat.jpg", "releases/current", "backups/1.dump"])
def test_data_is_no_part_of_the_configuration(folder: Path, path: str) -> None:
    """What a service can write, and what the script itself writes."""
    before = configuration(folder)
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text("two", encoding="utf-8")
    assert configuration(folder) == before


def test_a_changed_file_replaces_the_containers_that_mount_it(folder: Path) -> None:
    """By a label in the Compose file of the release, for each service by itself."""
    release = (
        '# release 0123\nservices:\n  "api":\n    image: a@sha256:1 # a:latest\n'
        '  "init":\n    image: i@sha256:1 # i:latest\n  "worker":\n    image: w@sha256:1 # w:latest\n'
    )
    (folder / "releases" / "0123.yml").write_text(release, encoding="utf-8")

    def started() -> list[str]:
        parts = ("model", "settings", "compose", "configuration", "infrastructure")
        found = call(folder, f"{READ_MODEL}; started_file 0123", *parts)
        lines = found.stdout.splitlines()
        assert [line for line in lines if "labels" not in line] == release.splitlines()
        assert [lines[n - 1] for n, line in enumerate(lines) if "labels" in line] == ['  "api":']
        return re.findall(r"stack.mounts: \"(\w{12})\"", found.stdout)

    before = started()
    assert started() == before
    (folder / "settings.toml").write_text("two", encoding="utf-8")
    assert started() != before


@pytest.mark.parametrize(
    ("given", "login"),
    [
        ({"POSTGRES_USER": "app", "POSTGRES_PASSWORD": "p w"}, "app app p w"),
        ({"POSTGRES_USER": "app", "POSTGRES_DB": "shop"}, "app shop "),
        ({"POSTGRES_PASSWORD_FILE": "secret"}, "postgres postgres in a file"),
        ({"POSTGRES_USER_FILE": "secret"}, "in a file in a file "),
        ({"POSTGRES_DB_FILE": "secret"}, "postgres in a file "),
    ],
)
def test_the_dump_logs_in_as_the_image_does(
    tmp_path: Path, given: dict[str, str], login: str
) -> None:
    """POSTGRES_USER is postgres by default, POSTGRES_DB is the user's name, and each can be in a file."""
    (tmp_path / "secret").write_text("in a file\n", encoding="utf-8")
    programs(tmp_path, pg_dump='echo "$PGUSER $PGDATABASE $PGPASSWORD"', psql="echo 1")
    found = dumped(tmp_path, **given)
    assert found.stdout == f"{login}\n", found.stderr


def programs(folder: Path, **scripts: str) -> None:
    """Put programs of the test's own into a folder."""
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def dumped(folder: Path, **given: str) -> Completed:
    """Run what dumps the database in its container, with the programs of a folder."""
    script = f'source {ROOT}/deploy/stack.d/dump.sh; sh -c "$DUMP"'
    environment = {"PATH": f"{folder}:/usr/bin:/bin", **given}
    words = (f"{name}={value}" for name, value in environment.items())
    return run("env", "-i", *words, "bash", "-c", script, cwd=folder)


@pytest.mark.parametrize(
    ("ledgers", "installation", "outcome"),
    [
        ("", "", "shop"),
        ("shop=1", "", "shop"),
        ("own=1", "", "own"),
        ("shop=1 own=2", "", "shop"),
        ("own=1 two=2", "", None),
        ("own=1 two=2", "2", "two"),
        ("shop=1 own=2", "2", "own"),
        ("shop=1 own=1", "1", "shop"),
        ("shop=1", "2", None),
        ("", "2", None),
    ],
)
def test_the_dump_is_of_the_database_of_this_installation(
    tmp_path: Path, ledgers: str, installation: str, outcome: str | None
) -> None:
    """POSTGRES_DB is often another database; the ledger says whose it is, and if nobody can tell, there is no dump."""
    psql = (
        'case "$*" in *pg_database*) printf "postgres\\nshop\\nown\\ntwo\\n"; exit ;; esac\n'
        f"for each in {ledgers or '-=-'}; do\n"
        'case "$*" in *--dbname=${each%=*}\\ *) echo "${each#*=}" ;; esac; done'
    )
    programs(tmp_path, pg_dump='echo "$PGDATABASE"', psql=psql)
    given = {"POSTGRES_USER": "app", "POSTGRES_DB": "shop", "INSTALLATION": installation}
    found = dumped(tmp_path, **given)
    assert found.stdout == (f"{outcome}\n" if outcome else ""), found.stderr
    assert (found.returncode == 0) == (outcome is not None)
    assert outcome or "database" in found.stderr


def test_a_secret_that_cannot_be_read_ends_the_dump(tmp_path: Path) -> None:
    """With the reason; a dump of another database is none."""
    script = f'source {ROOT}/deploy/stack.d/dump.sh; sh -c "$DUMP"'
    found = run("bash", "-c", script, cwd=tmp_path, POSTGRES_USER_FILE="nowhere")
    assert found.returncode != 0
    assert "nowhere" in found.stderr


def test_a_failure_without_a_channel_is_told_when_there_is_one(folder: Path) -> None:
    """It is not taken for told."""
    function = (
        "INIT_RAN= EXIT_USAGE=78; send_alert failure 'init failed';"
        " cat releases/{open-alert,unsent-alerts}"
    )
    parts = ("state", "messages", "settings", "tool", "json", "alerts", "alert_from_host")
    assert call(folder, function, *parts).stdout == "- init failed\n"
    (folder / "secrets" / "alert_webhook").write_text("http://127.0.0.1:9/x", encoding="utf-8")
    found = call(folder, function, *parts).stdout
    assert found.startswith("webhook init failed\nwebhook ")


@pytest.mark.parametrize(("second", "code"), [("", 0), (RESTARTED, 1)])
def test_a_release_must_stay_up_for_a_while(folder: Path, second: str, code: int) -> None:
    """What is up after the start, and restarts a second later, is a release that has failed."""
    (folder / "releases" / "0123.yml").write_text("# release 0123\nservices:\n", encoding="utf-8")
    fakes = (
        "compose_up() { :; }; probe() { :; }; APPS=(worker); SETTINGS[STACK_WATCH_SECONDS]=2;"
        " services_are_healthy() { echo look >>looks; [[ $(wc -l <looks) -lt 2 ]] ||"
        f" {{ echo -n '{second}'; [[ -z '{second}' ]]; }}; }};"
    )
    (folder / "model.json").write_text('{"name": "shop"}', encoding="utf-8")
    function = f'{fakes} start_release 0123 model.json || {{ echo "$REASON"; exit 1; }}'
    parts = ("state", "model", "settings", "releases", "compose", "rendered")
    done = call(folder, function, *parts, given="")
    assert done.returncode == code, done.stderr
    assert second in done.stdout
    assert len((folder / "looks").read_text().splitlines()) >= 2


LEFTOVERS = """#!/bin/sh
case $* in
  *prune*) echo 'a prune operation is already running' >&2; exit 1 ;;
  *oneoff=True*) echo 11aa ;;
  *status=created*) printf '22bb 0123456789ab_shop-api-1\\n33cc shop-bot-1\\n' ;;
  rm*) echo "$2" >>removed ;;
esac
"""


def test_leftover_containers_go_while_somebody_prunes(folder: Path) -> None:
    """Docker allows one prune at a time on a machine, and a run must not end by another one's."""
    (folder.parent / "docker").write_text(LEFTOVERS, encoding="utf-8")
    done = call(folder, "PROJECT=shop; remove_leftover_containers", "lock")
    assert done.returncode == 0, done.stderr
    assert (folder / "removed").read_text() == "11aa\n22bb\n"
