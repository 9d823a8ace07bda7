"""PostgreSQL and what else is no part of a release: its images, its configuration, and the way back; in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.docker import ROOT, docker, run
from tests.support.releases import OF_TEST, Receiver, Revision, receiver
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NOTES = Revision("0002", "0001", "CREATE TABLE notes (id int PRIMARY KEY)")


def publish_cache(hub: SmallReleases, text: str, tag: str = "1", lines: str = "") -> None:
    """Push an image that is not part of a release, and forget it here."""
    name = f"{hub.registry.name}/other-{hub.namespace}/cache:{tag}"
    folder = hub.folder / f"cache-{text}"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f'FROM python:3.13-slim\nLABEL text={text} {OF_TEST}={hub.namespace}\n{lines}\nCMD ["sleep", "100000"]\n'
    )
    docker("build", "-q", "-t", name, str(folder))
    docker("push", "-q", name)
    docker("image", "rm", name)


def service(site: SmallServer, name: str, **values: object) -> None:
    """Change a service of compose.yml; None removes a key."""
    path = site.folder / "compose.yml"
    model = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = model["services"].setdefault(name, {})
    found.update(values)
    model["services"][name] = {key: value for key, value in found.items() if value is not None}
    path.write_text(yaml.safe_dump(model), encoding="utf-8")


def identity(site: SmallServer, name: str) -> str:
    return docker("inspect", "-f", "{{.Id}}", f"{site.project}-{name}-1").strip()


def label(site: SmallServer) -> str:
    """Return the text of the cache's image."""
    return docker("inspect", "-f", "{{.Config.Labels.text}}", f"{site.project}-cache-1").strip()


@pytest.fixture(scope="module", name="first")
def _first(small_hub: SmallReleases, small_site: SmallServer) -> str:
    """Deploy version 1 with a service from another registry; return what was said."""
    small_hub.publish("1.0.0")
    publish_cache(small_hub, "one")
    image = f"{small_hub.registry.name}/other-{small_hub.namespace}/cache:1"
    service(small_site, "cache", image=image, init=True, stop_grace_period="1s")
    small_site.setting(STACK_PROBE_TIMEOUT="5")
    small_site.install()
    return small_site.deploy()


@pytest.fixture(scope="module", name="told")
def _told(small_site: SmallServer, first: str) -> Iterator[Receiver]:
    assert first
    with receiver() as found:
        small_site.secret("alert_webhook", f"{found.address}/hook")
        yield found


def test_a_tag_that_moved_is_not_taken(
    small_hub: SmallReleases, small_site: SmallServer, first: str
) -> None:
    """By no deploy; an image is taken by `deploy --update`, and brought back by a rollback, without a registry."""
    assert first
    assert "@sha256:" in small_site.image("cache")
    assert small_site.image("postgres").startswith(f"stack.local/{small_site.project}/postgres:")
    publish_cache(small_hub, "two")
    docker("pull", "-q", f"{small_hub.registry.name}/other-{small_hub.namespace}/cache:1")
    cache, postgres = identity(small_site, "cache"), identity(small_site, "postgres")
    small_hub.publish("1.1.0", NOTES)
    small_site.deploy("--timer")
    assert (identity(small_site, "cache"), identity(small_site, "postgres")) == (cache, postgres)
    # By hand, too, what was deployed is what runs.
    by_hand = run(
        "docker", "compose", "up", "-d", "--no-deps", "cache", "postgres", cwd=small_site.folder
    )
    assert by_hand.returncode == 0, by_hand.stderr
    assert (identity(small_site, "cache"), identity(small_site, "postgres")) == (cache, postgres)
    small_hub.publish("1.2.0", NOTES)
    service(small_site, "postgres", build={"context": "."})  # in no registry
    small_site.deploy("--update")
    assert label(small_site) == "two"
    small_site.deploy()
    assert label(small_site) == "two"
    docker("image", "prune", "--force", "--filter", f"label={OF_TEST}={small_hub.namespace}")
    small_hub.registry.stop()
    try:
        back = small_site.stack("rollback", "1.1.0")
    finally:
        small_hub.registry.start()
    assert back.returncode == 0, back.stdout + back.stderr
    assert label(small_site) == "one"
    assert small_site.stack("rollback", "1.2.0").returncode == 0
    assert label(small_site) == "two"


def test_another_reference_is_a_persons_will(
    small_hub: SmallReleases, small_site: SmallServer, first: str
) -> None:
    """And is taken by the timer."""
    assert first
    publish_cache(small_hub, "three", tag="2")
    image = f"{small_hub.registry.name}/other-{small_hub.namespace}/cache:2"
    service(small_site, "cache", image=image)
    small_site.deploy("--timer")
    assert label(small_site) == "three"


