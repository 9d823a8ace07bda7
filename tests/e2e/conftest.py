"""One engine, one set of images, and one stack for all tests that can share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose_init import __version__
from tests.support.docker import ROOT, Images, Stack, docker, run, server, telegram_server
from tests.support.file_lock import file_lock
from tests.support.releases import Receiver, Registry, Server, hearing, registry
from tests.support.releases import server as empty_server
from tests.support.requirements import lacking

TOOLS = """\
FROM python:3.13-slim
RUN apt-get update -qq \\
    && apt-get install -qq -y --no-install-recommends cosign openssh-server pgbouncer \\
    && rm -rf /var/lib/apt/lists/*
"""
TEST_TIMEOUT_SECONDS = 1800
"""A bound for a test that hangs; programs and events have bounds of their own that name them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let an end-to-end test take as long as a busy machine needs."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_SECONDS))


@pytest.fixture(scope="session", name="engine")
def _engine() -> None:
    """Require a Docker engine in CI; elsewhere skip visibly without it."""
    try:
        answer = run("docker", "compose", "version")
        answer = answer if answer.returncode else run("docker", "info")
        reason = answer.stderr.strip() if answer.returncode else ""
    except FileNotFoundError:
        reason = "there is no docker command"
    if reason:
        lacking(f"end-to-end tests need a Docker engine: {reason}")


def _open_mounted_files() -> None:
    """Let the users of containers read what is mounted, whatever umask the checkout was made with."""
    os.umask(0o022)
    seeds = ROOT / "examples" / "dnd-helper" / "seeds"
    for path in (seeds, *seeds.iterdir(), ROOT / "deploy" / "roles.sh"):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


@pytest.fixture(scope="session", name="images")
def _images(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Build the images with `make images`, once for all workers; or return those that E2E_REGISTRY names."""
    del engine
    _open_mounted_files()
    if there := os.environ.get("E2E_REGISTRY"):
        return Images(there, __version__)
    registry = "localhost/e2e"
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers
    with file_lock(folder / "images.lock"):
        if not (folder / "images-are-built").exists():
            built = run("make", "images", f"REGISTRY={registry}", timeout=1800, cwd=ROOT)
            assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
            (folder / "images-are-built").touch()
    return Images(registry, __version__)


@pytest.fixture(scope="session", name="tools")
def _tools(engine: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build one image with the programs of Debian that tests need: pgbouncer, cosign, sshd."""
    del engine
    folder = tmp_path_factory.mktemp("tools")
    (folder / "Dockerfile").write_text(TOOLS, encoding="utf-8")
    docker("build", "-q", "-t", "localhost/e2e/tools", str(folder))
    return "localhost/e2e/tools"


@pytest.fixture(scope="session", name="telegram")
def _telegram(engine: None) -> Iterator[str]:
    """Yield the address of a Bot API server."""
    del engine
    with telegram_server() as address:
        yield address


@pytest.fixture(scope="module", name="stack")
def _stack(
    images: Images, telegram: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Yield a server's folder, nothing started."""
    with server(tmp_path_factory.mktemp("server"), images, telegram) as stack:
        yield stack


@pytest.fixture(scope="session", name="hub")
def _hub(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(images, tmp_path_factory.mktemp("releases")) as found:
        yield found


@pytest.fixture(scope="session", name="site")
def _site(
    hub: Registry, telegram: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Yield the server of all tests of deploy/stack; they build on one another."""
    with empty_server(tmp_path_factory.mktemp("site"), hub, telegram) as found:
        yield found


@pytest.fixture(scope="session", name="ears")
def _ears(site: Server) -> Iterator[Receiver]:
    with hearing(site) as found:
        yield found


@pytest.fixture(scope="session", name="first")
def _first(hub: Registry, site: Server, ears: Receiver) -> str:
    """Install and deploy version 1; return the output of the deploy."""
    assert not ears.requests
    hub.publish("1.0.0", bot=True)
    units = site.folder / "units"
    units.mkdir()
    installed = site.stack("install", STACK_UNITS=str(units))
    assert installed.returncode == 0, installed.stdout + installed.stderr
    deployed = site.stack("deploy")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    return deployed.stdout
