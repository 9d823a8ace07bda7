"""The command line: one row per command, and which words go together."""

from __future__ import annotations

import sys

import pytest

from compose_init.cli.arguments import parse
from compose_init.cli.commands import COMMANDS
from compose_init.cli.whole_run import WHOLE_RUN
from compose_init.errors import SettingsError

NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_fits_a_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        parse([*filter(None, [name]), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: {' '.join(filter(None, ['compose-init', name]))}")
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_flags_without_a_word_are_of_a_whole_run() -> None:
    """`docker compose run init --seed-only` reads well."""
    command, arguments = parse(["--seed-only", "--dataset", "a", "--dataset", "b"])
    assert command is WHOLE_RUN
    assert (arguments.seed_only, arguments.dataset) == (True, ["a", "b"])


@pytest.mark.parametrize("name", ["status", "check"])
@pytest.mark.parametrize("before", [True, False])
def test_a_command_with_a_document_takes_output(name: str, *, before: bool) -> None:
    """After its word, and before it."""
    output = ["--output", "json"]
    command, arguments = parse([*output, name] if before else [name, *output])
    assert (command.name, arguments.output) == (name, "json")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--plan", "status"], "status takes no --plan"),
        (["--seed-only", "wait"], "wait takes no --seed-only"),
        (["--dataset", "x", "check"], "check takes no --dataset"),
        (["--output", "json", "record"], "record takes no --output"),
        (["status", "--plan"], "unrecognized arguments: --plan"),
        (["wait", "--output", "json"], "unrecognized arguments: --output"),
        (["--plan", "--wait-only"], "--plan and --wait-only exclude each other"),
        (["--plan", "--limit", "-1"], "takes a number or all, found '-1'"),
    ],
)
def test_words_that_do_not_go_together(words: list[str], fault: str) -> None:
    with pytest.raises(SettingsError, match="the command line is wrong: ") as raised:
        parse(words)
    assert fault in str(raised.value)


def test_logs_go_beside_a_document() -> None:
    """A document on stdout is for a program."""
    beside = {
        " ".join(words)
        for words in (["status"], ["check"], ["wait"], [], ["--plan"], ["--output", "text"])
        if (parsed := parse(words))[0].log_stream(parsed[1]) is sys.stderr
    }
    assert beside == {"status", "check", "--plan", "--output text"}
