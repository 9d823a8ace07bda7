"""Seeding: brings tables and endpoints to what JSON files say, and remembers what it wrote.

    manifest ─▶ for each dataset, in order:
                source ─▶ records ─▶ stage ─▶ diff ─▶ plan ─▶ apply ─▶ ledger

Usable alone: it reads no environment variable and knows nothing of containers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seeder.checking import check
    from seeder.options import Options
    from seeder.seeding import examine, inputs, load, seed

__all__ = ["Options", "check", "examine", "inputs", "load", "seed"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is first asked for: an unchanged run asks for fingerprints alone."""
    if name not in __all__:
        raise AttributeError(f"module 'seeder' has no attribute {name!r}")
    from seeder import checking, seeding

    return checking.check if name == "check" else getattr(seeding, name)
