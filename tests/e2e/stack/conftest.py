"""A small stack for each module: releases in the registry, and a server's folder."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.releases import HOOK, Receiver, Registry, receiver
from tests.support.small_stack import SmallReleases, SmallServer, small_server


@pytest.fixture(scope="module", name="small_hub")
def _small_hub(hub: Registry, tmp_path_factory: pytest.TempPathFactory) -> SmallReleases:
    return SmallReleases(hub, tmp_path_factory.mktemp("small-releases"), f"s{uuid4().hex[:8]}")


@pytest.fixture(scope="module", name="small_site")
def _small_site(
    small_hub: SmallReleases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallServer]:
    """Yield a folder on an empty server: nothing installed, nothing published."""
    with small_server(tmp_path_factory.mktemp("small-site"), small_hub) as found:
        yield found


@pytest.fixture(scope="module", name="small_ears")
def _small_ears(small_site: SmallServer) -> Iterator[Receiver]:
    """Yield what receives the alerts of the small stack."""
    with receiver() as found:
        small_site.secret("alert_webhook", f"{found.address}/{HOOK}")
        yield found
