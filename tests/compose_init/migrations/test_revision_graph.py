"""Where a database stands, decided on values."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from compose_init.migrations.database_position import DatabasePosition, DatabaseState, locate
from compose_init.migrations.revision_graph import AppliedRevision, Revision, RevisionGraph
from compose_init.migrations.revision_graph_file import (
    graph_file_path,
    read_graph_file,
    write_graph_file,
)


def graph(*entries: str, labels: dict[str, str] | None = None) -> RevisionGraph:
    """Of `child:parent,parent` words, in order."""
    found = {}
    for entry in entries:
        name, _, parents = entry.partition(":")
        label = (labels or {}).get(name)
        found[name] = Revision(
            name,
            f"makes {name}",
            f"{name}.py",
            tuple(parent for parent in parents.split(",") if parent),
            labels=(label,) if label else (),
        )
    return RevisionGraph(found)


def ledger(of: RevisionGraph, **changed: bool) -> dict[str, AppliedRevision]:
    """All of a graph, as applied."""
    return {
        name: AppliedRevision(
            name, entry.message, entry.prerequisites, "1.4 (abc)", "2026-01-01", **changed
        )
        for name, entry in of.revisions.items()
    }


LINE = graph("a", "b:a", "c:b")
LONGER = graph("a", "b:a", "c:b", "d:c", "e:d")


def test_on_the_line() -> None:
    """Nothing, some and all of it."""
    assert locate(LINE, [], {}).state == "empty"
    assert locate(LINE, ["b"], {}).state == "behind"
    assert locate(LINE, ["c"], {}) == DatabasePosition(DatabaseState.AT_HEAD)
    assert locate(RevisionGraph(), [], {}).state == "at head"


def test_ahead_names_what_the_image_does_not_have() -> None:
    """Oldest first, with who applied it."""
    here = locate(LINE, ["e"], ledger(LONGER))
    assert here.state == "ahead"
    assert [entry.revision for entry in here.unknown] == ["d", "e"]
    assert str(here.unknown[0]) == "d (makes d), applied by image 1.4 (abc) at 2026-01-01"


def test_diverged_where_the_ledger_cannot_connect() -> None:
    """An id that nobody knows, and a chain with a link missing."""
    assert "does not know zzz" in locate(LINE, ["zzz"], ledger(LONGER)).problem
    broken = ledger(LONGER)
    del broken["d"]
    here = locate(LINE, ["e"], broken)
    assert here.state == "diverged"
    assert "does not know d" in here.problem


def test_a_fork_is_diverged() -> None:
    """Connected, and yet this image's own head was never applied."""
    other = graph("a", "b:a", "x:b")
    here = locate(LINE, ["x"], ledger(other))
    assert here.state == "diverged"
    assert "the image's own c is not applied" in here.problem


def test_a_revision_that_breaks_older_images() -> None:
    """Ahead no more: the image must not start."""
    here = locate(LINE, ["e"], ledger(LONGER, breaks_older_images=True))
    assert here.state == "diverged"
    assert "breaks older images" in here.problem


def test_an_independent_branch_is_ahead() -> None:
    """Another base that came with a newer image."""
    newer = ledger(graph("a", "b:a", "c:b", "other"))
    assert locate(LINE, ["c", "other"], newer).state == "ahead"
    assert locate(LINE, ["b", "other"], newer).state == "diverged"


def test_a_dependency_counts_as_applied() -> None:
    """Alembic leaves it out of the version table."""
    first = Revision("a1", "", "a1.py")
    second = Revision("b1", "", "b1.py", depends_on=("a1",))
    both = RevisionGraph({"a1": first, "b1": second})
    assert locate(both, ["b1"], {}).state == "at head"


def test_which_heads_are_accidents() -> None:
    """One branch with two ends is; branches with labels or bases of their own are not."""
    assert graph("a", "b:a", "c:a").accidental_heads() == ("b", "c")
    assert graph("a", "b:a", "c:a", labels={"b": "x", "c": "y"}).accidental_heads() == ()
    assert graph("a", "b:a", "c:a", labels={"b": "x", "c": "x"}).accidental_heads() == ("b", "c")
    assert graph("a", "b").accidental_heads() == ()
    assert LINE.accidental_heads() == ()


@st.composite
def histories(draw: st.DrawFn) -> RevisionGraph:
    """Any directed acyclic history, merges and several bases included."""
    size = draw(st.integers(1, 12))
    words = []
    for number in range(size):
        earlier = [f"r{n}" for n in range(number)]
        parents = (
            draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        )
        words.append(f"r{number}:{','.join(parents)}")
    return graph(*words)


@given(histories(), st.data())
def test_every_older_image_of_a_history_finds_its_database_ahead(
    whole: RevisionGraph, data: st.DataObject
) -> None:
    """Whatever the shape: an image with fewer revisions, all of them applied, is never diverged."""
    kept = whole.applied(data.draw(st.sets(st.sampled_from(sorted(whole.revisions)))))
    older = RevisionGraph({name: entry for name, entry in whole.revisions.items() if name in kept})
    here = locate(older, whole.heads, ledger(whole))
    assert here.state == ("at head" if kept == whole.revisions.keys() else "ahead")
    assert {entry.revision for entry in here.unknown} == whole.revisions.keys() - kept
    seen: set[str] = set(kept)
    for entry in here.unknown:
        assert seen.issuperset(entry.prerequisites)
        seen.add(entry.revision)


@given(histories(), st.data())
def test_behind_knows_what_is_pending(whole: RevisionGraph, data: st.DataObject) -> None:
    """Pending and applied are all there is, and each comes after its parents."""
    current = data.draw(st.sets(st.sampled_from(sorted(whole.revisions))))
    pending = [entry.revision for entry in whole.pending(current)]
    assert set(pending) | whole.applied(current) == whole.revisions.keys()
    assert not set(pending) & whole.applied(current)
    assert (locate(whole, current, {}).state == "at head") == (not pending)


def test_a_record_is_read_where_the_files_are_the_same(tmp_path: Path) -> None:
    """Another fingerprint, another form or rubbish: no record, and no error."""
    write_graph_file(tmp_path, LONGER, "f")
    assert read_graph_file(tmp_path, "f") == LONGER
    assert read_graph_file(tmp_path, "g") is None
    for text in (
        "",
        "[]",
        '{"format": 2}',
        '{"format": 1, "fingerprint": "f", "revisions": [[1]]}',
    ):
        graph_file_path(tmp_path).write_text(text)
        assert read_graph_file(tmp_path, "f") is None
