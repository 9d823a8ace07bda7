"""Manifest and sources in an object store: a real S3 server, reached through a proxy that counts."""

from __future__ import annotations

import http.client
import http.server
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import obstore
import psycopg
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from examples.postgres import free_port
from tests.support.http_server import in_a_thread
from tests.support.programs import ROOT, Program

KEY, SECRET = "AKSEEDS", "s3cr3t/key+with=signs"
MANIFEST = (
    '[[dataset]]\nname = "habitats"\nsource = "habitats.json"\ntable = "habitats"\nkey = ["slug"]\n'
    '[[dataset]]\nname = "terrain"\nsource = "s3://seeds/other/terrain.ndjson"\ntable = "terrain"\nkey = ["slug"]\n'
)


@pytest.fixture(scope="module")
def store_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a SeaweedFS with one identity and a bucket that is open to everybody; yield its S3 port."""
    folder = tmp_path_factory.mktemp("weed")
    identity = {
        "name": "seeds",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    anyone = {"name": "anonymous", "actions": ["Read:open", "List:open"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity, anyone]}))
    port = free_port()
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": free_port(),
        "master.port.grpc": free_port(),
        "volume.port": free_port(),
        "volume.port.grpc": free_port(),
        "filer.port": free_port(),
        "filer.port.grpc": free_port(),
        "s3.port": port,
        "s3.port.grpc": free_port(),
        "s3.port.iceberg": 0,  # off
        "s3.port.lance": 0,
        "s3.config": folder / "s3.json",
        "master.volumeSizeLimitMB": 64,
        "volume.max": 16,  # a bucket takes some
    }
    weed = ROOT / ".venv" / "bin" / "weed"
    flags = [f"-{name}={value}" for name, value in options.items()]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [weed, "server", "-filer", "-s3", *flags], stdout=log, stderr=log
        ) as server,
    ):
        try:
            _wait_until_it_stores(port, folder / "log")
            yield port
        finally:
            server.kill()


@pytest.fixture
def requests(store_port: int) -> Iterator[tuple[int, list[str]]]:
    """Run a proxy in front of the store; yield its port and the list of its requests."""
    seen: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path}")
            upstream = http.client.HTTPConnection("127.0.0.1", store_port)
            upstream.request(self.command, self.path, headers=dict(self.headers))
            answer = upstream.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            upstream.close()

        do_HEAD = do_GET  # noqa: N815 - http.server's own name

        def log_message(self, *_: object) -> None:
            pass

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    with in_a_thread(proxy):
        yield proxy.server_port, seen


@pytest.fixture
def seeds(store_port: int) -> S3Store:
    """Return the bucket with a manifest and two sources."""
    store = bucket(store_port)
    obstore.put(store, "dnd/seeds.toml", MANIFEST.encode())
    obstore.put(store, "dnd/habitats.json", b'[{"slug": "arctic"}, {"slug": "swamp"}]')
    obstore.put(store, "other/terrain.ndjson", b'{"slug": "ice"}\n{"slug": "mud"}\n')
    return store


@pytest.fixture
def stored(program: Program, seeds: S3Store, requests: tuple[int, list[str]]) -> Program:
    """compose-init with its seeds in the store."""
    del seeds
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE habitats (slug text); CREATE TABLE terrain (slug text)")
    return program.with_(
        SEED_MANIFEST="s3://seeds/dnd/seeds.toml",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{requests[0]}",
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=SECRET,
        AWS_REGION="us-east-1",
    )


def bucket(port: int, name: str = "seeds") -> S3Store:
    return S3Store(
        name,
        config={
            "access_key_id": KEY,
            "secret_access_key": SECRET,
            "region": "us-east-1",
            "endpoint": f"http://127.0.0.1:{port}",
        },
        client_options={"allow_http": True},
    )


def _wait_until_it_stores(port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            obstore.put(bucket(port), "probe", b"x")
        except BaseError:
            if time.monotonic() > deadline:
                raise AssertionError(log.read_text()[-2000:]) from None
            time.sleep(0.2)
        else:
            return


def count(program: Program, table: str) -> object:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index]


def test_seeds_from_a_store(
    stored: Program, seeds: S3Store, requests: tuple[int, list[str]]
) -> None:
    """Custom endpoint, path style, relative and absolute sources; the second run downloads nothing."""
    run = stored.run()
    assert run.code == 0, run.said
    assert (count(stored, "habitats"), count(stored, "terrain")) == (2, 2)
    assert SECRET not in run.said

    _, seen = requests
    seen.clear()
    assert stored.run().names() == ["nothing to do"]
    assert sorted(seen) == [
        "HEAD /seeds/dnd/habitats.json",
        "HEAD /seeds/dnd/seeds.toml",
        "HEAD /seeds/other/terrain.ndjson",
    ]

    obstore.put(
        seeds, "dnd/habitats.json", b'[{"slug": "arctic"}, {"slug": "swamp"}, {"slug": "sea"}]'
    )
    seen.clear()
    assert stored.run().code == 0
    assert count(stored, "habitats") == 3
    downloads = [request for request in seen if request.startswith("GET")]
    assert "GET /seeds/dnd/habitats.json" in downloads
    assert "GET /seeds/other/terrain.ndjson" not in downloads


def test_a_pattern_in_a_bucket(
    stored: Program, seeds: S3Store, requests: tuple[int, list[str]]
) -> None:
    """Its objects are one dataset; the second run lists them and downloads none."""
    pattern = MANIFEST.replace('"habitats.json"', '"some/*.json"')
    obstore.put(seeds, "dnd/seeds.toml", pattern.encode())
    obstore.put(seeds, "dnd/some/a.json", b'[{"slug": "arctic"}]')
    obstore.put(seeds, "dnd/some/b.json", b'[{"slug": "swamp"}, {"slug": "sea"}]')
    obstore.put(seeds, "dnd/some/d#1?.json", b'[{"slug": "hill"}]')  # no fragment, no query
    obstore.put(seeds, "dnd/some/deeper/c.json", b'[{"slug": "not this"}]')
    run = stored.run()
    assert run.code == 0, run.said
    assert count(stored, "habitats") == 4
    _, seen = requests
    seen.clear()
    assert stored.run().names() == ["nothing to do"]
    assert [
        request for request in seen if request.startswith("GET") and "list-type" not in request
    ] == []
    obstore.delete(seeds, ["dnd/some/a.json", "dnd/some/b.json", "dnd/some/d#1?.json"])
    lost = stored.run()
    assert lost.code == 66
    assert "s3://seeds/dnd/some/*.json matches nothing" in lost.said
    obstore.delete(seeds, "dnd/some/deeper/c.json")


def test_credentials_from_a_file(stored: Program, tmp_path: Path) -> None:
    """As Compose mounts a secret."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    environ = {k: v for k, v in stored.environ.items() if k != "AWS_SECRET_ACCESS_KEY"}
    by_file = Program({**environ, "AWS_SECRET_ACCESS_KEY_FILE": str(tmp_path / "secret")}, tmp_path)
    assert by_file.run().code == 0
    assert count(stored, "terrain") == 2