def test_a_service_with_another_name_does_not_run_beside_itself(
    small_site: SmallServer, first: str
) -> None:
    """The old container is stopped before the new one starts, and removed when the deploy has succeeded."""
    assert first
    path = small_site.folder / "compose.yml"
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace("  cache:", "  store:"), encoding="utf-8")
    said = small_site.deploy("--timer")
    assert "stopping cache" in said
    assert small_site.state("cache")["Status"] == "absent"
    assert small_site.state("store")["Status"] == "running"
    path.write_text(kept, encoding="utf-8")
    small_site.deploy("--timer")
    assert small_site.state("store")["Status"] == "absent"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("postgres", {"command": ["postgres", "-c", "no_such_setting=1"]}),
        ("postgres", {"ports": ["127.0.0.1:{port}:5432"]}),
        ("queue", {"image": "redis:7-alpine", "command": ["false"]}),
    ],
    ids=["bad-command", "port-taken", "new-service"],
)
def test_a_service_that_does_not_start_is_taken_back(
    small_site: SmallServer, told: Receiver, name: str, values: dict[str, object]
) -> None:
    """To what it was, container by container alike; one alert, and the timer leaves that configuration alone."""
    path = small_site.folder / "compose.yml"
    kept = path.read_text(encoding="utf-8")
    port = str(small_site.port)
    service(
        small_site,
        name,
        **{
            k: [str(v).format(port=port) for v in each] if isinstance(each, list) else each
            for k, each in values.items()
        },
    )
    before = {each: configured(small_site, each) for each in ("postgres", "cache", "api")}
    api = identity(small_site, "api")
    told.requests.clear()
    done = small_site.stack("deploy", "--timer", STACK_WAIT_TIMEOUT="30")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "init of" not in done.stdout
    assert {each: configured(small_site, each) for each in before} == before
    assert identity(small_site, "api") == api
    assert small_site.state("queue")["Status"] == "absent"
    assert len(told.requests) == 1
    assert "serves" in str(told.requests[0])
    assert small_site.stack("status").returncode == 0, small_site.stack("status").stdout
    calm = small_site.stack("deploy", "--timer")
    assert (calm.returncode, len(told.requests)) == (0, 1), calm.stdout + calm.stderr
    assert "starting" not in calm.stdout
    path.write_text(kept, encoding="utf-8")
    small_site.deploy("--timer")
    assert small_site.version() == "1.2.0"


