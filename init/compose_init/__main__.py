"""The process: signals, the only `except` for everything, and the exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from logging import DEBUG, ERROR, WARNING
from typing import Any, NoReturn, TextIO

from compose_init.errors import DEFECT, SIGNAL_BASE, Interrupted, exit_code_of
from compose_init.logs import configure_first, event, log


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _open_closed_streams()
    code = _run(sys.argv[1:])
    _on_signals(_already_ending)
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    gc.freeze()  # otherwise the interpreter looks for garbage among all objects when it ends
    if code > SIGNAL_BASE:  # a request under way must not hold the exit up
        os._exit(code)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Give the null device to what was closed before the start: else a socket would get its number, and our output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            stream = open(number, "w" if number else "r", encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _flush(stream: TextIO) -> None:
    """Flush a stream; what nobody can read any more changes no exit code, and makes no noise at the exit."""
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())


def _on_signals(call: Callable[[int, Any], None]) -> None:
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, call)


def _interrupt(signum: int, _: Any) -> None:
    # Once: what cleans up after the first signal is not to be interrupted by a second one. A function
    # and not SIG_IGN: Python complains on stderr where a signal that has come already finds that.
    _on_signals(_already_ending)
    raise Interrupted(signum)


def _already_ending(signum: int, _: Any) -> None:
    del signum


def _run(words: list[str]) -> int:
    try:
        _on_signals(_interrupt)
        _leave_removed_folder()
        configure_first(sys.stdout)
        if _is_up_to_date(words):
            return 0
        return _run_command(words)
    except Interrupted as interrupted:
        _log_interrupt(interrupted)
        return interrupted.exit_code
    except Exception as error:  # noqa: BLE001 - the only one; every error leaves by here
        _log_error(error)
        return exit_code_of(error)


def _leave_removed_folder() -> None:
    """Work in the root folder where the working folder was removed: no relative path can mean a file in it."""
    try:
        os.getcwd()  # noqa: PTH109 - pathlib is imported later
    except OSError:
        os.chdir("/")


def _is_up_to_date(words: list[str]) -> bool:
    gc.disable()  # importing psycopg leaves no garbage, and looking for it takes a tenth of the time
    try:
        # Not at the top: a signal that comes during these imports ends the run as any other does.
        from compose_init import up_to_date  # noqa: PLC0415 - see above

        return up_to_date.answer(words, os.environ)
    finally:
        gc.enable()


def _run_command(words: list[str]) -> int:
    # Not at the top: an unchanged run has ended before.
    from compose_init.cli import stale_report  # noqa: PLC0415 - see above
    from compose_init.cli.arguments import parse  # noqa: PLC0415 - see above
    from compose_init.cli.context import Context  # noqa: PLC0415 - see above
    from compose_init.settings import read  # noqa: PLC0415 - see above

    stale_report.remove(words, os.environ)
    command, arguments = parse(words)
    stream = command.log_stream(arguments)
    configure_first(stream)  # faults of the settings go where all logs will
    settings = read(os.environ, offline=not command.needs_database)
    context = Context(arguments, settings, stream)
    context.reset_logging()
    printed, warned = context.mask(stream), context.mask(sys.stderr)
    # What an env.py prints is no part of a document.
    with redirect_stdout(printed), redirect_stderr(warned):
        return command.run(context)


def _log_interrupt(interrupted: Interrupted) -> None:
    event(
        "interrupted: what was under way is rolled back, the lock is released",
        WARNING,
        signal=interrupted.signal.name,
        exit_code=interrupted.exit_code,
    )


def _log_error(error: Exception) -> None:
    code = exit_code_of(error)
    if code == DEFECT:
        message = "a defect in compose-init: please report it with this traceback"
        event(message, ERROR, exit_code=code, cause=error)
    else:
        cause = error.__cause__ if log.isEnabledFor(DEBUG) else None
        event(str(error), ERROR, exit_code=code, cause=cause)


if __name__ == "__main__":
    main()
