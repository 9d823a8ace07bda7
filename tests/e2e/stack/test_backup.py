"""Dumps before a deploy: made before anything is touched, whole, and kept; the tests build on one another."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.docker import Completed, docker, eventually, run
from tests.support.releases import Revision
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FOREIGN = ("before-upgrade.dump", "zzz.dump", "20991231T000000Z.dump", "import.part")
"""What people keep in backups/: names that sort behind ours, a name of our form from the future, and a .part."""
NOTES = Revision("0002", "0001", "CREATE TABLE notes (id int PRIMARY KEY)")
LOSS = Revision("0003", "0002", "DROP TABLE notes")
SICK = "ENV APP_VERSION=another"
"""An API that the probe refuses: that takes less time than one that never gets healthy."""


def dumps(site: SmallServer) -> list[str]:
    """Return the names of the dumps that the script has made and not deleted, in order."""
    return sorted(path.name for path in site.folder.glob("backups/*") if path.name not in FOREIGN)


def contents(site: SmallServer, name: str) -> str:
    """Return what `pg_restore` reads from a dump, as SQL."""
    command = f"docker exec -i {site.project}-postgres-1 pg_restore -f - <backups/{name}"
    done = run("bash", "-c", command, cwd=site.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def instead(site: SmallServer, program: str, script: str) -> str:
    """Return a PATH on which a script stands in front of a program; $REAL is the program."""
    folder = site.folder.parent / f"instead-of-{program}"
    folder.mkdir(exist_ok=True)
    real = run("bash", "-c", f"type -P {program}").stdout.strip()
    (folder / program).write_text(f"#!/bin/bash\nREAL={real}\n{script}\n", encoding="utf-8")
    (folder / program).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture(scope="module", name="first")
def _first(small_hub: SmallReleases, small_site: SmallServer) -> str:
    """Deploy version 1 on an empty server, with backups on; return what was said."""
    small_hub.publish("1.0.0")
    small_site.setting(STACK_BACKUP="true", STACK_BACKUP_KEEP="2", STACK_PROBE_TIMEOUT="5")
    small_site.install()
    said = small_site.deploy()
    for name in FOREIGN:
        (small_site.folder / "backups" / name).write_text("theirs", encoding="utf-8")
    return said


def deploy(site: SmallServer, *words: str, **environment: str) -> Completed:
    return site.stack("deploy", *words, **environment)


def test_a_dump_is_made_before_anything_is_touched(
    small_hub: SmallReleases, small_site: SmallServer, first: str
) -> None:
    """Of what is there before init runs or PostgreSQL is replaced, for nobody else's eyes."""
    assert "there is no database to dump yet" in first
    assert dumps(small_site) == []
    small_hub.publish("1.1.0", NOTES)
    compose = small_site.folder / "compose.yml"
    kept = compose.read_text(encoding="utf-8")
    compose.write_text(kept.replace("    volumes:", "    shm_size: 65m\n    volumes:", 1))
    before = small_site.state("postgres")["StartedAt"]
    said = small_site.deploy()
    assert small_site.state("postgres")["StartedAt"] != before
    assert said.index("dumped the database") < said.index("init of")
    [name] = dumps(small_site)
    sql = contents(small_site, name)
    assert "1\tone\n" in sql
    assert "compose_init" in sql
    assert "public.notes" not in sql
    assert (small_site.folder / "backups" / name).stat().st_mode & 0o077 == 0


def test_only_own_dumps_are_deleted(small_site: SmallServer, first: str) -> None:
    """In the order in which they were made, even if the clock was ahead; never the one just made."""
    assert first
    [old] = dumps(small_site)
    future = "20980101T000000Z.dump"
    backups, listed = small_site.folder / "backups", small_site.folder / "releases" / "dumps"
    (backups / old).rename(backups / future)
    listed.write_text(
        listed.read_text().replace(old, future).replace("2026-", "2098-"), encoding="utf-8"
    )
    small_site.setting(STACK_BACKUP_KEEP="1")
    small_site.words("one", "two", "three")
    small_site.deploy()
    [name] = dumps(small_site)
    assert name != future
    assert "3\tthree" not in contents(small_site, name)
    for foreign in FOREIGN:
        assert (backups / foreign).read_text() == "theirs"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('[[ $* == *pg_dump* ]] && { "$REAL" "$@" | head -c -200; exit 0; }', "not whole"),
        ('[[ $* == *pg_dump* ]] && { "$REAL" "$@" | head -c 500; exit 0; }', "not whole"),
        ("[[ $* == *pg_dump* ]] && exit 0", "has written nothing"),
        ('[[ $* == *pg_dump* ]] && { "$REAL" "$@"; exit 1; }', "could not be dumped"),
    ],
    ids=["end-cut-off", "head-only", "nothing", "fails"],
)
def test_what_is_not_whole_is_no_dump(
    small_site: SmallServer, first: str, script: str, words: str
) -> None:
    """The deploy ends before anything is touched, and the dump from before stays."""
    assert first
    kept = dumps(small_site)
    before = small_site.state("api")["StartedAt"]
    small_site.words("another")
    path = instead(small_site, "docker", f'{script}\nexec "$REAL" "$@"')
    done = deploy(small_site, PATH=path)
    small_site.words("one", "two", "three")
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in done.stderr
    assert "nothing was changed" in done.stderr
    assert "still serves" in done.stderr
    assert "init of" not in done.stdout
    assert dumps(small_site) == kept
    assert small_site.state("api")["StartedAt"] == before


