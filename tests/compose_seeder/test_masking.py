"""Secrets in text, replaced in every form."""

from __future__ import annotations

from compose_seeder.masking import SecretMask


def test_forms_of_a_secret() -> None:
    """As JSON writes it, with and without escapes, and as a URL does."""
    text = 'a/b"ü a/b\\"ü a/b\\"\\u00fc a%2Fb%22%C3%BC'
    assert SecretMask({'a/b"ü'})(text) == "*** *** *** ***"


def test_a_secret_in_another_one() -> None:
    """The longer one goes first: no rest of it stays."""
    assert SecretMask({"hunter", "hunter22"})("hunter22 hunter") == "*** ***"


def test_a_short_secret_stays() -> None:
    """It would mask ordinary words."""
    assert SecretMask({"abc"})("abc") == "abc"
