"""URLs that print themselves without what may be secret in them."""

from __future__ import annotations

import pytest

from compose_seeder.safe_url import SafeUrl


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://user:hunter22@host:8443/a.json?key=hunter22#hunter22",
            "https://host:8443/a.json",
        ),
        ("https://host/a.json", "https://host/a.json"),
        ("https://user:hunter22/@host/", "https://…"),
    ],
)
def test_no_secret_is_shown(url: str, shown: str) -> None:
    """Neither as text nor as a value in a traceback."""
    assert str(SafeUrl(url)) == shown
    assert "hunter22" not in repr(SafeUrl(url))