def test_a_dump_is_on_the_disk_before_it_counts(small_site: SmallServer, first: str) -> None:
    """Its data before its name, and then its name; if the disk says no, there is no dump and no deploy."""
    assert first
    [kept] = dumps(small_site)
    log = small_site.folder.parent / "synced"
    script = f'echo "$* $(ls backups | tr "\\n" " ")" >>{log}; [[ ! -e {log}.full ]] || exit 1; exec "$REAL" "$@"'
    path = instead(small_site, "sync", script)
    Path(f"{log}.full").touch()
    small_site.words("one", "two")
    refused = deploy(small_site, PATH=path)
    assert refused.returncode == 1
    assert "could not be written to the disk" in refused.stderr
    assert dumps(small_site) == [kept]
    Path(f"{log}.full").unlink()
    log.unlink()
    assert deploy(small_site, PATH=path).returncode == 0
    [name] = dumps(small_site)
    data, entry = log.read_text(encoding="utf-8").splitlines()
    assert data.startswith("backups/unfinished.dump.part ")
    assert name not in data
    assert entry.startswith("backups ")
    assert name in entry


def test_the_dump_from_before_the_trouble_stays(
    small_hub: SmallReleases, small_site: SmallServer, first: str
) -> None:
    """Whatever the number of failed releases; the timer dumps once for each of them."""
    assert first
    small_hub.publish("2.0.0", NOTES, LOSS, api=SICK)
    assert deploy(small_site, "--timer").returncode == 1
    assert small_site.psql("SELECT to_regclass('notes')") == ""
    [good] = dumps(small_site)
    for _ in range(3):
        deploy(small_site, "--timer")
    assert dumps(small_site) == [good]
    for number in range(1, 3):
        small_hub.publish(f"2.0.{number}", NOTES, LOSS, api=SICK)
        assert deploy(small_site, *["--timer"][: number - 1]).returncode == 1
        assert len(dumps(small_site)) == 2
    assert good in dumps(small_site)
    assert "CREATE TABLE public.notes" in contents(small_site, good)


def test_an_unwell_release_is_not_dumped_again(small_site: SmallServer, first: str) -> None:
    """By no tick of the timer: its init has nothing new."""
    assert first
    kept = dumps(small_site)
    api = f"{small_site.project}-api-1"
    docker("exec", "--user", "0", api, "rm", "/usr/local/bin/python")  # its health check
    unwell = "unhealthy"
    eventually(unwell, lambda: small_site.state("api")["Health"]["Status"] == unwell)
    for _ in range(2):
        assert deploy(small_site, "--timer").returncode == 2
    assert dumps(small_site) == kept
    docker("rm", "--force", api)
    assert deploy(small_site, "--timer").returncode == 0
    assert dumps(small_site) == kept


def test_a_busy_release_is_dumped_once_an_hour(
    small_hub: SmallReleases, small_site: SmallServer, first: str
) -> None:
    """The timer tries it again at every tick, and its dump from before is good enough; later it is not."""
    assert first
    small_hub.publish("3.0.0", NOTES, LOSS, init='ENTRYPOINT ["sh", "-c", "exit 75"]')
    assert deploy(small_site, "--timer").returncode == 1
    made = dumps(small_site)
    again = deploy(small_site, "--timer")
    assert "dumped for this release less than an hour ago" in again.stdout, again.stderr
    assert dumps(small_site) == made
    listed = small_site.folder / "releases" / "dumps"
    earlier = re.sub(r"T\d\d(:\d\d:\d\dZ [^\n]+\n)$", r"T00\1", listed.read_text())
    listed.write_text(earlier.replace("2026-11-2", "2026-11-1"), encoding="utf-8")
    assert "dumped the database" in deploy(small_site, "--timer").stdout


def test_a_stopped_database_is_started_as_it_was(
    small_hub: SmallReleases, small_site: SmallServer, first: str
) -> None:
    """And dumped; after that, the deploy goes on."""
    assert first
    container = docker("inspect", "-f", "{{.Id}}", f"{small_site.project}-postgres-1")
    docker("stop", f"{small_site.project}-postgres-1")
    small_hub.publish("4.0.0", NOTES, LOSS)
    said = small_site.deploy()
    assert "starting it as it was" in said
    assert said.index("starting it as it was") < said.index("dumped the database")
    assert docker("inspect", "-f", "{{.Id}}", f"{small_site.project}-postgres-1") == container


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"STACK_BACKUP_SERVICE": "db"}, "A PostgreSQL outside of this stack cannot be dumped"),
        ({"STACK_BACKUP_KEEP": "0"}, "STACK_BACKUP_KEEP"),
        ({"STACK_BACKUP_KEEP": "2x"}, "STACK_BACKUP_KEEP"),
        ({"STACK_BACKUP_KEEP": "-1"}, "STACK_BACKUP_KEEP"),
        ({"STACK_BACKUP_KEEP": "99999999999999999999"}, "STACK_BACKUP_KEEP"),
    ],
)
def test_what_cannot_be_backed_up_is_said(
    small_site: SmallServer, first: str, settings: dict[str, str], words: str
) -> None:
    """Before anything else, with what to do."""
    assert first
    kept = dumps(small_site)
    for command in ("deploy", "rollback"):
        done = small_site.stack(command, **settings)
        assert done.returncode == 78, done.stdout + done.stderr
        assert words in done.stderr
    assert dumps(small_site) == kept


def test_an_empty_database_is_never_a_backup(
    small_hub: SmallReleases, small_site: SmallServer, first: str
) -> None:
    """Of an installation that has releases: the deploy ends, and no dump is deleted."""
    assert first
    kept = dumps(small_site)
    assert kept
    small_site.psql("DROP SCHEMA compose_init, public CASCADE; CREATE SCHEMA public")
    small_hub.publish("5.0.0", NOTES)
    done = deploy(small_site)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no database of this server is that of this installation" in done.stderr
    assert "init of" not in done.stdout
    assert dumps(small_site) == kept
