"""./stack status on a real server's folder; the tests build on one another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.docker import eventually
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CRASHES = 'CMD ["python", "-c", "print(\'the token is \\"wrong\\"\'); raise SystemExit(3)"]'


def status(site: SmallServer) -> dict[str, Any]:
    """Return `./stack status --output json`."""
    done = site.stack("status", "--output", "json")
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit_code"] == done.returncode
    return found


def test_why_a_service_is_not_well(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """The first line of the reason, in both outputs, with exit code 2."""
    small_hub.publish("1.0.0", api=CRASHES)
    small_site.install()
    assert small_site.stack("deploy").returncode == 2
    found = status(small_site)
    assert found["exit_code"] == 2
    assert found["current"] is None
    assert found["healthy"] is False
    [api] = [each for each in found["unhealthy"] if each["service"] == "api"]
    assert api["reason"] == 'the token is "wrong"'
    text = small_site.stack("status")
    assert text.returncode == 2
    assert '(the token is "wrong")' in text.stdout
    assert [run["result"] for run in found["runs"]] == ["failed"]
    assert found["alert"]["sent"] == "nobody was told, no alert channel was configured"


def test_what_serves_since_when(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """Its images, and when it became the current release; the registry is not asked."""
    small_hub.publish("1.1.0")
    small_site.deploy()
    small_hub.registry.stop()
    try:
        found = status(small_site)
        text = small_site.stack("status")
    finally:
        small_hub.registry.start()
    assert found["exit_code"] == 0
    assert found["healthy"] is True
    assert found["unhealthy"] == []
    assert found["current"]["version"] == "1.1.0"
    assert found["current"]["id"] == found["started"]
    assert found["current"]["since"] == found["runs"][-1]["time"]
    assert {image["service"]: image["version"] for image in found["current"]["images"]} == {
        "api": "1.1.0",
        "init": "1.1.0",
    }
    assert text.returncode == 0
    assert (
        f"current    1.1.0 ({found['started']}), since {found['current']['since']} (" in text.stdout
    )
    assert "every service is up and healthy" in text.stdout


def test_while_a_deploy_runs(small_site: SmallServer) -> None:
    """It is shown and not disturbed."""
    small_site.setting(STACK_WATCH_SECONDS="6")
    small_site.words("three")
    running = small_site.begin("deploy")
    eventually("a run in progress", lambda: status(small_site)["in_progress"])
    assert "a run is in progress" in small_site.stack("status").stdout
    said = running.communicate(timeout=300)[0]
    assert running.returncode == 0, said
    assert status(small_site)["in_progress"] is False


def test_without_docker(small_site: SmallServer) -> None:
    """What the files say is shown, with the reason and exit code 2."""
    done = small_site.stack("status", "--output", "json", DOCKER_HOST="unix:///nowhere")
    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == 2
    assert "Docker does not answer" in found["docker_fault"]
    assert found["healthy"] is None
    assert found["current"]["id"] == status(small_site)["current"]["id"]
