"""Which of two releases is newer: what deploy/stack makes of the labels of images and of its own past."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.docker import ROOT, run

NOW = datetime.now(UTC)
FIXED = "1980-01-01T00:00:00Z"


def at(hours: float) -> str:
    """Return a time, in hours from now."""
    return (NOW + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def facts(image: str = "-", revision: str = "-", created: str = "-", service: str = "api") -> str:
    """Return what `release_facts` prints of a release with one service."""
    return f"{service} {image} {revision} {created}"


OLD, NEW = facts("i1", "r1", at(-9)), facts("i2", "r2", at(-8))


def call(folder: Path, function: str, *order: str, **releases: str) -> str:
    """Run a function of deploy/stack, with these lines in `order`, and these facts of releases."""
    (folder / "releases").mkdir(exist_ok=True)
    (folder / "releases" / "blocked").touch()
    (folder / "releases" / "order").write_text(
        "".join(f"{line}\n" for line in order), encoding="utf-8"
    )
    for name, text in releases.items():
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    parts = " ".join(
        f"source {ROOT}/deploy/stack.d/{part}.sh;" for part in ("state", "compose", "release_order")
    )
    fakes = 'release_facts() { cat "$1"; }; describe_release() { echo "$1"; }; EVENT=deploy INIT_SERVICE=init;'
    done = run(
        "bash", "-c", f"set -Eeuo pipefail; STATE=releases; {parts} {fakes} {function}", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def worked(release: str, said: str, hours: float = -7) -> str:
    """Return a line of `order`."""
    return f"{at(hours)} {release} {said}"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (facts("i3", "r3", at(-1)), ""),
        (facts("i3"), ""),
        (facts("i3", "-", FIXED), ""),
        (facts("i3", "-", "yesterday"), ""),
        (facts("i3", "r3", at(-8)), ""),
        (facts("i2", "r2", at(-9)), ""),
        (facts("i3", "r2", at(-1)), ""),
        (facts("i3", "r3", at(-8.5)), "its image of api was created at"),
        (facts("i3", "r1", at(-1)), "api is of the revision r1"),
        (facts("i1", "r3", at(-1)), "its image of api worked here before"),
        (facts("i1", "r1", at(-1), "bot"), ""),
    ],
    ids=[
        "newer",
        "no-labels",
        "fixed-time",
        "no-time",
        "same-time",
        "same-image",
        "built-again",
        "created-before",
        "old-revision",
        "old-image",
        "another-service",
    ],
)
def test_a_release_that_was_never_here(tmp_path: Path, said: str, reason: str) -> None:
    """What its images say decides; without a label, or with the same in each image, it is as new as its tag."""
    order = (worked("old", OLD, -8), worked("new", NEW))
    found = call(tmp_path, "older_reason x new", *order, x=said)
    assert found.startswith(reason) if reason else found == ""


def test_a_release_that_was_here(tmp_path: Path) -> None:
    """Its place is known by its ID, and by nothing that is on the server."""
    order = (worked("old", OLD, -8), worked("new", NEW))
    unknown = facts()
    assert "worked here before" in call(tmp_path, "older_reason old new", *order, old=unknown)
    assert call(tmp_path, "older_reason new old", *order, new=unknown) == ""
    assert call(tmp_path, "older_reason new new", *order, new=unknown) == ""
    assert call(tmp_path, "older_reason old ''", *order, old=unknown) == ""


@pytest.mark.parametrize("label", ["r1", "-"])
def test_a_revision_that_all_images_have(tmp_path: Path, label: str) -> None:
    """It says nothing, and neither does one that only some of them have."""
    order = (worked("old", facts("i1", "r1")), worked("new", facts("i2", label)))
    assert call(tmp_path, "older_reason x new", *order, x=facts("i3", "r1")) == ""


@pytest.mark.parametrize(
    ("newest", "created", "is_older"),
    [(24, -1, False), (24, -9, True), (24, 30, False), (24, 20, True)],
    ids=["right-clock", "before-the-newest-worked", "fast-clock-later", "fast-clock-earlier"],
)
def test_a_builder_whose_clock_is_fast(
    tmp_path: Path, newest: float, created: float, is_older: bool
) -> None:
    """No image is younger than the moment when it worked here; with the future, only the future is compared."""
    order = (worked("new", facts("i2", "r2", at(newest)), -7),)
    found = call(tmp_path, "older_reason x new", *order, x=facts("i3", "r3", at(created)))
    assert bool(found) == is_older


@pytest.mark.parametrize(("image", "is_older"), [("i3", False), ("i1", True)])
def test_labels_that_init_has_from_its_base(tmp_path: Path, image: str, *, is_older: bool) -> None:
    """They say nothing about when init was built, or from which revision."""
    order = (
        worked("old", facts("i1", "base", at(-30), "init"), -8),
        worked("new", facts("i2", "r2", at(-8), "init")),
    )
    said = facts(image, "base", at(-30), "init")
    assert bool(call(tmp_path, "older_reason x new", *order, x=said)) == is_older


def test_times_of_other_zones(tmp_path: Path) -> None:
    """Offsets and fractions of seconds are read."""
    order = (worked("new", facts("i2", "r2", "2026-01-02T03:00:00Z"), -7),)
    for created, is_older in (
        ("2026-01-02T04:30:00+02:00", True),
        ("2026-01-02T04:30:00.5+01:00", False),
    ):
        found = call(tmp_path, "older_reason x new", *order, x=facts("i3", "r3", created))
        assert bool(found) == is_older


def order_after(folder: Path, function: str, *order: str, **releases: str) -> list[str]:
    """Return the IDs in `order` after a function."""
    lines = call(folder, f"{function}; cat releases/order", *order, **releases).splitlines()
    return [line.split()[1] for line in lines]


@pytest.mark.parametrize(
    ("event", "said", "order"),
    [
        ("deploy", facts("i3", "r3", at(-1)), ["old", "new", "x"]),
        ("deploy", facts("i3", "r3", at(-8.5)), ["old", "x", "new"]),
        ("deploy", facts("i3"), ["old", "new", "x"]),
        ("rollback", facts("i3"), ["old", "x", "new"]),
    ],
    ids=[
        "newer",
        "older",
        "no-time",
        "rollback",
    ],  # without the times, which differ between workers
)
def test_the_place_of_a_release(tmp_path: Path, event: str, said: str, order: list[str]) -> None:
    """At the end, unless somebody goes back to it, so that the newest one stays the newest."""
    before = (worked("old", OLD, -8), worked("new", NEW))
    found = order_after(tmp_path, f"EVENT={event}; record_place x new", *before, x=said)
    assert found == order
    later = (*before, worked("x", said))
    assert order_after(tmp_path, f"EVENT={event}; record_place x new", *later, x=said) == [
        "old",
        "new",
        "x",
    ]


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (facts("i2", "r2", at(-1)), True),
        (facts("i3", "r2", at(-1)), True),
        (facts("i3", "r3", at(-1)), False),
        (facts("i3", "-", at(-1)), False),
    ],
    ids=["same-images", "same-revision", "neither", "no-revision"],
)
def test_what_was_rolled_back_from_and_is_published_again(
    tmp_path: Path, said: str, again: bool
) -> None:
    """The same images under another digest, or the same revision in new images."""
    blocked = shlex.quote(f"0123456789ab - {at(0)} rolled back to ba9876543210")
    function = (
        f"echo {blocked} >releases/blocked; echo ba9876543210 c >releases/current;"
        " rolled_back_twin x"
    )
    order = (worked("ba9876543210", OLD, -8), worked("0123456789ab", NEW))
    assert call(tmp_path, "rolled_back_twin x", *order, x=said) == ""
    assert bool(call(tmp_path, function, *order, x=said)) == again


INIT = facts("n2", "-", "-", "init")
ANOTHER_INIT = facts("n3", "-", "-", "init")


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (f"{facts('i2', 'r2')}\n{INIT}", True),
        (f"{facts('i3', 'r2')}\n{ANOTHER_INIT}", True),
        (f"{facts('i2', 'r2')}\n{ANOTHER_INIT}", False),
        (f"{facts('i3', 'r3')}\n{INIT}", False),
    ],
)
def test_another_init_of_what_was_rolled_back_from(tmp_path: Path, said: str, again: bool) -> None:
    """It is another release, unless the revision of the rest is the same in new images."""
    blocked = f"0123456789ab - {at(0)} rolled back to ba9876543210"
    function = (
        f"echo {blocked} >releases/blocked; echo ba9876543210 c >releases/current;"
        " rolled_back_twin x"
    )
    order = (
        worked("ba9876543210", OLD, -8),
        worked("0123456789ab", NEW),
        worked("0123456789ab", INIT),
    )
    assert bool(call(tmp_path, function, *order, x=said)) == again


def test_a_revision_that_does_not_tell_what_was_rolled_back_from(tmp_path: Path) -> None:
    """Where the release before has the same."""
    blocked = f"0123456789ab - {at(0)} rolled back to ba9876543210"
    function = (
        f"echo {blocked} >releases/blocked; echo ba9876543210 c >releases/current;"
        " rolled_back_twin x"
    )
    order = (worked("ba9876543210", facts("i1", "r1")), worked("0123456789ab", facts("i2", "r1")))
    assert call(tmp_path, function, *order, x=facts("i3", "r1")) == ""