def test_wrong_credentials(stored: Program) -> None:
    """66, with which variables to check; nothing secret is shown."""
    run = stored.with_(AWS_SECRET_ACCESS_KEY="wrong-but-secret").run()
    assert run.code == 66
    assert "AWS_SECRET_ACCESS_KEY" in run.said
    assert "wrong-but-secret" not in run.said
    assert count(stored, "habitats") == 0


def test_a_missing_object(stored: Program, seeds: S3Store) -> None:
    """66, with its address, before anything is written."""
    obstore.delete(seeds, "other/terrain.ndjson")
    run = stored.run()
    assert run.code == 66
    assert "s3://seeds/other/terrain.ndjson cannot be read: there is no such object" in run.said
    assert count(stored, "habitats") == 0


def test_a_store_that_is_away(stored: Program) -> None:
    """66 within the retries, with the reason."""
    run = stored.with_(AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}").run()
    assert run.code == 66
    assert "s3://seeds/dnd/seeds.toml cannot be read" in run.said


def test_googles_protocol(
    program: Program, store_port: int, requests: tuple[int, list[str]]
) -> None:
    """Objects and a pattern, at a store of one's own: what is read of Google's XML API, SeaweedFS speaks unsigned."""
    store = bucket(store_port, "open")
    manifest = MANIFEST.replace('"habitats.json"', '"some/*.json"').replace(
        "s3://seeds", "gs://open"
    )
    obstore.put(store, "dnd/seeds.toml", manifest.encode())
    obstore.put(store, "dnd/some/a.json", b'[{"slug": "arctic"}]')
    obstore.put(store, "dnd/some/b.json", b'[{"slug": "swamp"}]')
    obstore.put(store, "other/terrain.ndjson", b'{"slug": "ice"}')
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE habitats (slug text); CREATE TABLE terrain (slug text)")
    unsigned = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    port, seen = requests
    stored = program.with_(
        SEED_MANIFEST="gs://open/dnd/seeds.toml",
        GOOGLE_BASE_URL=f"http://127.0.0.1:{port}",
        GOOGLE_SERVICE_ACCOUNT_KEY=json.dumps(unsigned),
    )
    run = stored.run()
    assert run.code == 0, run.said
    assert (count(stored, "habitats"), count(stored, "terrain")) == (2, 1)
    seen.clear()
    assert stored.run().names() == ["nothing to do"]
    assert [one for one in seen if one.startswith("GET") and "list-type" not in one] == []
    obstore.put(store, "other/terrain.ndjson", b'{"slug": "ice"}\n{"slug": "mud"}')
    assert stored.run().code == 0
    assert count(stored, "terrain") == 2
    obstore.delete(store, "other/terrain.ndjson")
    missing = stored.run()
    assert missing.code == 66
    assert "gs://open/other/terrain.ndjson cannot be read: there is no such object" in missing.said
    closed = stored.with_(SEED_MANIFEST="gs://seeds/dnd/seeds.toml").run()
    assert closed.code == 66
    assert "the store refused the credentials; check GOOGLE_SERVICE_ACCOUNT_KEY" in closed.said
