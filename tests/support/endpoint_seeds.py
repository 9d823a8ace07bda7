"""Seeds through a small API, as the tests of endpoints use them."""

from __future__ import annotations

from typing import Any

import httpx

from compose_seeder.reconcile.plan import Plan
from tests.support.seed_folder import Seeds

MANIFEST = """
[[dataset]]
name = "things"
source = "things.json"
endpoint = "/things"
key = ["slug"]
{options}
[dataset.http]
{find}
create = "POST /things"
update = "{update}"
{http}
"""
THINGS = [{"slug": "a", "v": 1}, {"slug": "b", "v": 2}, {"slug": "c", "v": 3}]
LIST = 'list = "GET /things"'


class Through:
    """Seeds through the API."""

    def __init__(self, seeds: Seeds, client: httpx.Client) -> None:
        self.seeds = seeds
        self.client = client
        self.manifest()

    def manifest(
        self,
        *,
        options: str = "",
        http: str = "",
        update: str = "PUT /things/{live.id}",
        find: str = LIST,
    ) -> None:
        """Write a manifest with options of the dataset and of its `http`."""
        self.seeds.write(MANIFEST.format(options=options, http=http, update=update, find=find))

    def run(self, things: Any = THINGS, **options: Any) -> Plan:
        """Seed these things."""
        self.seeds.source("things", things)
        return self.seeds.run(api=lambda: self.client, **options)
