"""One reader of `NAME` and of the file that `NAME_FILE` names."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose_seeder.sources.variables import (
    FaultKind,
    Variable,
    VariableFileError,
    read_value_file,
    read_variable,
)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"\xef\xbb\xbfsecret\r\n\r\n", "secret"),
        (b" a b \n", " a b "),
        (b"one\ntwo\n", "one\ntwo"),
        (b"", ""),
    ],
)
def test_the_text_of_a_file(tmp_path: Path, content: bytes, text: str) -> None:
    """Without a byte order mark and without line ends at its end; blanks belong to the value."""
    path = tmp_path / "value"
    path.write_bytes(content)
    assert read_value_file(path) == text


def test_a_variable_of_the_environment() -> None:
    """Where it is empty, or its file's name is, it is not set."""
    assert read_variable({"A": "x", "A_FILE": ""}, "A") == Variable("x")
    assert read_variable({"A": ""}, "A") == Variable()


def test_a_variable_of_a_file(tmp_path: Path) -> None:
    """It is known to be the file's."""
    path = tmp_path / "value"
    path.write_text("x\n")
    assert read_variable({"A": "", "A_FILE": str(path)}, "A") == Variable("x", from_file=True)


def test_faults_of_variables(tmp_path: Path) -> None:
    """Each has its kind, the name at fault, and no value in its words."""
    (tmp_path / "latin").write_bytes(b"s\xe9cret")
    (tmp_path / "empty").write_bytes(b"\n")
    expected = {
        ("s3cret", "/x"): ("A", FaultKind.CONFLICT),
        ("s3cret\udcff", ""): ("A", FaultKind.NOT_TEXT),
        ("", "/s3cret\udcff"): ("A_FILE", FaultKind.NOT_TEXT),
        ("", str(tmp_path / "none")): ("A_FILE", FaultKind.UNREADABLE),
        ("", str(tmp_path)): ("A_FILE", FaultKind.UNREADABLE),
        ("", "a\0b"): ("A_FILE", FaultKind.UNREADABLE),
        ("", str(tmp_path / "latin")): ("A_FILE", FaultKind.UNREADABLE),
        ("", str(tmp_path / "empty")): ("A_FILE", FaultKind.EMPTY_FILE),
    }
    for (value, path), (name, kind) in expected.items():
        faults = read_variable({"A": value, "A_FILE": path}, "A").faults
        assert [(fault.name, fault.kind) for fault in faults] == [(name, kind)]
        assert "s3cret" not in faults[0].problem


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    path = tmp_path / "latin"
    path.write_bytes(b"\xe9")
    with pytest.raises(VariableFileError, match=f"{path} cannot be read: it is not UTF-8 text"):
        read_value_file(path)
