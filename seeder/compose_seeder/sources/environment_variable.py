"""An environment variable as an input of datasets that list it in `env`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from compose_seeder.errors import ManifestError
from compose_seeder.sources.variables import FaultKind, read_variable

PREFIX = "env:"
"""The beginning of a variable's location, which tells it from a file's."""


@dataclass(frozen=True)
class EnvironmentVariable:
    """One variable, whose value may be in the file that `NAME_FILE` names.

    Attributes:
        name: the variable's.
        variables: all variables, by name.
    """

    name: str
    variables: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        """Return the location."""
        return self.location

    @property
    def location(self) -> str:
        """`env:NAME`."""
        return PREFIX + self.name

    def value(self) -> str | None:
        """Return the value; None where it is empty.

        Raises:
            ManifestError: the file cannot be read, or the value is not UTF-8 text.
        """
        found = read_variable(self.variables, self.name)
        for fault in found.faults:
            if fault.kind is FaultKind.UNREADABLE:
                raise ManifestError(f"{fault.name}: {fault.problem}")
            if fault.kind is FaultKind.NOT_TEXT:
                raise ManifestError(f"env: {fault.name} {fault.problem}")
        return found.text or None

    def fingerprint(self) -> str:
        """Return a hash of the value, of 64 bits as the ledger's other hashes.

        Raises:
            ManifestError: as `value`.
        """
        key = hashlib.sha256(self.name.encode()).digest()
        return hashlib.blake2b((self.value() or "").encode(), digest_size=8, key=key).hexdigest()
