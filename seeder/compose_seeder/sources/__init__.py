"""Where the bytes of seeds come from: files, object stores, HTTPS.

seeds.toml ─▶ Sources.beside(manifest, "monsters/*.json") ─▶ a Source ─▶ open(), fingerprint()
"""

from compose_seeder.sources.location import Sources
from compose_seeder.sources.source import Input, Source

__all__ = ["Input", "Source", "Sources"]
