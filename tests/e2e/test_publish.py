"""deploy/images and deploy/over-ssh: what the workflow calls, with a real registry, cosign and SSH server."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from compose_init import __version__
from tests.support.docker import ROOT, Completed, Images, docker, eventually, run
from tests.support.releases import Registry, forget_images, free_port, registry

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module", name="hub")
def _hub(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(images, tmp_path_factory.mktemp("releases")) as found:
        yield found


@pytest.fixture(scope="module", name="digests")
def _digests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("digests")


def call(hub: Registry, digests: Path, *words: str, **more: str) -> Completed:
    """`deploy/images …`, as on a push to main."""
    environment: dict[str, Any] = {
        "REGISTRY": hub.name,
        "DIGESTS": str(digests),
        "REVISION": REVISION,
        "GITHUB_REF_TYPE": "branch",
        "GITHUB_REF_NAME": "main",
        **more,
    }
    done = run(str(ROOT / "deploy" / "images"), *words, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module", name="published")
def _published(hub: Registry, digests: Path) -> str:
    """Push, merge and publish all three images; return their version."""
    call(hub, digests, "push", "api", "bot", "init")
    # There is one platform here: for the other stands an image with nothing but its name.
    (digests / "empty").mkdir()
    (digests / "empty" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    foreign = f"{hub.name}/dnd-helper/api:build-{REVISION}-other"
    other = "arm64" if (digests / "api-amd64").exists() else "amd64"
    docker("build", "--platform", f"linux/{other}", "-t", foreign, str(digests / "empty"))
    docker("push", "-q", foreign)
    [digest] = {
        line.split()[1]
        for line in docker("buildx", "imagetools", "inspect", foreign).splitlines()
        if line.startswith("Digest:")
    }
    (digests / f"api-{other}").write_text(digest)
    call(hub, digests, "merge", "api", "bot", "init")
    assert run(
        "docker", "manifest", "inspect", "--insecure", f"{hub.name}/dnd-helper/api:latest"
    ).returncode
    call(hub, digests, "publish", "api", "bot", "init")
    return f"{__version__}-{REVISION[:12]}"


def raw(reference: str) -> dict[str, Any]:
    """Return a manifest, as the registry has it."""
    found: dict[str, Any] = json.loads(
        docker("buildx", "imagetools", "inspect", "--raw", reference)
    )
    return found


def test_one_image_for_every_platform(hub: Registry, digests: Path, published: str) -> None:
    """Under `latest`, the revision and the version, by one digest."""
    platforms = {
        (each["platform"]["os"], each["platform"]["architecture"])
        for each in raw(f"{hub.name}/dnd-helper/api:latest")["manifests"]
        if each["platform"]["os"] != "unknown"
    }
    assert platforms == {("linux", "amd64"), ("linux", "arm64")}
    found = {
        json.dumps(raw(f"{hub.name}/dnd-helper/api:{tag}"), sort_keys=True)
        for tag in ("latest", REVISION, published)
    }
    assert len(found) == 1
    assert (digests / "api").read_text().startswith("sha256:")


def test_init_is_built_on_the_api_of_the_same_run(
    hub: Registry, digests: Path, published: str
) -> None:
    """By digest: its label says so, and the api's layers are its first ones."""
    where = "amd64" if (digests / "init-amd64").exists() else "arm64"
    api, init = (
        f"{hub.name}/dnd-helper/{name}@{(digests / f'{name}-{where}').read_text().strip()}"
        for name in ("api", "init")
    )
    docker("pull", "-q", api)
    docker("pull", "-q", init)
    [of_api], [of_init] = (json.loads(docker("image", "inspect", each)) for each in (api, init))
    labels = of_init["Config"]["Labels"]
    assert labels["org.opencontainers.image.base.digest"] == api.rpartition("@")[2]
    assert labels["org.opencontainers.image.version"] == published
    assert labels["org.opencontainers.image.revision"] == REVISION
    assert of_api["Config"]["Labels"]["org.opencontainers.image.version"] == published
    assert of_api["Config"]["Labels"]["org.opencontainers.image.created"]
    layers = of_api["RootFS"]["Layers"]
    assert of_init["RootFS"]["Layers"][: len(layers)] == layers


