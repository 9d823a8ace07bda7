"""The protocols of sources: resolved once from the manifest, then opened and fingerprinted.

Input     a fingerprint and a location for the ledger        an environment variable
└─ Source   can be opened as well                            a file, an object, a glob
"""

from __future__ import annotations

from typing import Protocol

from compose_seeder.sources.content import Opened


class Input(Protocol):
    """Something whose change makes a dataset due again.

    `str()` of an input is for messages and holds no secret.
    """

    @property
    def location(self) -> str:
        """The text by which the ledger knows the input; `Sources.recorded` reads it."""

    def fingerprint(self) -> str:
        """Return the fingerprint of the present content; download nothing that has an ETag.

        Raises:
            SourceError: the input cannot be read.
        """


class Source(Input, Protocol):
    """One file, or several that a pattern matches."""

    def open(self) -> Opened:
        """Read the present content.

        Raises:
            SourceError: the source cannot be read, with the reason and the remedy.
        """
