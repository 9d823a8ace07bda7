"""What a header of an HTTP request may hold."""

from __future__ import annotations

import re

FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name, after RFC 9110."""

VALUE_FAULTS = "line ends, blanks around it, or characters beyond ASCII"
"""What `fits_header` refuses, in words."""


def fits_header(text: str) -> bool:
    """Tell if a header can hold the text as its value: httpx ends in a traceback where it cannot."""
    return text.isascii() and text.isprintable() and text == text.strip()
