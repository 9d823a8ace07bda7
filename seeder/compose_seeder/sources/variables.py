"""A variable's value: of the environment, or of the file that `NAME_FILE` names.

The only reader of such files, so that each of them may begin with a byte order mark and end with a line
end. It imports the standard library alone: an unchanged run reads its variables by it as well.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

FILE_SUFFIX = "_FILE"
"""The end of the name of a variable that names a file."""


class VariableFileError(Exception):
    """A variable's file cannot be read, or is not UTF-8 text; the message names file and reason."""


class FaultKind(Enum):
    """The ways in which a variable can be at fault."""

    CONFLICT = auto()
    """Both `NAME` and `NAME_FILE` are set."""
    NOT_TEXT = auto()
    """`NAME` or `NAME_FILE` has bytes that are not UTF-8."""
    UNREADABLE = auto()
    """The file cannot be read, or is not UTF-8 text."""
    EMPTY_FILE = auto()
    """The file holds nothing but line ends."""


@dataclass(frozen=True, slots=True)
class VariableFault:
    """A fault of one variable.

    Attributes:
        name: the variable's, with `_FILE` where its file is at fault.
        problem: what is wrong, without the value.
    """

    kind: FaultKind
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Variable:
    """The value of a variable, and its faults.

    Attributes:
        text: the value; empty where the variable is not set or cannot be read.
        from_file: the value is the file's.
    """

    text: str = field(default="", repr=False)
    from_file: bool = False
    faults: tuple[VariableFault, ...] = ()


def read_variable(variables: Mapping[str, str], name: str) -> Variable:
    """Return the value of `name`, or that of the file which `NAME_FILE` names.

    An empty variable counts as not set, since Compose passes one for `${NAME:-}`. Where both are set,
    the value is that of `NAME`.
    """
    file_name = name + FILE_SUFFIX
    text, path = variables.get(name, ""), variables.get(file_name, "")
    faults: tuple[VariableFault, ...] = ()
    if text and path:
        problem = f"is set, and {file_name} as well; remove one of them"
        faults = (VariableFault(FaultKind.CONFLICT, name, problem),)
    for named, value in ((name, text), (file_name, path)):
        if not _is_unicode(value):
            problem = "holds bytes that are not UTF-8 text"
            return Variable(faults=(*faults, VariableFault(FaultKind.NOT_TEXT, named, problem)))
    if text or not path:
        return Variable(text, faults=faults)
    return _read_named_file(file_name, path)


def _read_named_file(file_name: str, path: str) -> Variable:
    try:
        text = read_value_file(path)
    except VariableFileError as error:
        return Variable(faults=(VariableFault(FaultKind.UNREADABLE, file_name, str(error)),))
    if not text:
        fault = VariableFault(FaultKind.EMPTY_FILE, file_name, f"{path} is empty")
        return Variable(from_file=True, faults=(fault,))
    return Variable(text, from_file=True)


def read_value_file(path: str | os.PathLike[str]) -> str:
    """Return the text of a file that holds one value, without a byte order mark and its last line ends.

    Raises:
        VariableFileError: the file cannot be read, or is not UTF-8 text.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - pathlib imports more
            return file.read().rstrip("\r\n")
    except OSError as error:
        reason = error.strerror
    except ValueError as error:  # not UTF-8, or NUL in the path
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
    raise VariableFileError(f"{os.fspath(path)} cannot be read: {reason}")


def _is_unicode(text: str) -> bool:
    """Tell if UTF-8 can write the text: Python keeps other bytes of the environment as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
