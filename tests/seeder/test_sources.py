"""Sources: inside the manifest's folder, what their checksum says, and known by fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from seeder.errors import ManifestError, SourceError
from seeder.sources import Content, Sources, check_pin, resolve


@pytest.mark.parametrize("source", ["../out.json", "/etc/passwd", "a/../../out.json", "link.json"])
def test_nothing_leaves_the_folder(tmp_path: Path, source: str) -> None:
    """Neither by dots, nor by an absolute path, nor by a link."""
    folder = tmp_path / "seeds"
    folder.mkdir()
    (tmp_path / "out.json").write_text("[]")
    (folder / "link.json").symlink_to(tmp_path / "out.json")
    with pytest.raises(ManifestError, match="leaves the manifest's folder"):
        resolve(str(folder / "seeds.toml"), source)


def test_beside_the_manifest(tmp_path: Path) -> None:
    """Relative to the manifest, wherever the process stands; links inside are fine."""
    (tmp_path / "real.json").write_text("[]")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert resolve(str(tmp_path / "seeds.toml"), "link.json") == str(tmp_path / "real.json")


def test_in_a_bucket() -> None:
    """A manifest in a store names its sources relative to itself, or whole."""
    manifest = "s3://bucket/dnd/seeds.toml"
    assert resolve(manifest, "a/b.json") == "s3://bucket/dnd/a/b.json"
    assert resolve(manifest, "s3://other/x.json") == "s3://other/x.json"
    with pytest.raises(ManifestError, match="leaves"):
        resolve(manifest, "../x.json")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("https://u:secret1@h/x.json?token=secret2", "not built yet"),
        ("gs://b/x.json", "not built yet"),
        ("az://b/x.json", "not built yet"),
        ("ftp://b/x.json", "not known"),
    ],
)
def test_what_is_not_built_says_so(tmp_path: Path, source: str, said: str) -> None:
    """With the way that works, and without what an address may hold."""
    with pytest.raises(ManifestError, match=said) as raised:
        resolve(str(tmp_path / "seeds.toml"), source)
    assert "secret" not in str(raised.value)


def test_a_pin_holds_the_content(tmp_path: Path) -> None:
    """The sum is of the bytes as they were read."""
    content = Content(b"[]", "")
    check_pin("x.json", content, None)
    check_pin("x.json", content, hashlib.sha256(b"[]").hexdigest())
    with pytest.raises(SourceError, match="is not what its checksum says"):
        check_pin("x.json", content, "0" * 64)
    del tmp_path


def test_a_fingerprint_is_equal_where_the_content_is(tmp_path: Path) -> None:
    """A touched file is the same, another content is not."""
    path = tmp_path / "x.json"
    path.write_text("[]")
    sources = Sources()
    first = sources.fingerprint(str(path))
    path.write_text("[]")
    assert sources.fingerprint(str(path)) == first == sources.read(str(path)).fingerprint
    path.write_text("[1]")
    assert sources.fingerprint(str(path)) != first


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """With the reason, and what to look at."""
    with pytest.raises(SourceError, match="No such file or directory; is the seeds folder mounted"):
        Sources().read(str(tmp_path / "none.json"))
