"""When deploy/stack runs STACK_VERIFY again: a hash of the command and of all that its words name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.docker import ROOT, Completed, run


def call(folder: Path, *words: str) -> Completed:
    """Run `verification_state` in a server's folder."""
    script = f'source {ROOT}/deploy/stack.d/signatures.sh; verification_state "$@"'
    return run("bash", "-c", f"set -Eeuo pipefail; {script}", "bash", *words, cwd=folder)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "server"
    (folder / "keys").mkdir(parents=True)
    for name in ("verify", "cosign.pub", "keys/one.pub", "policy of ours"):
        (folder / name).write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "verify").chmod(0o755)
    (folder / "linked.pub").symlink_to("keys/one.pub")
    return folder


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("./verify", "verify"),
        ("./verify --key cosign.pub", "cosign.pub"),
        ("./verify --key=cosign.pub", "cosign.pub"),
        ("./verify --volume ./keys:/keys:ro", "keys/one.pub"),
        ("./verify --volume=./keys:/keys", "keys/two.pub"),
        ("./verify @cosign.pub,keys/one.pub", "keys/one.pub"),
        ("./verify --key linked.pub", "keys/one.pub"),
        ("sh ./verify cosign.pub", "cosign.pub"),
    ],
)
def test_a_changed_file_is_noticed(folder: Path, words: str, file: str) -> None:
    """Wherever a word names it."""
    before = call(folder, *words.split())
    assert before.returncode == 0, before.stderr
    assert call(folder, *words.split()).stdout == before.stdout
    (folder / file).write_text("another", encoding="utf-8")
    (folder / "verify").chmod(0o755)
    assert call(folder, *words.split()).stdout != before.stdout


def test_the_words_and_their_order(folder: Path) -> None:
    """A changed command is another one."""
    found = {call(folder, "./verify", *words).stdout for words in (("a", "b"), ("b", "a"), ("a",))}
    assert len(found) == 3


@pytest.mark.parametrize("word", ["/", ".", "..", "--volume=/:/host", "a=", "", "nowhere"])
def test_a_place_is_no_policy(folder: Path, word: str) -> None:
    """What is below this folder, or all of the disk, may change."""
    before = call(folder, "./verify", word)
    assert before.returncode == 0, before.stderr
    (folder / "history").write_text("one", encoding="utf-8")
    assert call(folder, "./verify", word).stdout == before.stdout


def test_what_cannot_be_read_is_remembered_by_no_hash(folder: Path) -> None:
    """Here a link leads round in a circle."""
    (folder / "keys" / "circle").symlink_to(folder / "keys")
    assert call(folder, "./verify", "keys").returncode != 0