def test_what_is_tested_is_what_was_pushed(hub: Registry, digests: Path, published: str) -> None:
    """`fetch` brings these very images to where the end-to-end tests look."""
    assert published
    call(hub, digests, "fetch", E2E_REGISTRY="localhost/fetched")
    where = "amd64" if (digests / "init-amd64").exists() else "arm64"
    for service in ("api", "bot", "init"):
        digest = (digests / f"{service}-{where}").read_text().strip()
        names = docker(
            *("image", "inspect", "-f", "{{.RepoDigests}}"),
            f"localhost/fetched/dnd-helper/{service}:{__version__}",
        )
        assert digest in names
    forget_images("localhost/fetched/*/*")


def test_the_version_of_a_git_tag(
    hub: Registry, digests: Path, published: str, tmp_path: Path
) -> None:
    """`v1.4.0` is 1.4.0, and neither `latest` nor the revision, which belong to main."""
    assert published
    latest = raw(f"{hub.name}/dnd-helper/api:latest")
    (tmp_path / "api-amd64").write_text(
        (digests / "api-amd64").read_text()
    )  # and no other platform
    tagged = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1.4.0"}
    call(hub, tmp_path, "merge", "api", **tagged)
    call(hub, tmp_path, "publish", "api", **tagged)
    assert raw(f"{hub.name}/dnd-helper/api:1.4.0") != latest
    assert raw(f"{hub.name}/dnd-helper/api:latest") == latest
    assert raw(f"{hub.name}/dnd-helper/api:{REVISION}") == latest