def test_what_a_killed_run_has_broken_is_dumped_and_taken_back(
    small_site: SmallServer, told: Receiver
) -> None:
    """PostgreSQL was replaced by one that does not start: the old one is started as it was, dumped, and stays."""
    path = small_site.folder / "compose.yml"
    kept = path.read_text(encoding="utf-8")
    before = {each: configured(small_site, each) for each in ("postgres", "cache", "api")}
    service(small_site, "postgres", command=["false"])
    run("docker", "compose", "up", "-d", "--no-deps", "postgres", cwd=small_site.folder)
    told.requests.clear()
    limits = {"STACK_WAIT_TIMEOUT": "15", "STACK_BACKUP": "true"}
    done = small_site.stack("deploy", "--timer", **limits)
    path.write_text(kept, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "starting it as it was" in done.stdout
    assert "dumped the database" in done.stdout
    assert "serves again" in done.stderr
    assert {each: configured(small_site, each) for each in before} == before
    assert len(told.requests) == 1
    small_site.deploy("--timer")


def configured(site: SmallServer, name: str) -> str:
    """Return what Compose made a container of, and that it runs."""
    form = '{{index .Config.Labels "com.docker.compose.config-hash"}} {{.Config.Image}} {{.State.Status}}'
    return docker("inspect", "-f", form, f"{site.project}-{name}-1")


def test_a_configuration_that_the_release_does_not_work_with_is_taken_back(
    small_site: SmallServer, told: Receiver
) -> None:
    """Of .env and of compose.yml: image and configuration are those of before, and a later timer changes nothing."""
    path = small_site.folder / "compose.yml"
    kept = path.read_text(encoding="utf-8")
    service(small_site, "api", environment={"APP_VERSION": "another"})
    service(small_site, "postgres", shm_size="65m")
    small_site.setting(STACK_PROBE_URL=f"{small_site.address}/nowhere")
    before = {each: configured(small_site, each) for each in ("postgres", "cache", "api")}
    told.requests.clear()
    done = small_site.stack("deploy", "--timer")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "with the configuration it had" in done.stderr
    assert {each: configured(small_site, each) for each in before} == before
    assert small_site.version() == "1.2.0"
    calm = small_site.stack("deploy", "--timer")
    assert calm.returncode == 0, calm.stdout + calm.stderr
    assert "blocked" in calm.stdout
    # What dies meanwhile is started again as it was seen to work.
    docker("rm", "-f", f"{small_site.project}-api-1", f"{small_site.project}-postgres-1")
    again = small_site.stack("deploy", "--timer")
    assert again.returncode == 0, again.stdout + again.stderr
    assert {each: configured(small_site, each) for each in before} == before
    assert small_site.version() == "1.2.0"
    assert len(told.requests) == 1
    path.write_text(kept, encoding="utf-8")
    small_site.setting(STACK_PROBE_URL=f"{small_site.address}/health")
    small_site.deploy("--timer")


def test_another_major_version_is_refused(small_site: SmallServer, first: str) -> None:
    """Before anything is replaced, whether PostgreSQL runs, is stopped or has no container; with the way to upgrade."""
    assert first
    path = small_site.folder / "compose.yml"
    kept = path.read_text(encoding="utf-8")
    service(small_site, "postgres", image="postgres:17-alpine", build=None)
    container = f"{small_site.project}-postgres-1"
    for prepare in ((), ("stop", container), ("rm", container)):
        if prepare:
            docker(*prepare)
        done = small_site.stack("deploy")
        assert done.returncode == 78, done.stdout + done.stderr
        assert "PostgreSQL 17" in done.stderr
        assert "Upgrade PostgreSQL to a new major version" in done.stderr
        assert "init of" not in done.stdout
    assert small_site.state("postgres")["Status"] == "absent"
    path.write_text(kept, encoding="utf-8")
    small_site.deploy("--timer")
    assert small_site.psql("SELECT count(*) FROM words") == "2"


def test_another_c_library_is_told(small_site: SmallServer, tmp_path: Path, first: str) -> None:
    """The timer leaves it alone; by hand it is taken, with a word on the indexes."""
    assert first
    image = f"localhost/{small_site.project}/postgres:16"
    (tmp_path / "Dockerfile").write_text(
        "FROM postgres:16-alpine\nRUN printf '#!/bin/sh\\necho musl libc' >/usr/local/bin/ldd"
        " && chmod 755 /usr/local/bin/ldd\n"
    )
    docker("build", "-q", "-t", image, str(tmp_path))
    try:
        service(small_site, "postgres", image=image)
        before = identity(small_site, "postgres")
        refused = small_site.stack("deploy", "--timer")
        assert refused.returncode == 78, refused.stdout
        assert identity(small_site, "postgres") == before
        done = small_site.stack("deploy")
        assert done.returncode == 0, done.stdout + done.stderr
        for said in (refused.stderr, done.stderr):
            assert "C library" in said
            assert "REINDEX DATABASE" in said
        assert identity(small_site, "postgres") != before
    finally:
        run("docker", "image", "rm", image)


def test_the_runbook_upgrades_postgresql(small_site: SmallServer, first: str) -> None:
    """By a dump that is restored into a new volume; the release serves with every row."""
    assert first
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    heading = "\n## Upgrade PostgreSQL to a new major version\n"
    section = page.partition(heading)[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    out, back = (
        re.sub(
            "^(systemctl|.*roles.sh).*$", "", lines.replace("api bot", "api"), flags=re.MULTILINE
        )
        for lines in blocks
    )
    (small_site.folder / "backups").mkdir(exist_ok=True)
    model = yaml.safe_load((small_site.folder / "compose.yml").read_text(encoding="utf-8"))
    model["volumes"] = {"postgres17": None}
    changed = {"image": "postgres:17-alpine", "volumes": ["postgres17:/var/lib/postgresql/data"]}
    model["services"]["postgres"].update(changed)
    done = run("bash", "-euc", out, cwd=small_site.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (small_site.folder / "compose.yml").write_text(yaml.safe_dump(model), encoding="utf-8")
    pg = out.splitlines()[0]
    done = run("bash", "-euc", f"{pg}\n{back}", cwd=small_site.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert small_site.psql("SHOW server_version_num").startswith("17")
    assert small_site.psql("SELECT count(*) FROM words") == "2"
    assert small_site.version() == "1.2.0"
    assert "nothing new" in small_site.deploy("--timer")
