"""./stack doctor on a real server's folder; the tests build on one another."""

from __future__ import annotations

import socket

import pytest

from tests.support.docker import Completed
from tests.support.releases import HOOK, TOKEN, receiver
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def findings(done: Completed, mark: str) -> list[str]:
    """Return the lines with a mark, each with its remedy."""
    lines = (done.stdout + done.stderr).splitlines()
    return [
        f"{line} {lines[n + 1].strip()}"
        for n, line in enumerate(lines)
        if line.startswith(f"{mark} ")
    ]


def test_before_anything_is_published(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """The images are missing, the rest is checked; `install` refuses with the same words and writes nothing."""
    there = set(small_site.folder.rglob("*"))
    for words in (("doctor",), ("install", "--no-timer")):
        done = small_site.stack(*words)
        assert done.returncode == 78, done.stdout + done.stderr
        faults = findings(done, "fault")
        assert [fault.split(" cannot")[0] for fault in faults] == [
            f"fault    registry: {small_hub.name}/{service}:latest" for service in ("api", "init")
        ]
        assert f"docker login {small_hub.registry.name}" in faults[0]
        assert set(small_site.folder.rglob("*")) == there
    assert (
        "skipped  .env and secrets: no init image is on this server yet"
        in small_site.stack("doctor").stdout
    )


def test_all_is_well(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """Before and after the first deploy; what is not configured is a warning."""
    small_hub.publish("1.0.0")
    before = small_site.stack("doctor")
    assert before.returncode == 0, before.stdout
    small_site.install()
    small_site.deploy()
    done = small_site.stack("doctor")
    assert done.returncode == 0, done.stdout
    assert findings(done, "fault") == []
    assert [line.split(":")[0] for line in findings(done, "warning")] == [
        "warning  images",
        "warning  images",
        "warning  timer",
        "warning  backup",
        "warning  alerts",
    ]
    assert "/api:latest has no label revision, created, by" in done.stdout
    assert "ok       registry: it gives 2 images" in done.stdout
    assert "ok       .env and secrets: init finds no fault" in done.stdout
    assert "skipped" not in done.stdout


def test_a_secret_that_a_container_cannot_read(small_site: SmallServer) -> None:
    """The user of init's image; its mode is tried in a container, and the remedy works."""
    path = small_site.folder / "secrets" / "postgres_password"
    path.chmod(0o400)
    done = small_site.stack("doctor")
    [fault] = findings(done, "fault")
    assert f"init cannot read {path}, as the user of its image" in fault
    assert f"chmod o+rX {path}" in fault
    assert done.returncode == 78
    path.chmod(0o404)
    assert small_site.stack("doctor").returncode == 0


def test_a_seed_in_a_closed_folder(small_site: SmallServer) -> None:
    """A folder that the container's user may not enter hides what is in it."""
    closed = small_site.folder / "seeds" / "more, of it"
    closed.mkdir(mode=0o700)
    done = small_site.stack("doctor")
    [fault] = findings(done, "fault")
    assert f"init cannot read {closed}, as" in fault
    closed.rmdir()


def test_several_faults_at_once(small_site: SmallServer) -> None:
    """Each with its remedy, whatever the one before has found."""
    seeds = small_site.folder / "seeds"
    seeds.rename(small_site.folder / "elsewhere")
    small_site.setting(STACK_MIN_FREE_MB="999999999", STACK_KEP="5", STACK_WATCH_SECONDS="soon")
    (small_site.folder / ".env").chmod(0o644)
    try:
        done = small_site.stack("doctor")
    finally:
        (small_site.folder / "elsewhere").rename(seeds)
        small_site.setting(STACK_MIN_FREE_MB="100", STACK_KEP=None, STACK_WATCH_SECONDS="1")
        (small_site.folder / ".env").chmod(0o600)
    faults = "\n".join(findings(done, "fault"))
    for words in (
        "files: .env is readable by other users -> chmod 600 .env",
        "disk: ",
        "STACK_KEP: nothing reads it; did you mean STACK_KEEP?",
        "STACK_WATCH_SECONDS: must be a whole number",
        f"mounts: {seeds} is not here, and init mounts it",
    ):
        assert words in faults
    assert "ok       registry" in done.stdout


def test_a_test_alert_arrives(small_site: SmallServer) -> None:
    """At each channel, on request only, as a test; the output says who has it and shows no secret."""
    with receiver() as ears:
        small_site.secret("alert_webhook", f"{ears.address}/{HOOK}")
        small_site.secret("alert_telegram_token", TOKEN)
        small_site.setting(STACK_TELEGRAM_API=ears.address, STACK_TELEGRAM_CHAT="42")
        assert small_site.stack("doctor").returncode == 0
        assert ears.requests == []
        done = small_site.stack("doctor", "--alert")
        assert done.returncode == 0, done.stdout
        assert ears.events() == ["test"]
        [chat] = [body for path, body in ears.requests if path.startswith("/bot")]
        assert "a test of the alerts" in chat["text"]
        assert (
            f"ok       test alert: sent to webhook at {ears.address.rpartition(':')[0]}"
            in done.stdout
        )
        ears.refuses = "/hook"
        refused = small_site.stack("doctor", "--alert")
    [fault] = findings(refused, "fault")
    assert "webhook" in fault
    assert refused.returncode == 78
    assert "with-a-secret" not in done.stdout + refused.stdout
    assert TOKEN not in done.stdout + refused.stdout
    for name in ("alert_webhook", "alert_telegram_token"):
        (small_site.folder / "secrets" / name).unlink()
    small_site.setting(STACK_TELEGRAM_API=None, STACK_TELEGRAM_CHAT=None)


def test_labels_and_a_taken_port(small_hub: SmallReleases, small_site: SmallServer) -> None:
    """What the images in the registry say is enough; a port that another program has is a fault."""
    image = "org.opencontainers.image"
    labels = (
        f"{image}.revision=abc {image}.created=2026-11-20T00:00:00Z {image}.base.digest=sha256:0"
    )
    small_hub.publish("1.1.0", labels=labels)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        small_site.setting(API_BIND=f"127.0.0.1:{port}")
        done = small_site.stack("doctor")
    small_site.setting(API_BIND=f"127.0.0.1:{small_site.port}")
    assert "ok       images: they are for this machine, and have the labels" in done.stdout
    [fault] = findings(done, "fault")
    assert f"ports: 127.0.0.1:{port}, which api publishes, is taken by another program" in fault


def test_a_signature_that_is_not_valid(small_site: SmallServer) -> None:
    """Of an image in the registry, before it is pulled."""
    policy = small_site.folder / "policy"
    policy.write_text("#!/bin/sh\ncase $1 in *@sha256:*) echo 'not ours'; exit 1 ;; esac\n")
    policy.chmod(0o755)
    small_site.setting(STACK_VERIFY="./policy")
    [fault] = findings(small_site.stack("doctor"), "fault")
    assert "signatures: the signature of api" in fault
    assert "not ours" in fault
    policy.write_text("#!/bin/sh\ncase $1 in *@sha256:*) exit 0 ;; esac\nexit 1\n")
    done = small_site.stack("doctor")
    assert done.returncode == 0, done.stdout
    assert "ok       signatures: STACK_VERIFY accepts" in done.stdout
    small_site.setting(STACK_VERIFY=None)


def test_a_dump_that_was_cut(small_site: SmallServer) -> None:
    """The newest dump is read to its end; its beginning alone says nothing."""
    small_site.setting(STACK_BACKUP="true")
    small_site.words("three")
    small_site.deploy()
    [dump] = (small_site.folder / "backups").glob("*.dump")
    done = small_site.stack("doctor")
    assert f"ok       backup: pg_restore reads backups/{dump.name}" in done.stdout
    dump.write_bytes(dump.read_bytes()[:-100])
    [fault] = findings(small_site.stack("doctor"), "fault")
    assert f"backup: backups/{dump.name} is not as it was made" in fault
