"""docs/runbook.md, command by command: restore a backup, move the seeds, rotate secrets."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import obstore
import pytest
from obstore.store import S3Store

from tests.support.docker import (
    COMMAND_TIMEOUT_SECONDS,
    ROOT,
    Completed,
    docker,
    eventually,
    run,
)
from tests.support.releases import Server, answers, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
DUMP, VERSION = "20261124T021500Z.dump", "1.4.0"
KEY, SECRET = "AKSEEDS", "s3cr3t/key+with=signs"
"""The first of them stands on the page."""


def blocks(heading: str, kind: str) -> list[str]:
    """Return the code blocks of a language under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^ *```{kind}\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(one) for one in found]


def shell(site: Server, lines: str, **given: str) -> Completed:
    """Run lines of the page in the folder; `typed` is their stdin."""
    return subprocess.run(
        ["bash", "-euc", lines],
        cwd=site.folder,
        input=given.get("typed", ""),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )


def on_a_terminal(site: Server, line: str, *answers_: str) -> str:
    """Run a line that asks a person; return what it printed on the terminal."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(["bash", "-euc", line], cwd=site.folder, stdin=theirs, stdout=theirs)
    os.close(theirs)
    said = ""
    for answer in answers_:
        asked = ""
        while not asked.rstrip().endswith(":"):
            asked += os.read(ours, 1000).decode()
        os.write(ours, f"{answer}\n".encode())
        said += asked
    assert running.wait(COMMAND_TIMEOUT_SECONDS) == 0, said
    os.close(ours)
    return said


def test_a_backup_is_made_and_restored(site: Server, first: str) -> None:
    """Before init runs, for nobody else's eyes, the last ones only; every row is back, and the release serves."""
    assert first
    site.setting(STACK_BACKUP="true", STACK_BACKUP_KEEP="1")
    for name in ("The farthest north", "Frozen north"):
        path = site.folder / "seeds" / "seed_data_habitats.json"
        text = re.sub(r'"[^"]*north"', f'"{name}"', path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
        deployed = site.stack("deploy")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    site.setting(STACK_BACKUP=None, STACK_BACKUP_KEEP=None)
    [dump] = (site.folder / "backups").iterdir()
    assert dump.stat().st_mode & 0o077 == 0
    version, before = site.version(), site.tables()
    site.psql("UPDATE monsters SET slug = slug || '-lost'; DROP TABLE ui_translations")
    [lines] = blocks("Restore a backup", "sh")
    lines = lines.replace(DUMP, dump.name).replace(VERSION, version)
    assert lines.count("systemctl") == 2
    done = shell(site, re.sub("^systemctl.*$", "", lines, flags=re.MULTILINE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.version() == version
    assert site.tables() == before
    assert site.psql("SELECT count(*) FROM habitats WHERE name = 'Frozen north'") == "1"
    assert site.stack("status").returncode == 0


@pytest.fixture(name="bucket")
def _bucket(site: Server, tmp_path: Path) -> Iterator[str]:
    """Yield the address of an S3 server that has the seeds."""
    identity = {
        "name": "seeds",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Read", "Write", "List"],
    }
    (tmp_path / "s3.json").write_text(json.dumps({"identities": [identity]}))
    [bridge] = json.loads(docker("network", "inspect", "bridge"))
    place = f"{bridge['IPAM']['Config'][0]['Gateway']}:{free_port()}"
    name = f"weed-{uuid4().hex[:8]}"
    docker(
        *("run", "-d", "--name", name, "-p", f"{place}:8333", "-v", f"{tmp_path}:/etc/weed:ro"),
        *("chrislusf/seaweedfs:4.48", "server", "-s3", "-s3.config=/etc/weed/s3.json"),
    )
    try:
        eventually("the S3 server", lambda: answers(f"http://{place}/") == 403)
        make = "echo s3.bucket.create -name bucket | weed shell"
        eventually("the bucket", lambda: "created" in docker("exec", name, "sh", "-c", make))
        store = S3Store(
            "bucket",
            prefix="prefix",
            endpoint=f"http://{place}",
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )
        for path in (site.folder / "seeds").iterdir():
            obstore.put(store, path.name, path.read_bytes())
        yield f"http://{place}"
    finally:
        docker("rm", "-f", "-v", name)


def test_the_seeds_move_to_object_storage(site: Server, first: str, bucket: str) -> None:
    """Nothing would change, nothing does; and the folder's own seeds are not looked at any more."""
    assert first
    [overlay] = blocks("Move the seeds to object storage", "yaml")
    assert "https://s3.example.com" in overlay
    (site.folder / "compose.seeds.yml").write_text(
        overlay.replace("https://s3.example.com", bucket), encoding="utf-8"
    )
    site.secret("seeds_key", SECRET)
    kept = (site.folder / ".env").read_text(encoding="utf-8")
    values = re.findall(r"`((?:COMPOSE_FILE|SEED_MANIFEST)=[^`]+)`", PAGE)
    site.setting(**dict(value.split("=", 1) for value in values))
    release = (site.folder / "release.yml").read_text(encoding="utf-8")
    try:
        planned = site.stack("plan")
        assert "nothing would change" in planned.stdout, planned.stdout + planned.stderr
        deployed = site.stack("deploy")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert (site.folder / "release.yml").read_text(encoding="utf-8") == release
        (site.folder / "seeds" / "seeds.toml").rename(site.folder / "seeds.toml")
        by_hand = shell(site, "docker compose run --rm --no-deps init")
        assert by_hand.returncode == 0, by_hand.stderr
        assert "nothing to do" in by_hand.stdout
    finally:
        (site.folder / ".env").write_text(kept, encoding="utf-8")
        if (site.folder / "seeds.toml").exists():
            (site.folder / "seeds.toml").rename(site.folder / "seeds" / "seeds.toml")
    assert site.stack("deploy").returncode == 0


def test_secrets_are_rotated(site: Server, first: str) -> None:
    """Both passwords of the database and the bot's token; the API and init connect with the new ones, and no others."""
    assert first
    owner, application = blocks("Rotate secrets", "sh")
    asked, written, used = owner.splitlines()
    password = "another p@ss:w/rd #2% 'y'"
    said = on_a_terminal(site, asked, password, password)
    assert password not in said
    refused = shell(site, "docker compose run --rm --no-deps init --verify")
    assert refused.returncode == 77, refused.stdout
    assert shell(site, written, typed=f"{password}\n").returncode == 0
    assert (site.folder / "secrets" / "postgres_password").stat().st_mode & 0o777 == 0o444
    assert shell(site, used).returncode == 0
    before = (site.folder / "secrets" / "application_password").read_text(encoding="utf-8")
    done = shell(site, application)
    assert done.returncode == 0, done.stderr
    assert (site.folder / "secrets" / "application_password").read_text(encoding="utf-8") != before
    assert answers(f"{site.address}/monsters/list/raw") == 200
    assert shell(site, "docker compose run --rm --no-deps init --verify").returncode == 0
    site.secret("bot_token", "654321:another-token")
    [bot] = re.findall(r"`(docker compose up [^`]* bot)`", PAGE)
    done = shell(site, bot)
    assert done.returncode == 0, done.stderr
    inside = docker("exec", f"{site.project}-bot-1", "cat", "/run/secrets/bot_token")
    assert inside.strip() == "654321:another-token"
    # The files of secrets are not those of the last deploy: the timer deploys once, and then finds nothing new.
    again = run(str(site.folder / "stack"), "deploy", "--timer", cwd=site.folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "the current release is" in again.stdout, again.stdout
    calm = run(str(site.folder / "stack"), "deploy", "--timer", cwd=site.folder)
    assert "nothing new" in calm.stdout, calm.stdout + calm.stderr
