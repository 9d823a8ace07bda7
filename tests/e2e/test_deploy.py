"""deploy/stack, from an empty folder through releases that fail; the tests build on one another."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.docker import (
    COMMAND_TIMEOUT_SECONDS,
    PASSWORD,
    ROOT,
    docker,
    eventually,
    run,
)
from tests.support.releases import (
    HOOK,
    OF_TEST,
    TOKEN,
    Poll,
    Receiver,
    Registry,
    Revision,
    Server,
    answers,
    killed,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXPAND = Revision("0016", "0015", "ALTER TABLE spells ADD COLUMN slots int DEFAULT 1")
BROKEN = Revision("0017", "0016", "ALTER TABLE spells ADD COLUMN slots int")
LATER = Revision("0017", "0016", "CREATE TABLE notes (id int PRIMARY KEY)")
CONTRACT = Revision("0018", "0017", "ALTER TABLE spells DROP COLUMN slots", breaks=True)


def timer(site: Server) -> subprocess.CompletedProcess[str]:
    """Run the command of the systemd unit."""
    unit = site.folder / "units" / f"stack-{site.project}.service"
    [words] = re.findall(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return run("sh", "-c", words, cwd=Path("/"))


def test_what_is_missing_is_said_at_once(tmp_path: Path) -> None:
    """A folder with nothing in it but the script: all that is missing, and nothing made."""
    script = tmp_path / "stack"
    script.write_bytes((ROOT / "deploy" / "stack").read_bytes())
    script.chmod(0o755)
    done = run(str(script), "install", cwd=tmp_path)
    assert done.returncode == 78
    assert "compose.yml is not here" in done.stderr
    assert ".env is not here" in done.stderr
    assert list(tmp_path.iterdir()) == [script]
    for words in (("deploy",), ("rollback", "1"), ("status",), ("nonsense",)):
        assert run(str(script), *words, cwd=tmp_path).returncode == 78


def test_an_empty_server_comes_up(site: Server, first: str) -> None:
    """`install`, `deploy`: the version answers, by digest; what is run by hand uses the same images."""
    assert site.version() == "1.0.0"
    assert "@sha256:" in site.image("api")
    assert "answers 200" in first
    assert site.state("init")["Status"] == "absent"
    assert "@sha256:" in site.image("bot")
    by_hand = run("docker", "compose", "config", "--images", cwd=site.folder).stdout
    assert site.image("api") in by_hand
    assert site.state("bot")["Health"]["Status"] == "healthy"


def test_nothing_new_is_said(site: Server, first: str) -> None:
    """And nothing is started, by hand or by the timer."""
    assert first
    before = site.state("api")["StartedAt"]
    for done in (site.stack("deploy"), timer(site)):
        assert done.returncode == 0, done.stderr
        assert "nothing new: 1.0.0" in done.stdout
        assert "init of" not in done.stdout
    assert site.state("api")["StartedAt"] == before


def test_the_units_are_valid(site: Server, first: str) -> None:
    """A service that mails where it fails, and a timer that catches up."""
    assert first
    texts = {
        path.suffix: path.read_text()
        for path in (site.folder / "units").iterdir()
        if "mail" not in path.name
    }
    assert f"OnFailure=stack-{site.project}-mail.service" in texts[".service"]
    assert "Persistent=true" in texts[".timer"]
    assert "RandomizedDelaySec=" in texts[".timer"]
    [mail] = (site.folder / "units").glob("*-mail.service")
    assert "${MAILTO:-root}" in mail.read_text()


def test_a_faulty_env_stops_everything(site: Server, first: str) -> None:
    """All of its faults at once, nothing pulled, nothing started."""
    assert first
    kept = (site.folder / ".env").read_text(encoding="utf-8")
    before = site.state("api")["StartedAt"]
    site.setting(STACK_KEEP="many", APY_TAG="1", BOT_TAG="changeme")
    (site.folder / ".env").chmod(0o644)
    try:
        done = site.stack("deploy")
    finally:
        (site.folder / ".env").write_text(kept, encoding="utf-8")
        (site.folder / ".env").chmod(0o600)
    assert done.returncode == 78, done.stdout + done.stderr
    for word in ("STACK_KEEP", "APY_TAG", "API_TAG", "BOT_TAG", "chmod 600"):
        assert word in done.stderr
    assert site.state("api")["StartedAt"] == before


def test_the_timer_takes_up_a_new_release(hub: Registry, site: Server, first: str) -> None:
    """A migration and a changed seed with it; the plan says so before, and nobody waits for init."""
    assert first
    hub.publish("2.0.0", EXPAND, bot=True)
    site.edit("seed_data_habitats.json", label=('"Frozen north"', '"The far north"'))
    planned = site.stack("plan")
    assert planned.returncode == 2, planned.stdout + planned.stderr
    assert "0016" in planned.stdout
    assert "2.0.0" in planned.stdout
    assert site.version() == "1.0.0"
    done = timer(site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.version() == "2.0.0"
    assert site.psql("SELECT version_num FROM alembic_version") == "0016"
    assert site.psql("SELECT count(*) FROM habitats WHERE name = 'The far north'") == "1"
    assert site.history()[-1][1:3] == ["deploy", "ok"]


def test_an_edited_seed_is_something_new(site: Server, first: str) -> None:
    """Without a new image."""
    assert first
    site.edit("seed_data_habitats.json", label=('"The far north"', '"Frozen north"'))
    done = timer(site)
    assert done.returncode == 0, done.stderr
    assert "init succeeded" in done.stdout
    assert site.psql("SELECT count(*) FROM habitats WHERE name = 'Frozen north'") == "1"


def test_a_failing_migration_leaves_the_old_version_serving(
    hub: Registry, site: Server, ears: Receiver, first: str
) -> None:
    """Not one request fails; the alert arrives by each way, once, by one a run later; the timer leaves it alone."""
    assert first
    hub.publish("3.0.0", EXPAND, BROKEN)
    containers = site.image("api"), site.state("api")["StartedAt"]
    ears.requests.clear()
    ears.refuses = "/bot"
    with Poll(site.address) as poll:
        done = timer(site)
    ears.refuses = "none"
    assert done.returncode == 1, done.stdout + done.stderr
    assert "could not be sent by telegram; the next run tries again" in done.stderr
    assert "still serves" in done.stderr
    assert poll.failures == []
    assert {said for _, said in poll.answers} == {"2.0.0"}
    assert len(poll.answers) > 20
    assert (site.image("api"), site.state("api")["StartedAt"]) == containers
    assert ears.events() == ["failure"]
    [alert] = [body for path, body in ears.requests if path == f"/{HOOK}"]
    assert "exit code 70" in alert["text"]
    assert "slots" in str(alert["summary"])
    assert len(ears.requests) == 1
    again = timer(site)
    assert again.returncode == 0, again.stderr
    assert [path for path, _ in ears.requests[1:]] == [f"/bot{TOKEN}/sendMessage"]
    assert "blocked" in again.stdout
    assert "init of" not in again.stdout
    assert ears.events() == ["failure"]
    by_hand = site.stack("deploy")
    assert by_hand.returncode == 1
    assert ears.events() == ["failure"]


def test_a_release_that_never_gets_healthy_is_taken_back(
    hub: Registry, site: Server, ears: Receiver, first: str
) -> None:
    """To version 2, by digest and by what answers; the schema stays ahead, and that is said."""
    assert first
    before = site.image("api")
    hub.publish("4.0.0", EXPAND, LATER, sick=True)
    done = timer(site)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "did not become healthy" in done.stderr
    assert site.image("api") == before
    assert site.version() == "2.0.0"
    assert site.psql("SELECT version_num FROM alembic_version") == "0017"
    assert "schema stays" in done.stderr
    assert ears.events()[-1] == "rollback"
    assert "ahead" in (site.folder / "releases" / "init.log").read_text(encoding="utf-8")
    assert site.history()[-1][1:3] == ["deploy", "rolled-back"]


def test_killed_on_the_way_back(site: Server, first: str) -> None:
    """The next run ends there, and does not try the sick release again."""
    assert first
    assert killed(site.begin("deploy"), "rolling back to")
    done = timer(site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.version() == "2.0.0"
    assert "nothing new" in timer(site).stdout


def test_a_rollback_with_the_schema_ahead(site: Server, ears: Receiver, first: str) -> None:
    """To version 1 by its number, from images that are here; no timer undoes it, not even a killed one."""
    assert first
    assert killed(site.begin("rollback", "1.0.0"), "init succeeded")
    done = timer(site)
    assert "a rollback was interrupted; continuing it" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.version() == "1.0.0"
    assert "by hand" in ears.requests[-1][1].get("text", "")
    calm = timer(site)
    assert calm.returncode == 0
    assert site.version() == "1.0.0"
    status = site.stack("status")
    assert status.returncode == 0, status.stdout
    assert "blocked" in status.stdout


def test_without_a_registry(hub: Registry, site: Server, ears: Receiver, first: str) -> None:
    """A deploy says so and touches nothing; a rollback works; the recovery is told."""
    assert first
    hub.stop()
    try:
        done = timer(site)
        assert done.returncode == 69, done.stdout
        assert "1.0.0" in done.stderr
        assert site.version() == "1.0.0"
        back = site.stack("rollback", "2.0.0")
        assert back.returncode == 0, back.stdout + back.stderr
        assert site.version() == "2.0.0"
    finally:
        hub.start()
    # version 4 is what `latest` is; it has failed, and is left alone
    calm = timer(site)
    assert calm.returncode == 0, calm.stderr
    assert site.version() == "2.0.0"
    unknown = site.stack("rollback", "9.9.9")
    assert unknown.returncode == 69
    assert "Known here: " in unknown.stderr
    hub.publish("5.0.0", EXPAND, LATER)
    assert timer(site).returncode == 0
    assert site.version() == "5.0.0"
    assert ears.events()[-1] == "recovery"


def test_a_contract_step_refuses_the_rollback(
    hub: Registry, site: Server, ears: Receiver, first: str
) -> None:
    """With the reason, and the newer version serves on; not one request fails."""
    assert first
    hub.publish("6.0.0", EXPAND, LATER, CONTRACT)
    assert site.stack("deploy").returncode == 0
    with Poll(site.address) as poll:
        done = site.stack("rollback")
    assert done.returncode == 1
    assert "0018" in done.stdout
    assert "still serves" in done.stderr
    assert poll.failures == []
    assert site.version() == "6.0.0"
    assert ears.events()[-1] == "failure"
    calm = timer(site)
    assert calm.returncode == 0
    assert "blocked" not in calm.stdout


def test_two_deploys_at_once(hub: Registry, site: Server, first: str) -> None:
    """One does it, the other says that it is done by another."""
    assert first
    hub.publish("7.0.0", EXPAND, LATER, CONTRACT)
    both = [site.begin("deploy", "--timer") for _ in range(2)]
    said = [each.communicate(timeout=COMMAND_TIMEOUT_SECONDS)[0] for each in both]
    assert sorted(each.returncode for each in both) == [0, 75], said
    assert site.version() == "7.0.0"


STEPS = {
    "": 0.3,  # settings read, locked, the registry asked
    "signatures are valid": 0.0,
    "pulling": 0.1,
    "dumped the database": 0.0,
    "init of": 0.5,
    "init succeeded": 0.0,
    "starting": 1.0,
    "answers 200": 0.0,
}
"""What is said, and how many seconds later the run is killed."""


def test_killed_at_each_step_and_run_again(hub: Registry, site: Server, first: str) -> None:
    """Each run gets past the step at which the one before was killed; until `starting`, not one request fails."""
    assert first
    before = site.version()
    hub.publish("8.0.0", EXPAND, LATER, CONTRACT, bot=True)
    site.setting(STACK_VERIFY="true", STACK_BACKUP="true")
    for step, after in STEPS.items():
        with Poll(site.address) as poll:
            eventually(
                f"a run that says {step!r}",
                lambda: killed(site.begin("deploy"), step, after),  # noqa: B023 - called here
            )
        if list(STEPS).index(step) < list(STEPS).index("starting"):
            assert poll.failures == [], step
            assert site.version() == before

    def over() -> bool:
        done = timer(site)
        assert done.returncode in {0, 75}, done.stdout + done.stderr
        return done.returncode == 0

    eventually("the next run", over)
    site.setting(STACK_VERIFY=None, STACK_BACKUP=None)
    assert site.version() == "8.0.0"
    assert "nothing new" in timer(site).stdout
    left = docker(
        *("ps", "-aq", "--filter", f"label=com.docker.compose.project={site.project}"),
        *("--filter", "label=com.docker.compose.oneoff=True", "--filter", "status=exited"),
    )
    assert not left.split()
    assert not list((site.folder / "releases").glob("*.part"))


def test_a_signature_that_does_not_hold(hub: Registry, site: Server, first: str) -> None:
    """Nothing of that release is pulled or run."""
    assert first
    before = site.version()
    policy = site.folder / "policy"
    policy.write_text(
        '#!/bin/sh\ncase $1 in *"/api@"*) echo "no signature on $1"; exit 1 ;; esac\n'
    )
    policy.chmod(0o755)
    hub.publish("9.1.0", EXPAND, LATER, CONTRACT)
    site.setting(STACK_VERIFY="./policy")
    refused = timer(site)
    assert refused.returncode == 1
    assert "the signature of api" in refused.stderr
    assert site.version() == before
    site.setting(STACK_VERIFY=None)
    taken = timer(site)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert "nothing new" not in taken.stdout
    assert site.version() == "9.1.0"


def test_old_images_go(hub: Registry, site: Server, first: str) -> None:
    """Those of the last five releases stay, by name, so that no `docker image prune` takes them."""
    assert first
    names = f"reference=stack.local/{site.project}/api"
    kept = docker("image", "ls", "--filter", names, "--format", "{{.Tag}}").split()
    assert len(kept) == 5
    docker("image", "prune", "--force", "--filter", f"label={OF_TEST}={hub.container}")
    assert site.stack("rollback", "8.0.0").returncode == 0
    assert site.version() == "8.0.0"


def test_no_secret_is_said(site: Server, ears: Receiver, first: str) -> None:
    """Not in an alert, not in what the script leaves in the folder, not in what Docker knows."""
    assert first
    left = "".join(
        path.read_text(encoding="utf-8")
        for path in (site.folder / "releases").iterdir()
        if path.is_file()
    )
    told = str([body for _, body in ears.requests]) + left + first
    for secret in (PASSWORD, TOKEN, "with-a-secret-in-it", "a-token-that-lives"):
        assert secret not in told
    assert answers(f"{site.address}/health") == 200
