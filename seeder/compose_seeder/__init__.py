"""Seeding: brings tables and endpoints to what JSON files say, and remembers what it wrote.

    manifest ─▶ for each dataset, in order:
                source ─▶ records ─▶ diff ─▶ plan ─▶ apply ─▶ ledger

Usable alone: it reads no environment variable and knows nothing of containers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compose_seeder.options import Options
    from compose_seeder.pipeline import examine, record_tables, seed
    from compose_seeder.validate import check

__all__ = ["Options", "check", "examine", "record_tables", "seed"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is first asked for: an unchanged run asks for fingerprints alone."""
    if name not in __all__:
        raise AttributeError(f"module 'compose_seeder' has no attribute {name!r}")
    from compose_seeder import pipeline, validate  # noqa: PLC0415 - the fast path needs sources alone

    return validate.check if name == "check" else getattr(pipeline, name)
