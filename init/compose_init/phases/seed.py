"""The phase that brings the seeds to what their files say, through the engine `compose_seeder`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx

from compose_init.api_process import open_api
from compose_init.database.connection import Connection
from compose_init.errors import SettingsError
from compose_init.phases.options import RunOptions
from compose_init.settings import Settings
from compose_seeder import Options, examine, record_tables, seed
from compose_seeder.errors import SourceError
from compose_seeder.sources import Sources

if TYPE_CHECKING:
    from compose_seeder.reconcile.plan import Plan


@dataclass
class SeedPhase:
    """The seeds of a run: its manifest, its sources and its API."""

    settings: Settings
    options: RunOptions

    @property
    def manifest(self) -> str:
        """The path or URL of the manifest; "" where there is none."""
        return self.settings.manifest or ""

    @cached_property
    def sources(self) -> Sources:
        """How to read the manifest and the seed files."""
        return Sources(self.settings.object_store, self.settings.environ)

    def is_unchanged(self, inputs: Mapping[str, str]) -> bool:
        """Return True where the manifest and all sources are as a complete run left them.

        Args:
            inputs: the fingerprints that the run recorded, by location.
        """
        if self.options.verify or self.manifest not in inputs:
            return False
        try:
            return all(
                self.sources.recorded(location).fingerprint() == fingerprint
                for location, fingerprint in inputs.items()
            )
        except SourceError:
            return False  # the phase itself will report it, by dataset

    def examine(self) -> None:
        """Find what is wrong with the manifest before the schema is changed.

        Raises:
            ManifestError, SourceError: see `compose_seeder.examine`.
        """
        has_api = self.settings.api is not None
        examine(self.manifest, self.sources, only=self.options.datasets, api=has_api)

    def record_tables(self, connection: Connection) -> None:
        """Write to the ledger how the manifest names its tables; see `compose_seeder.record_tables`."""
        record_tables(connection, self.manifest, self.sources)

    def run(self, connection: Connection, **how: Any) -> tuple[list[Plan], dict[str, str]]:
        """Seed, or plan; the API is started, or waited for, only where a dataset needs it.

        Args:
            connection: in autocommit.
            how: further options of `compose_seeder.Options`.

        Returns:
            One plan per dataset as it came out, and the fingerprints of all inputs by location.

        Raises:
            SeedError: see `compose_seeder.errors`.
        """
        with ExitStack() as api:
            options = Options(
                only=self.options.datasets,
                verify=self.options.verify,
                limit=self.options.limit,
                api=_call_once(lambda: api.enter_context(self.open_api())),
                **how,
            )
            return seed(connection, self.manifest, self.sources, options)

    @contextmanager
    def open_api(self) -> Iterator[httpx.Client]:
        """Return a client of the healthy API; a temporary API is stopped at the end.

        Raises:
            SettingsError: there is no API, or its command cannot be run.
            NotReadyError, CredentialsRefused: see `api_process.open_api`.
        """
        if self.settings.api is None:  # `examine` has reported this before
            raise SettingsError("settings are wrong:\n  API_BASE_URL: is missing")
        with open_api(
            self.settings.api, self.settings.file_values, self.settings.api_timeout
        ) as client:
            yield client


def _call_once(open_client: Callable[[], httpx.Client]) -> Callable[[], httpx.Client]:
    """Return a function that calls `open_client` when it is first called, and returns that client always."""
    opened: list[httpx.Client] = []

    def client() -> httpx.Client:
        if not opened:
            opened.append(open_client())
        return opened[0]

    return client
