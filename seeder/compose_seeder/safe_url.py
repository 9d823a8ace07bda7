"""URLs that print themselves without what may be secret in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class SafeUrl:
    """A URL whose text shows neither login, query nor fragment: each of them may hold a secret.

    Attributes:
        full: the URL in full, for requests.
    """

    full: str = field(repr=False)

    def __str__(self) -> str:
        """Return scheme, host, port and path."""
        try:
            parts = urlsplit(self.full)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:  # such as a password with / in it, whose rest passes for a port
            return f"{scheme_of(self.full)}://…"
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def scheme_of(location: str) -> str:
    """Return the scheme of a URL in small letters; "" for a path."""
    scheme, separator, _ = location.partition("://")
    return scheme.lower() if separator else ""
