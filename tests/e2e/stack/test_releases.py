"""Which releases deploy/stack deploys: whole ones that are newer; and which of them it keeps for a rollback."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.docker import ROOT, Completed, docker
from tests.support.releases import OF_TEST, SICK, Receiver
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def made(day: int, revision: str) -> str:
    """Return the labels of a build of this November day."""
    title = "org.opencontainers.image"
    return f"{title}.created=2026-11-{day:02}T08:00:00Z {title}.revision={revision}"


def timer(site: SmallServer) -> Completed:
    """Run what the timer runs."""
    return site.stack("deploy", "--timer")


def push(site: SmallServer) -> Completed:
    """Run what the documented key of a push runs."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    [words] = re.findall(r'^command="/srv/dnd-helper/stack ([^"]*)"', text, re.MULTILINE)
    return site.stack(*words.split())


def state(site: SmallServer, name: str) -> Path:
    """Return a state file."""
    return site.folder / "releases" / name


def test_a_half_published_release_waits(
    small_hub: SmallReleases, small_site: SmallServer, small_ears: Receiver
) -> None:
    """The timer says so, tells nobody at first, and deploys it when it is whole; a person is told at once."""
    small_hub.publish("1", labels=made(1, "r1"))
    small_site.install()
    small_site.deploy()
    small_hub.publish("2", labels=made(2, "r2"), services=("api",))
    waits = timer(small_site)
    assert waits.returncode == 0, waits.stderr
    assert "is not published completely: init is version 1, api 2" in waits.stdout
    assert small_site.version() == "1"
    assert small_ears.events() == []
    by_hand = small_site.stack("deploy")
    assert by_hand.returncode == 69
    assert "not published completely" in by_hand.stderr
    assert "still serves" in by_hand.stderr
    assert push(small_site).returncode == 69
    assert small_site.version() == "1"


def test_a_release_that_stays_half_published_is_told(
    small_hub: SmallReleases, small_site: SmallServer, small_ears: Receiver
) -> None:
    """Once, after a quarter of an hour; and then its recovery."""
    small_ears.requests.clear()
    state(small_site, "open-alert").unlink()
    before = datetime.now(UTC) - timedelta(minutes=16)
    state(small_site, "incomplete").write_text(f"{before:%Y-%m-%dT%H:%M:%SZ}\n", encoding="utf-8")
    for _ in range(2):
        assert timer(small_site).returncode == 69
    assert small_ears.events() == ["failure"]
    small_hub.publish("2", labels=made(2, "r2"), services=("init",))
    assert timer(small_site).returncode == 0
    assert small_site.version() == "2"
    assert small_ears.events() == ["failure", "recovery"]
    assert not state(small_site, "incomplete").exists()


def test_an_older_release_is_left_alone(
    small_hub: SmallReleases, small_site: SmallServer, small_ears: Receiver
) -> None:
    """Whether it was here before (under a digest of its own), or never; told once; a person may have it."""
    small_ears.requests.clear()
    small_hub.point("latest", "1")
    for _ in range(2):
        left = timer(small_site)
        assert left.returncode == 0, left.stderr
        assert "is older than 2" in left.stdout
    assert small_ears.events() == ["failure"]
    assert small_site.version() == "2"
    by_hand = small_site.stack("deploy")
    assert by_hand.returncode == 1
    assert "./stack deploy --older" in by_hand.stderr
    assert push(small_site).returncode == 1
    small_hub.publish("0", labels=made(1, "r0"))
    never = timer(small_site)
    assert never.returncode == 0
    assert "was created at 2026-11-01T08:00:00Z" in never.stdout
    assert small_site.version() == "2"
    small_site.deploy("--older")
    assert small_site.version() == "0"
    small_hub.point("latest", "2")
    assert timer(small_site).returncode == 0
    assert small_site.version() == "2"


def test_a_push_respects_a_rollback(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """As the timer does, also where the same release comes under another digest; and says that it failed."""
    small_hub.publish("3", labels=made(4, "r3"))
    assert push(small_site).returncode == 0
    assert small_site.version() == "3"
    assert small_site.stack("rollback").returncode == 0
    assert small_site.version() == "2"
    for _ in range(2):
        pushed = push(small_site)
        assert pushed.returncode == 1, pushed.stdout + pushed.stderr
        assert "was not deployed: it is blocked" in pushed.stderr
        assert timer(small_site).returncode == 0
        assert small_site.version() == "2"
        small_hub.point("latest", "3")


def test_an_image_that_says_what_it_was_built_on(
    small_hub: SmallReleases, small_site: SmallServer
) -> None:
    """By the digest of its platform, of an index, or another one; version and revision count for nothing then."""
    small_hub.publish("9", labels=made(9, "r9"), services=("api",))
    api = f"{small_hub.name}/api"
    [platform] = re.findall(
        r"^Digest: +(\S+)", docker("buildx", "imagetools", "inspect", f"{api}:9"), re.MULTILINE
    )
    small_hub.point("latest", "9", "api")  # an index
    wrong = "sha256:" + "0" * 64
    title = "org.opencontainers.image"
    for digest, deployed in ((wrong, "2"), (platform, "9")):
        base = f"{title}.base.name={api}:latest {title}.base.digest={digest}"
        small_hub.publish("9.init", labels=f"{made(9, 'r9.init')} {base}", services=("init",))
        done = timer(small_site)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("init was built on another api" in done.stdout) == (deployed == "2")
        assert small_site.version() == deployed


def test_a_rollback_after_a_sick_release_needs_no_registry(
    small_hub: SmallReleases, small_site: SmallServer
) -> None:
    """Old images go, and none that a state file names, whatever else removes images here."""
    small_site.setting(STACK_KEEP="2")
    small_hub.publish("10", labels=made(10, "r10"), api=SICK)
    assert timer(small_site).returncode == 1
    old = {line[3] for line in small_site.history() if line[4].endswith("-> 0")}
    small_hub.publish("11", labels=made(11, "r11"))
    assert timer(small_site).returncode == 0
    assert small_site.version() == "11"
    named = docker("image", "ls", "--format", "{{.Tag}}", f"stack.local/{small_site.project}/api")
    assert not old & set(named.split())
    docker("image", "prune", "--force", "--filter", f"label={OF_TEST}={small_hub.namespace}")
    small_hub.registry.stop()
    try:
        small_site.setting(STACK_KEEP="3")  # .env is checked again, by the tool
        back = small_site.stack("rollback")
    finally:
        small_hub.registry.start()
    assert back.returncode == 0, back.stdout + back.stderr
    assert small_site.version() == "9"


def test_images_of_one_tag_that_do_not_belong_together(
    small_hub: SmallReleases, small_site: SmallServer
) -> None:
    """A rollback to them is refused before anything runs; a person may deploy them as they are."""
    small_hub.publish("12", labels=made(12, "r12"), services=("api",), tags=("mixed",))
    small_hub.point("mixed", "9.init", "init")
    refused = small_site.stack("rollback", "mixed")
    assert refused.returncode == 69, refused.stdout + refused.stderr
    assert "do not belong together" in refused.stderr
    assert small_site.version() == "9"
    small_site.setting(TAG="mixed")
    assert small_site.stack("deploy").returncode == 69
    assert small_site.version() == "9"
    small_site.deploy("--incomplete")
    assert small_site.version() == "12"
    assert small_site.stack("deploy", "--timer", "--older").returncode == 78
