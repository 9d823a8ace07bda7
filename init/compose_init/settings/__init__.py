"""Settings: from the environment alone, validated whole, every fault at once.

    environment, secret files ─▶ texts by name ─▶ variables (pydantic) ─▶ Settings
                                     └──────────▶ rules between variables ─▶ faults

`variables.py` declares each variable once: its name, type, default, meaning and example.
"""

from __future__ import annotations

from compose_init.settings.reader import read
from compose_init.settings.values import Api, OAuth, Settings
from compose_init.settings.variables import DECLARED, KNOWN, SECRET

__all__ = ["DECLARED", "KNOWN", "SECRET", "Api", "OAuth", "Settings", "read"]