@pytest.fixture(scope="module", name="history")
def _history(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Make a repository with deploy/images and three commits; return its folder, and the commits, oldest first."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("deploy/images", "init/compose_init/__init__.py"):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, folder / name)
    commits = []
    for step in range(3):
        (folder / "step").write_text(f"{step}", encoding="utf-8")
        for words in (
            ("init", "-q"),
            ("add", "-A"),
            (*("-c", "user.name=t", "-c", "user.email=t@localhost"), "commit", "-q", "-m", "step"),
        ):
            done = run("git", *words, cwd=folder)
            assert done.returncode == 0, done.stderr
        commits.append(run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip())
    return [str(folder), *commits]


def published_revision(name: str) -> str:
    """Return the revision that an image in the registry is labelled with."""
    config = docker("buildx", "imagetools", "inspect", "--format", "{{json .Image}}", name)
    labels: dict[str, str] = json.loads(config)["config"]["Labels"]
    return labels["org.opencontainers.image.revision"]


def test_latest_never_goes_back(hub: Registry, history: list[str], tmp_path: Path) -> None:
    """An older run publishes its revision alone; init moves first; a shallow checkout is no place to decide."""
    folder, first, second, third = history
    registry = f"{hub.name}/ordered"
    script = str(Path(folder) / "deploy" / "images")

    def publish(revision: str, **more: str) -> Completed:
        digests = tmp_path / revision
        digests.mkdir(exist_ok=True)
        (digests / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n", encoding="utf-8")
        for service in ("api", "init"):
            name = f"{registry}/dnd-helper/{service}:{revision}"
            label = f"org.opencontainers.image.revision={revision}"
            docker("build", "-q", "--label", label, "-t", name, str(digests))
            docker("push", "-q", name)
            found = docker("buildx", "imagetools", "inspect", name)
            [digest] = re.findall(r"^Digest: +(\S+)", found, re.MULTILINE)
            (digests / service).write_text(digest, encoding="utf-8")
        environment: dict[str, Any] = {
            "REGISTRY": registry,
            "DIGESTS": str(digests),
            "REVISION": revision,
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REF_NAME": "main",
            **more,
        }
        return run(script, "publish", "api", "init", **environment)

    def latest() -> set[str]:
        return {
            published_revision(f"{registry}/dnd-helper/{name}:latest") for name in ("api", "init")
        }

    new = publish(second)
    assert new.returncode == 0, new.stdout + new.stderr
    moved = re.findall(r"images: .*/(\w+)@\S+ is latest", new.stdout)
    assert moved == ["init", "api"]
    old = publish(first)
    assert old.returncode == 0, old.stderr
    assert "latest does not move" in old.stdout
    assert latest() == {second}
    assert published_revision(f"{registry}/dnd-helper/api:{first}") == first
    branch = publish(third, GITHUB_REF_NAME="release/1.x")
    assert branch.returncode == 0, branch.stderr
    assert latest() == {second}
    shallow = str(tmp_path / "shallow")
    assert run("git", "clone", "-q", "--depth", "1", f"file://{folder}", shallow).returncode == 0
    script = f"{shallow}/deploy/images"
    refused = publish(third)
    assert refused.returncode == 1
    assert "fetch-depth: 0" in refused.stderr
    assert latest() == {second}
    script = str(Path(folder) / "deploy" / "images")
    assert publish(third).returncode == 0
    assert latest() == {third}
    forget_images(f"{registry}/*/*")


def test_wrong_words() -> None:
    """Said, and nothing done."""
    script = str(ROOT / "deploy" / "images")
    assert run(script).returncode == 64
    assert "found 'postgres'" in run(script, "build", "postgres").stderr


def test_a_signature(
    hub: Registry, digests: Path, published: str, tmp_path: Path, tools: str
) -> None:
    """Made by `sign`, of the digest; what `STACK_VERIFY` says in the docs holds for it, and for no other."""
    assert published
    place = tmp_path / "keys"
    place.mkdir()
    cosign = tmp_path / "cosign"
    cosign.write_text(
        "#!/bin/sh\nexec docker run --rm --network host -e COSIGN_PASSWORD= -w /keys"
        f' -v {place}:/keys {tools} cosign "$@"\n'
    )
    cosign.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    made = run(str(cosign), "generate-key-pair")
    assert made.returncode == 0, made.stderr
    call(hub, digests, "sign", "api", PATH=path, COSIGN_KEY="cosign.key", COSIGN_PRIVATE="true")

    def verified(service: str) -> Completed:
        digest = (digests / service).read_text().strip()
        words = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true")
        image = f"{hub.name}/dnd-helper/{service}@{digest}"
        return run(str(cosign), *words, "--allow-insecure-registry", image)

    assert verified("api").returncode == 0, verified("api").stderr
    assert verified("bot").returncode != 0


@pytest.fixture(scope="module", name="ssh")
def _ssh(tools: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start an SSH server whose key may run one command; yield the settings of over-ssh for it."""
    folder = tmp_path_factory.mktemp("ssh")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
    public = (folder / "key.pub").read_text()
    (folder / "authorized_keys").write_text(f'command="echo the report; exit 1",restrict {public}')
    (folder / "Dockerfile").write_text(
        f"FROM {tools}\n"
        "RUN mkdir -p /run/sshd && useradd -m deploy && mkdir -m 700 /home/deploy/.ssh\n"
        "COPY authorized_keys /home/deploy/.ssh/\n"
        "RUN chown -R deploy /home/deploy/.ssh && chmod 600 /home/deploy/.ssh/authorized_keys\n"
        'CMD ["/usr/sbin/sshd", "-D", "-e"]\n'
    )
    docker("build", "-q", "-t", "localhost/e2e/sshd", str(folder))
    name, port = f"sshd-{uuid4().hex[:8]}", free_port()
    docker("run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:22", "localhost/e2e/sshd")
    try:
        eventually("the SSH server", lambda: greeted(port))
        key = docker("exec", name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()
        yield {
            "DEPLOY_HOST": f"deploy@127.0.0.1:{port}",
            "DEPLOY_KNOWN_HOSTS": f"[127.0.0.1]:{port} {key[0]} {key[1]}",
            "DEPLOY_KEY": (folder / "key").read_text(),
        }
    finally:
        docker("rm", "-f", name)


def greeted(port: int) -> bool:
    """Return true if an SSH server answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def over_ssh(ssh: dict[str, Any]) -> Completed:
    """`deploy/over-ssh`."""
    return run(str(ROOT / "deploy" / "over-ssh"), **ssh)


def test_a_push_runs_the_one_command(ssh: dict[str, str], tmp_path: Path) -> None:
    """Its output and exit code come back, and stand in the job's summary."""
    summary = tmp_path / "summary"
    done = over_ssh({**ssh, "GITHUB_STEP_SUMMARY": str(summary)})
    assert done.stdout.splitlines()[-1] == "the report"
    assert done.returncode == 1
    assert "the report" in summary.read_text()


def test_another_host_key_is_refused(ssh: dict[str, str]) -> None:
    """Nothing is run on a server that is not the one."""
    host, kind, key = ssh["DEPLOY_KNOWN_HOSTS"].split()
    other = key[:40] + ("A" if key[40] != "A" else "B") + key[41:]
    done = over_ssh({**ssh, "DEPLOY_KNOWN_HOSTS": f"{host} {kind} {other}"})
    assert done.returncode == 255
    assert "the report" not in done.stdout


def test_what_is_not_set_is_named(ssh: dict[str, str]) -> None:
    """Before anything is contacted."""
    done = over_ssh({**ssh, "DEPLOY_KEY": ""})
    assert done.returncode == 78
    assert "DEPLOY_KEY" in done.stderr
