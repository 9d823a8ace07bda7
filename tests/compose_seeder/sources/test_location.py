"""Sources: inside the manifest's folder, what their checksum says, and known by fingerprint."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from compose_seeder.errors import ManifestError, SourceError
from compose_seeder.sources import Source, Sources
from compose_seeder.sources.content import Content, hash_pieces
from compose_seeder.sources.glob import Glob, Pattern
from compose_seeder.sources.object_store import ObjectFolder


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
    assert resolve(str(tmp_path / "seeds.toml"), "link.json").location == str(
        tmp_path / "real.json"
    )


def test_in_a_bucket() -> None:
    """A manifest in a store names its sources relative to itself, or whole."""
    manifest = "s3://bucket/dnd/seeds.toml"
    assert resolve(manifest, "a/b.json").location == "s3://bucket/dnd/a/b.json"
    assert resolve(manifest, "s3://other/x.json").location == "s3://other/x.json"
    for source in ("../x.json", "a/%2E%2e/x.json", "..%2fx.json"):
        with pytest.raises(ManifestError, match="leaves"):
            resolve(manifest, source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("https://u:secret1@h/x.json?token=secret2", "the address has a login"),
        ("http://h/x.json?token=secret2", "http:// is not supported; use a file, or s3://"),
        ("ftp://b/x.json", "not supported"),
    ],
)
def test_an_address_that_cannot_be_read(tmp_path: Path, source: str, said: str) -> None:
    """With the way that works, and without what an address may hold."""
    with pytest.raises(ManifestError, match=said) as raised:
        resolve(str(tmp_path / "seeds.toml"), source)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("source", ["s3://b/x.json", "gs://b/x.json", "az://b/x", "https://h/x"])
def test_addresses(tmp_path: Path, source: str) -> None:
    """They stand for themselves."""
    found = resolve(str(tmp_path / "seeds.toml"), source)
    assert found.location == str(found) == source
    assert Sources().recorded(source) == Sources().file(source)


def test_a_pin_holds_the_content(tmp_path: Path) -> None:
    """The sum is of the bytes as they were read."""
    content = Content("x.json", "", hash_pieces([b"[]"]), lambda: iter([b"[]"]))
    content.check_sha256("x.json", None)
    content.check_sha256("x.json", hashlib.sha256(b"[]").hexdigest())
    with pytest.raises(SourceError, match="does not match its checksum"):
        content.check_sha256("x.json", "0" * 64)
    del tmp_path


def test_a_fingerprint_is_equal_where_the_content_is(tmp_path: Path) -> None:
    """A touched file is the same, another content is not."""
    path = tmp_path / "x.json"
    path.write_text("[]")
    source = Sources().file(str(path))
    first = source.fingerprint()
    path.write_text("[]")
    assert source.fingerprint() == first == source.open().fingerprint
    path.write_text("[1]")
    assert source.fingerprint() != first


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """With the reason, and what to look at."""
    with pytest.raises(SourceError, match="No such file or directory; is the seeds folder mounted"):
        Sources().file(str(tmp_path / "none.json")).open()


PATTERNS = [
    ("*.json", ["a.json", "b.json"]),
    ("?.json", ["a.json", "b.json"]),
    ("[!a].json", ["b.json"]),
    ("deep/*.json", ["deep/c.json"]),
    ("**/*.json", ["a.json", "b.json", "deep/c.json", "deep/er/d.json"]),
    ("deep/**/d.json", ["deep/er/d.json"]),
]


@pytest.mark.parametrize(("pattern", "names"), PATTERNS)
def test_a_pattern_stands_for_several(tmp_path: Path, pattern: str, names: list[str]) -> None:
    """In the order of their names; a `*` stays within its folder."""
    folder(tmp_path)
    found = resolve(str(tmp_path / "seeds.toml"), pattern).open().contents
    assert [content.name for content in found] == names


def test_the_fingerprint_of_a_pattern(tmp_path: Path) -> None:
    """Another content, one more and one less are seen."""
    folder(tmp_path)
    seen = set()
    pattern = resolve(str(tmp_path / "seeds.toml"), "*.json")
    for change in (
        lambda: None,
        lambda: (tmp_path / "a.json").write_text("[1]"),
        lambda: (tmp_path / "z.json").write_text("[]"),
        (tmp_path / "b.json").unlink,
        lambda: (tmp_path / "z.json").rename(tmp_path / "y.json"),
    ):
        change()
        seen.add(pattern.fingerprint())
    assert len(seen) == 5
    assert Sources().recorded(pattern.location).fingerprint() in seen
    assert pattern.fingerprint() in seen


def test_a_pattern_follows_no_link_out(tmp_path: Path) -> None:
    """What it would bring in is somebody else's; passed over, its records would have left the file."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (tmp_path / "secret.json").write_text("[]")
    (seeds / "b.json").write_text("[]")
    (seeds / "within.json").symlink_to("b.json")
    assert len(resolve(str(seeds / "seeds.toml"), "*.json").open().contents) == 2
    (seeds / "a.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(SourceError, match=r"a\.json is a link to a file outside"):
        resolve(str(seeds / "seeds.toml"), "*.json").open()


@pytest.mark.parametrize("source", ["a.json", "*.json", "a.json/*.json"])
def test_a_link_to_itself(tmp_path: Path, source: str) -> None:
    """It cannot be read, or there is nothing in it."""
    (tmp_path / "a.json").symlink_to("a.json")
    with pytest.raises(SourceError):
        resolve(str(tmp_path / "seeds.toml"), source).open()


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for empty, where the pattern reaches into it."""
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def listed(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", listed)
    manifest = str(tmp_path / "seeds.toml")
    assert len(resolve(manifest, "*.json").open().contents) == 1
    with pytest.raises(SourceError, match=r"closed cannot be listed: Permission denied"):
        resolve(manifest, "*/*.json").open()


def test_a_file_that_is_written_to_meanwhile(tmp_path: Path) -> None:
    """Half of it would be of one content and half of another."""
    path = tmp_path / "x.json"
    path.write_text("[1]")
    (content,) = Sources().file(str(path)).open().contents
    assert content.data == b"[1]"
    assert content.data == b"[1]"
    path.write_text("[22]")
    with pytest.raises(SourceError, match="changed while it was read; nothing of it was written"):
        content.data  # noqa: B018


def test_a_file_that_goes_away_meanwhile(tmp_path: Path) -> None:
    """Is no defect of the program."""
    path = tmp_path / "x.json"
    path.write_text("[1]")
    (content,) = Sources().file(str(path)).open().contents
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        content.data  # noqa: B018


def test_signs_above_the_manifest_are_no_pattern(tmp_path: Path) -> None:
    """A folder may be called so; beside it, patterns work as anywhere."""
    path = tmp_path / "seeds [a] * ?"
    path.mkdir()
    folder(path)
    manifest = str(path / "seeds.toml")
    (one,) = resolve(manifest, "a.json").open().contents
    assert one.data == b"[]"
    found = resolve(manifest, "deep/**/*.json").open().contents
    assert [content.name for content in found] == ["deep/c.json", "deep/er/d.json"]


@pytest.mark.parametrize(
    ("manifest", "source"),
    [("https://h/seeds.toml", "m/*.json"), ("https://h/seeds.toml", "[a].json")],
)
def test_there_are_no_patterns_on_the_web(manifest: str, source: str) -> None:
    """Nobody lists what there is."""
    with pytest.raises(ManifestError, match="cannot be used behind https://"):
        resolve(manifest, source)


def test_patterns_in_a_store() -> None:
    """Beside the manifest or by their whole address, at the top of a bucket too."""
    manifest = "s3://bucket/dnd/seeds.toml"
    found = [resolve(manifest, s) for s in ("*.json", "a/b*/c.json", "gs://x/*.csv")]
    assert found == [
        Glob(ObjectFolder("s3", "bucket", "dnd"), Pattern("*.json")),
        Glob(ObjectFolder("s3", "bucket", "dnd/a", "a/"), Pattern("b*/c.json")),
        Glob(ObjectFolder("gs", "x", "", "gs://x/"), Pattern("*.csv")),
    ]
    assert [glob.location for glob in found] == [
        "glob:s3://bucket/dnd//*.json",
        "glob:s3://bucket/dnd/a//b*/c.json",
        "glob:gs://x//*.csv",
    ]
    for glob in found:
        assert Sources().recorded(glob.location).location == glob.location
    with pytest.raises(ManifestError, match="leaves"):
        resolve(manifest, "../*.json")


def test_a_set_of_characters_in_a_pattern() -> None:
    """None of them is the separator of folders, and none means what it would in a regular expression."""
    others = Pattern("a[!b]c.json")
    assert [others.matches(name) for name in ("axc.json", "abc.json", "a/c.json")] == [1, 0, 0]
    odd = Pattern(r"a[\d&&~]c")
    assert [odd.matches(name) for name in ("a\\c", "adc", "a&c", "a1c")] == [1, 1, 1, 0]
    for wrong in ("a[z-a].json", "a[!].json"):
        with pytest.raises(ManifestError, match="is invalid; it must hold characters, or ranges"):
            resolve("/seeds/seeds.toml", wrong)


def resolve(manifest: str, named: str) -> Source:
    """Return the source that a manifest names."""
    return Sources().beside(manifest, named)


def folder(path: Path) -> None:
    """Write files, in a folder and below it."""
    (path / "deep" / "er").mkdir(parents=True)
    for name in ("a.json", "b.json", "b.txt", "deep/c.json", "deep/er/d.json"):
        (path / name).write_text("[]")
