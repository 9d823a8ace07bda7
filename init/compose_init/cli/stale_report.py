"""The report file of an earlier run, removed before anything of this run can fail.

A run that cannot write a report, because its settings are wrong or because it is killed, must not leave another run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from compose_init.cli.commands import COMMANDS
from compose_init.output.report import remove_report
from compose_seeder.sources.variables import read_variable

NO_RUN = {"--plan", "--help", "-h", "--version"}
"""With these words, nothing is run and no report is written."""

TAKE_A_VALUE = {"--dataset", "--limit", "--output"}
"""After these words comes a value: a dataset may be called as a command is."""


def remove(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Remove the file that INIT_REPORT names, if these words mean a run, whether they are right or wrong."""
    said = {word for before, word in pairwise(["", *words]) if before not in TAKE_A_VALUE}
    if said & {*NO_RUN, *(command.name for command in COMMANDS)}:
        return
    if path := read_variable(environ, "INIT_REPORT").text:
        remove_report(Path(path))
