"""Yes and no in the environment."""

from __future__ import annotations

FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
"""The values of a flag, in small letters."""
