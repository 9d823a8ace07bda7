"""The image by itself: what it leaves alone, what it leaves behind, what it runs as."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from compose_init import __version__
from tests.support.docker import HARDENED, ROOT, Completed, Images, docker, eventually, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FREEZE = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
)
REVISION = """\
from alembic import op
revision = "{revision}"
down_revision = {down}
def upgrade():
    op.execute("CREATE TABLE {table} (id integer PRIMARY KEY, name text)")
"""


def build(base: str, tag: str) -> Completed:
    """Build Dockerfile.init on a base."""
    words = ("-f", "Dockerfile.init", "--build-arg", f"BASE_IMAGE={base}", "-t", tag)
    return run("docker", "build", "--progress", "plain", *words, ".", cwd=ROOT)


def base(folder: Path, tag: str, *lines: str, image: str = "python:3.13-slim") -> None:
    """Build a base image of a few lines; on init's own image, nothing has to be installed again."""
    dockerfile = "\n".join((f"FROM {image}", "USER 0", *lines))
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    docker("build", "-q", "-t", tag, str(folder))


def inside(image: str, *words: str) -> str:
    """Return the output of a program in an image."""
    return docker("run", "--rm", *HARDENED, "--entrypoint", words[0], image, *words[1:])


@pytest.fixture(name="tag")
def _tag() -> Iterator[str]:
    """Yield a name for an image; remove the image at the end."""
    tag = f"localhost/e2e/{uuid4().hex[:8]}"
    yield tag
    run("docker", "image", "rm", "--force", tag, f"{tag}-base")


def test_nothing_of_the_api_has_changed(images: Images) -> None:
    """Every version that the API's image has is the same in init's."""
    api = json.loads(inside(images.api, "python", "-c", FREEZE))
    init = json.loads(inside(images.init, "python", "-c", FREEZE))
    assert init.items() >= api.items()
    assert init["compose-init"] == __version__


