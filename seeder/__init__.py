"""Seeding: brings tables and endpoints to what JSON files say, and remembers what it wrote.

    manifest ─▶ for each dataset, in order:
                source ─▶ records ─▶ stage ─▶ diff ─▶ plan ─▶ apply ─▶ ledger

Usable alone: it reads no environment variable and knows nothing of containers.
"""

from seeder.seeding import Options, check, inputs, load, seed

__all__ = ["Options", "check", "inputs", "load", "seed"]
