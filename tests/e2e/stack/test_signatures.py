"""STACK_VERIFY: nothing of a release runs before it was accepted, by the key that is in force."""

from __future__ import annotations

import pytest

from tests.support.docker import docker, run
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

POLICY = """\
#!/bin/sh
echo "$2" >>verified-images
grep -q good "$1" || { echo "no signature by $1"; exit 1; }
"""


def asked(site: SmallServer) -> int:
    """Return how many images were verified since the last call."""
    path = site.folder / "verified-images"
    count = len(path.read_text(encoding="utf-8").split()) if path.exists() else 0
    path.unlink(missing_ok=True)
    return count


def key(site: SmallServer, text: str) -> None:
    """Write the key of the policy."""
    (site.folder / "key.pub").write_text(text, encoding="utf-8")


def test_install_runs_nothing_that_was_not_accepted(
    small_hub: SmallReleases, small_site: SmallServer
) -> None:
    """Exit code 1, with the reason, and init is not on this server; a command that is missing is named."""
    small_hub.publish("1", labels="org.opencontainers.image.revision=r1")
    policy = small_site.folder / "policy"
    policy.write_text(POLICY, encoding="utf-8")
    policy.chmod(0o755)
    key(small_site, "bad")
    small_site.setting(STACK_VERIFY="./policy key.pub")
    refused = small_site.stack("install", "--no-timer")
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "no signature by key.pub" in refused.stderr
    assert not docker("image", "ls", "-q", f"{small_hub.name}/init").split()
    assert asked(small_site) == 1
    small_site.setting(STACK_VERIFY="./nowhere key.pub")
    missing = small_site.stack("install", "--no-timer")
    assert (
        missing.returncode == 78
    )  # a fault that `doctor` finds, once there is a folder for what it asks the registry
    assert "there is no command ./nowhere" in missing.stderr
    small_site.setting(STACK_VERIFY="./policy key.pub")


def test_an_image_is_verified_once(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """By `install`, for the deploy too; and again where the key has changed."""
    key(small_site, "good")
    small_site.install()
    assert asked(small_site) == 2
    small_site.deploy()
    assert asked(small_site) == 0
    small_hub.publish("2", labels="org.opencontainers.image.revision=r2")
    key(small_site, "good, another one")
    small_site.deploy()
    assert asked(small_site) == 4  # those of the release to which a failure would lead back, too
    assert small_site.version() == "2"


def test_a_key_that_was_withdrawn(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """What it had accepted is not gone back to, and not planned; what serves goes on."""
    key(small_site, "bad")
    back = small_site.stack("rollback")
    assert back.returncode == 1
    assert "it was accepted by another STACK_VERIFY, key or policy" in back.stderr
    assert "2 (" in back.stderr
    small_hub.publish("3", labels="org.opencontainers.image.revision=r3")
    for words in (("plan",), ("deploy",), ("deploy", "--timer")):
        refused = small_site.stack(*words)
        assert refused.returncode == 1, refused.stdout
        assert "the signature of" in refused.stderr
    assert small_site.version() == "2"
    assert run("docker", "image", "inspect", f"{small_hub.name}/api:3").returncode
    key(small_site, "good, another one")
    assert small_site.stack("rollback").returncode == 0
    assert small_site.version() == "1"
