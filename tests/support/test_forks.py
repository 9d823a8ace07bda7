"""Forks of a preloaded interpreter: each run is what a process of its own would be."""

from __future__ import annotations

import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.forks import Running, can_fork, command
from tests.support.preloaded import Call

MODULE = "program_of_the_test"
PROGRAM = """
import atexit, os, sys, time

atexit.register(print, "the last word")
print(os.environ.get("NAME"), os.getcwd(), *sys.argv[1:], flush=True)
print("an error", file=sys.stderr)
match sys.argv[1:] or [os.environ.get("DO")]:
    case ["wait"]:
        time.sleep(60)
    case ["say", text]:
        sys.exit(text)
    case ["end", code]:
        sys.exit(int(code))
    case ["fail"]:
        raise ValueError("as told")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a small program."""
    (tmp_path / f"{MODULE}.py").write_text(PROGRAM)
    return tmp_path


def start(folder: Path, *words: str, name: str = "a") -> Running:
    return Running(Call(list(words), {"NAME": name}, str(folder), MODULE))


def test_a_run_has_its_own_words_variables_folder_and_streams(folder: Path) -> None:
    with start(folder, "end", "0") as run:
        assert run.communicate() == (f"a {folder} end 0\nthe last word\n", "an error\n")
    assert run.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(("end", "7"), 7, ""), (("say", "no"), 1, "no\n"), (("fail",), 1, "ValueError: as told\n")],
)
def test_a_run_ends_as_an_interpreter_does(
    folder: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    with start(folder, *words) as run:
        _, errors = run.communicate()
    assert run.returncode == code
    assert errors.endswith(said)


def test_runs_at_once_have_their_own_exit_codes(folder: Path) -> None:
    runs = [start(folder, "end", str(code), name=str(code)) for code in range(8)]
    for code, run in enumerate(runs):
        with run:
            assert run.communicate()[0].startswith(f"{code} ")
        assert run.returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_run(folder: Path, number: signal.Signals) -> None:
    with start(folder, "wait") as run:
        run.stdout.readline()
        assert run.poll() is None
        run.send_signal(number)
        assert run.wait(timeout=30) == -number
    assert run.poll() == -number


def test_a_run_that_takes_too_long_is_killed(folder: Path) -> None:
    with start(folder, "wait") as run:
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(timeout=0.1)
        with pytest.raises(subprocess.TimeoutExpired):
            run.communicate(timeout=0.1)
    assert run.returncode == -signal.SIGKILL


def test_a_failed_test_leaves_no_run_behind(folder: Path) -> None:
    run = start(folder, "wait")
    with pytest.raises(ZeroDivisionError), run:
        raise ZeroDivisionError
    assert run.returncode == -signal.SIGKILL


@pytest.mark.parametrize("variable", ["PYTHONPATH", "LC_ALL", "LANG", "LD_PRELOAD", "TZ"])
def test_what_an_interpreter_reads_at_its_start_needs_one(variable: str) -> None:
    assert can_fork({"DATABASE_URL": "x"})
    assert not can_fork({"DATABASE_URL": "x", variable: "y"})


def test_a_command_passes_output_and_exit_code_on(folder: Path) -> None:
    """As API_COMMAND, which compose-init starts with its own environment."""
    done = subprocess.run(
        shlex.split(command(MODULE)),
        cwd=folder,
        env={"NAME": "b", "DO": "nothing"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"b {folder}\nthe last word\n")
    assert done.stderr == "an error\n"


def test_a_command_passes_signals_on(folder: Path) -> None:
    with subprocess.Popen(
        shlex.split(command(MODULE)),
        cwd=folder,
        env={"DO": "wait"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
        assert process.stdout.read() == b"", "the fork has ended too"