def test_what_it_runs_as(images: Images) -> None:
    """A fixed number, no powers, nothing to write to, where the API works."""
    [found] = json.loads(docker("image", "inspect", images.init))
    config = found["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["compose-init"]
    assert config["WorkingDir"] == "/app"
    assert not config["Cmd"]
    assert config["Healthcheck"]["Test"] == ["NONE"]
    status = inside(images.init, "cat", "/proc/self/status")
    assert "CapEff:\t0000000000000000" in status
    assert "Uid:\t10001" in status
    assert inside(images.init, "compose-init", "--version").strip() == f"compose-init {__version__}"


def test_labels(images: Images) -> None:
    """Its own, not the API's; the revision is the repository's."""
    [found] = json.loads(docker("image", "inspect", images.init))
    labels = {k.rpartition(".")[2]: v for k, v in found["Config"]["Labels"].items()}
    head = run("git", "rev-parse", "HEAD").stdout.strip() or "unknown"
    assert labels["title"] == "compose-init"
    assert labels["version"] == __version__
    assert labels["revision"] == head


def test_the_revision_graph_is_recorded(images: Images) -> None:
    """Fresh for the files in the image; and what the ledger is told of the image."""
    ask = (
        "from pathlib import Path; from compose_init.alembic_options import AlembicOptions;"
        "from compose_init.migrations.fingerprint import fingerprint_migrations;"
        "from compose_init.migrations.revision_graph_file import read_graph_file;"
        "import json, os; p = Path('alembic.ini').resolve();"
        "r = read_graph_file(p, fingerprint_migrations(AlembicOptions(p)).combined);"
        "print(json.dumps([list(r.heads), len(r.revisions), os.environ['INIT_IMAGE_VERSION']]))"
    )
    assert json.loads(inside(images.init, "python", "-c", ask)) == [["0015"], 15, __version__]


def test_a_broken_history_fails_the_build(images: Images, tag: str, tmp_path: Path) -> None:
    """Two heads are found here, and not on the server."""
    history = tmp_path / "revisions"
    history.mkdir()
    for name, down in (("a", None), ("b", "a"), ("c", "a")):
        text = REVISION.format(revision=name, down=repr(down), table=name)
        (history / f"{name}.py").write_text(text)
    lines = ("COPY revisions /revisions", "ENV ALEMBIC_CONFIG=/revisions")
    base(tmp_path, f"{tag}-base", *lines, image=images.init)
    built = build(f"{tag}-base", tag)
    assert built.returncode != 0
    assert "2 heads: b, c" in built.stderr + built.stdout


def test_what_the_build_leaves_behind(images: Images) -> None:
    """No installer, no cache, no wheel, no file outside of Python's folders; bytecode is there."""
    layers = docker("history", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", images.init)
    [size] = [line.split()[0] for line in layers.splitlines() if "install.py" in line]
    assert size.endswith("MB")
    assert float(size[:-2]) < 80
    look = (
        "command -v uv gcc cc make;"
        " find / -xdev \\( -name '*.whl' -o -name uv -o -path '*/.cache/*' \\) -not -path '/proc/*'"
        " -not -path '*/ensurepip/*' -not -path '*/python-wheels/*' 2>/dev/null;"
        " ls -A /mnt /tmp"
    )
    look = f"({look}) || true"  # the same as in the API's image: whatever is there is its own
    assert inside(images.init, "sh", "-c", look) == inside(images.api, "sh", "-c", look)
    missing = (
        "import compose_init, pathlib, sys; p = pathlib.Path(compose_init.__file__).parent;"
        "print([f.name for f in p.glob('*.py') if not list(p.glob(f'__pycache__/{f.stem}.*.pyc'))])"
    )
    assert inside(images.init, "python", "-c", missing).strip() == "[]"


def test_a_version_that_cannot_stay_fails_the_build(engine: None, tag: str, tmp_path: Path) -> None:
    """And the package is named, with the version that the base has."""
    del engine
    base(tmp_path, f"{tag}-base", "RUN pip install --no-cache-dir --no-deps httpx==0.20.0")
    built = build(f"{tag}-base", tag)
    assert built.returncode != 0
    assert "without changing a version of the base image" in built.stderr
    assert "httpx 0.20.0" in built.stderr


def test_an_application_keeps_modules_named_init_and_seeder(
    images: Images, tag: str, tmp_path: Path
) -> None:
    """Its own `seeder` and `init` are imported by it, and ours run beside them."""
    lines = (
        "ENV PYTHONPATH=/app",
        "RUN mkdir -p /app/seeder && echo 'NAME = \"mine\"' | tee /app/seeder/__init__.py > /app/init.py",
    )
    base(tmp_path, f"{tag}-base", *lines, image=images.init)
    built = build(f"{tag}-base", tag)
    assert built.returncode == 0, built.stderr[-3000:]
    assert "compose-init" in inside(tag, "compose-init", "--version")
    modules = inside(tag, "python", "-c", "import init, seeder; print(init.NAME, seeder.NAME)")
    assert modules.strip() == "mine mine"


def test_a_virtual_environment_keeps_its_versions(engine: None, tag: str, tmp_path: Path) -> None:
    """The Python that is first on PATH is the one; what it has, older than our pins, stays."""
    del engine
    lines = (
        "RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir tenacity==9.0.0",
        "ENV PATH=/venv/bin:$PATH",
        "USER 1000",
    )
    base(tmp_path, f"{tag}-base", *lines)
    built = build(f"{tag}-base", tag)
    assert built.returncode == 0, built.stderr[-3000:]
    assert json.loads(inside(tag, "python", "-c", FREEZE))["tenacity"] == "9.0.0"
    assert inside(tag, "sh", "-c", "command -v compose-init").strip() == "/venv/bin/compose-init"


def test_alone_with_a_folder_of_revisions(engine: None, tag: str, tmp_path: Path) -> None:
    """On python:3.13-slim: revisions and seeds are mounted, and that is all it needs."""
    del engine
    assert build("python:3.13-slim", tag).returncode == 0
    (tmp_path / "versions").mkdir()
    (tmp_path / "seeds").mkdir()
    first = REVISION.format(revision="a1", down=None, table="plants")
    (tmp_path / "versions" / "a1.py").write_text(first, encoding="utf-8")
    manifest = (
        '[[dataset]]\nname = "plants"\nsource = "plants.json"\ntable = "plants"\nkey = ["id"]\n'
    )
    (tmp_path / "seeds" / "seeds.toml").write_text(manifest, encoding="utf-8")
    (tmp_path / "seeds" / "plants.json").write_text('[{"id": 1, "name": "oak"}]', encoding="utf-8")
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    name = tag.rpartition("/")[2]
    docker("network", "create", name)
    docker(
        *("run", "-d", "--rm", "--name", name, "--network", name, "--network-alias", "db"),
        *("-e", "POSTGRES_PASSWORD=secret", "postgres:16-alpine"),
    )
    words = (
        *("docker", "run", "--rm", "--network", name, *HARDENED),
        *("-v", f"{tmp_path}/versions:/versions:ro", "-v", f"{tmp_path}/seeds:/seeds:ro"),
        *("-e", "ALEMBIC_CONFIG=/versions"),
        *("-e", "DATABASE_URL=postgresql://postgres:secret@db/postgres", tag),
    )
    try:
        done = run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        again = run(*words)
        assert "nothing to do" in again.stdout
        rows = docker(
            *("exec", "-e", "PGPASSWORD=secret", name, "psql", "-h", "127.0.0.1", "-U", "postgres"),
            *("-At", "-c", "SELECT id, name FROM plants"),
        )
        assert rows.strip() == "1|oak"
    finally:
        docker("stop", "--time", "2", name)
        eventually(
            "the network to go", lambda: run("docker", "network", "rm", name).returncode == 0
        )
