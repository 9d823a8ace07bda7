"""A broken init image, a tool that is gone: each failure is told, no state lasts; the tests build on one another."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.docker import docker, run
from tests.support.releases import HOOK, TOKEN, Receiver, hearing
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BROKEN = {
    "missing": 'ENTRYPOINT ["/nowhere"]',
    "another-machine": 'ENTRYPOINT ["/seeds/words.json"]',
    "python": 'ENTRYPOINT ["python", "-c", "import nothing"]',
}
"""Init images that do not start: no program, a file that is none, a program that fails."""


@pytest.fixture(scope="module", name="ears")
def _ears(small_site: SmallServer) -> Iterator[Receiver]:
    with hearing(small_site) as found:
        yield found


def tool(site: SmallServer) -> str:
    """Return the image that checks, probes and alerts."""
    return (site.folder / "releases" / "init-image").read_text(encoding="utf-8").strip()


def touch(site: SmallServer) -> None:
    """Let `.env` be one that was not checked yet."""
    (site.folder / "releases" / "checked").unlink(missing_ok=True)


def test_a_first_release_whose_init_is_broken(
    small_hub: SmallReleases, small_site: SmallServer, ears: Receiver
) -> None:
    """`install` and `deploy` say so, the failure is told without any image, and the next release is deployed."""
    small_hub.publish("0.1", init=BROKEN["missing"])
    refused = small_site.stack("install", "--no-timer")
    assert refused.returncode == 1
    assert "does not work" in refused.stderr
    failed = small_site.stack("deploy")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert not (small_site.folder / "releases" / "init-image").exists()
    assert ears.events() == ["failure"]
    assert [path for path, _ in ears.requests] == [f"/{HOOK}", f"/bot{TOKEN}/sendMessage"]
    assert "init of 0.1" in ears.requests[1][1]["text"]
    small_hub.publish("1.0")
    small_site.install()
    small_site.deploy("--timer")
    assert small_site.version() == "1.0"
    assert ears.events() == ["failure", "recovery"]
    assert ":" in tool(small_site)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_init_image_is_never_the_tool(
    small_hub: SmallReleases, small_site: SmallServer, ears: Receiver, kind: str
) -> None:
    """The alert is sent by the image before it; `deploy`, `install` and `rollback` go on."""
    before = tool(small_site)
    ears.requests.clear()
    small_hub.publish(f"2.0-{kind}", init=BROKEN[kind])
    failed = small_site.stack("deploy", "--timer")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert ears.events() == ["failure"]
    assert "of this server" not in failed.stderr
    assert tool(small_site) == before
    for words in (("deploy", "--timer"), ("install", "--no-timer")):
        touch(small_site)
        done = small_site.stack(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert small_site.version() == "1.0"


@pytest.mark.parametrize("kind", ["gone", "broken"])
def test_a_tool_that_does_not_start_any_more(
    small_hub: SmallReleases, small_site: SmallServer, ears: Receiver, kind: str
) -> None:
    """An image that was removed, or was recorded though it is broken: another one is found, and then recorded."""
    image = f"{small_hub.name}/init:gone" if kind == "gone" else f"{small_hub.name}/init:2.0-python"
    if kind == "broken":
        docker("pull", "-q", image)
    (small_site.folder / "releases" / "init-image").write_text(f"{image}\n", encoding="utf-8")
    for words in (("deploy", "--timer"), ("install", "--no-timer")):
        touch(small_site)
        done = small_site.stack(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not checked" not in done.stderr
    ears.requests.clear()
    small_hub.publish(f"3.0-{kind}")
    small_site.deploy("--timer")
    assert small_site.version() == f"3.0-{kind}"
    assert ears.events() == ["recovery"] if kind == "gone" else not ears.events()
    assert tool(small_site) != image
    (small_site.folder / "releases" / "init-image").write_text(f"{image}\n", encoding="utf-8")
    touch(small_site)
    back = small_site.stack("rollback")
    assert back.returncode == 0, back.stdout + back.stderr
    assert ears.events()[-1] == "rollback"
    touch(small_site)
    small_site.deploy()
    assert small_site.version() == f"3.0-{kind}"


def test_no_image_starts(small_site: SmallServer, ears: Receiver) -> None:
    """Docker starts no container, as with a full disk: what the server has sends the alert."""
    ears.requests.clear()
    fake = small_site.folder / "bin"
    fake.mkdir()
    docker_path = run("sh", "-c", "command -v docker").stdout.strip()
    (fake / "docker").write_text(
        f'#!/bin/sh\n[ "$1" != run ] || {{ echo "no space left on device" >&2; exit 125; }}\nexec {docker_path} "$@"\n'
    )
    (fake / "docker").chmod(0o755)
    touch(small_site)
    (small_site.folder / "seeds" / "words.json").write_text("[{]", encoding="utf-8")
    failed = small_site.stack("deploy", "--timer", PATH=f"{fake}:{os.environ['PATH']}")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert ears.events() == ["failure"]
    small_site.words("one", "two")
    small_site.deploy("--timer")
    assert ears.events() == ["failure", "recovery"]
