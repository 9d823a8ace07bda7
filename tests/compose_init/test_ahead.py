"""An older image on a newer database: what a rollback looks like."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.support.programs import ROOT, Finished, Program, write_history

OLD = {"a": "op.execute('CREATE TABLE t (id int)')"}
NEW = {**OLD, "b": "op.execute('ALTER TABLE t ADD COLUMN x int')", "c": "pass"}
AHEAD = "the database is ahead of this image, as after a rollback: nothing is migrated and nothing is seeded"


def image(program: Program, name: str, revisions: dict[str, str], **environ: str) -> Program:
    """Return an image with its own files, version and seeds."""
    folder = program.folder / name
    folder.mkdir(exist_ok=True)
    history = write_history(folder, revisions)
    (folder / "seeds.toml").write_text(
        '[[dataset]]\nname = "t"\nsource = "t.json"\ntable = "t"\nkey = ["id"]\n'
    )
    if not (folder / "t.json").exists():
        (folder / "t.json").write_text('[{"id": 1}]')
    return program.with_(
        ALEMBIC_CONFIG=str(history),
        SEED_MANIFEST=str(folder / "seeds.toml"),
        INIT_IMAGE_VERSION=name,
        INIT_IMAGE_REVISION=f"git-{name}",
        **environ,
    )


def query(program: Program, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        return connection.execute(text).fetchall()


def warned(run: Finished) -> list[str]:
    return [said for event in run.events if event["event"] == AHEAD for said in event["revisions"]]


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "not recorded"])
def test_a_rollback_is_left_alone(program: Program, *, recorded: bool) -> None:
    """0 with one warning that names what came after, who applied it and when; no seeding either."""
    old, new = image(program, "v1", OLD), image(program, "v2", NEW)
    if recorded:
        assert old.run("record").code == 0
    assert (old.run().code, new.run().code) == (0, 0)
    (old.folder / "v1" / "t.json").write_text('[{"id": 1}, {"id": 2}]')
    for arguments in ([], ["--seed-only"], ["--migrate-only"], ["--plan"], ["--verify"]):
        run = old.run(*arguments)
        assert run.code == 0, run.said
        named = warned(run)
        assert [said.split()[0] for said in named] == ["b", "c"]
        assert "applied by image v2 (git-v2) at 20" in named[0]
    assert query(old, "SELECT id FROM t") == [(1,)]
    assert query(old, "SELECT version_num FROM alembic_version") == [("c",)]
    report = json.loads(old.run("--output", "json").out)
    assert report["outcome"] == "nothing to do"
    assert [entry["revision"] for entry in report["ahead"]] == ["b", "c"]
    status = json.loads(old.run("status", "--output", "json").out)
    assert status["database"]["state"] == "ahead"
    text = old.run("status").out
    assert "schema    ahead: at c; this image's head is a" in text
    assert "revision  b  Revision b.  applied 20" in text
    assert "by image v2 git-v2" in text


def test_seeds_that_are_newer_than_the_image(program: Program) -> None:
    """The server's seeds are the newer image's, and the older one does not understand them: still 0."""
    old, new = image(program, "v1", OLD), image(program, "v2", NEW)
    assert (old.run().code, new.run().code) == (0, 0)
    (old.folder / "v1" / "seeds.toml").write_text("[[dataset]]\nof_the_future = 1\n")
    for arguments in ([], ["--seed-only"], ["--plan"]):
        run = old.run(*arguments)
        assert run.code == 0, run.said
        assert warned(run)
    (new.folder / "v2" / "seeds.toml").write_text("[[dataset]]\nof_the_future = 1\n")
    assert new.run().code == 78


def test_forward_again(program: Program) -> None:
    """After the rollback the newer image finds all as it left it."""
    old, new = image(program, "v1", OLD), image(program, "v2", NEW)
    for each in (old, new, old):
        assert each.run().code == 0
    assert new.run().names() == ["nothing to do"]


def test_ahead_is_seen_without_alembic(program: Program) -> None:
    """Where the revision graph is recorded; a stale record costs the slower way, with the same result."""
    blocked = program.folder / "blocked"
    blocked.mkdir()
    path = f"{blocked}:{ROOT}"
    old, new = (
        image(program, name, revisions, PYTHONPATH=path)
        for name, revisions in (("v1", OLD), ("v2", NEW))
    )
    assert old.run("record").code == 0
    assert (old.run().code, new.run().code) == (0, 0)
    (blocked / "alembic.py").write_text("raise RuntimeError('alembic is imported')")
    run = old.run()
    assert run.code == 0, run.said
    assert warned(run)
    revision = Path(old.environ["ALEMBIC_CONFIG"]) / "a.py"
    revision.write_text(revision.read_text() + "# changed\n")
    assert "alembic is imported" in old.run().said
    (blocked / "alembic.py").unlink()
    assert warned(old.run())


def test_a_revision_may_break_older_images(program: Program) -> None:
    """73 rather than 0, naming it, and nothing is changed."""
    old, new = image(program, "v1", OLD), image(program, "v2", NEW)
    file = Path(new.environ["ALEMBIC_CONFIG"]) / "b.py"
    file.write_text(file.read_text() + "\nbreaks_older_images = True\n")
    assert (old.run().code, new.run().code) == (0, 0)
    run = old.run()
    assert run.code == 73
    assert "breaks older images" in run.said
    assert "b (Revision b.), applied by image v2" in run.said


def test_a_fork_is_not_ahead(program: Program) -> None:
    """73: the ledger connects both, and each has what the other lacks."""
    old, new = image(program, "v1", {**OLD, "x": "pass"}), image(program, "v2", NEW)
    assert image(program, "v0", OLD).run().code == 0
    assert new.run().code == 0
    run = old.run()
    assert run.code == 73
    assert "the image's own x is not applied" in run.said


def test_revisions_from_before_are_adopted(program: Program) -> None:
    """Those that another tool applied are in the ledger, marked so, and a rollback to their image works."""
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('b')")
        connection.execute("CREATE TABLE t (id int, x int)")
    new, old = image(program, "v2", NEW), image(program, "v1", OLD)
    assert new.run().code == 0
    rows = query(
        new,
        "SELECT revision, parents, message, adopted, applied_at IS NULL, image_version, git_revision,"
        " seconds IS NULL FROM compose_init.revision ORDER BY revision",
    )
    assert rows == [
        ("a", [], "Revision a.", True, True, "", "", True),
        ("b", ["a"], "Revision b.", True, True, "", "", True),
        ("c", ["b"], "Revision c.", False, False, "v2", "git-v2", False),
    ]
    assert [said.split()[0] for said in warned(old.run())] == ["b", "c"]


def test_the_ledger_forgets_what_was_undone_by_hand(program: Program) -> None:
    """A downgrade by hand, and the next run applies and records it anew."""
    new = image(program, "v2", NEW)
    assert new.run().code == 0
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'b'")
    assert image(program, "v3", NEW).run().code == 0
    assert query(new, "SELECT image_version FROM compose_init.revision ORDER BY revision") == [
        ("v2",),
        ("v2",),
        ("v3",),
    ]


def test_wait_knows_that_ahead_is_there(program: Program) -> None:
    """A container of the older image waits for its head, which the newer one has applied long ago."""
    old, new = image(program, "v1", OLD), image(program, "v2", NEW)
    assert new.run().code == 0
    assert old.with_(INIT_DATABASE_TIMEOUT="2").run("wait", "--revision", "head").code == 0
