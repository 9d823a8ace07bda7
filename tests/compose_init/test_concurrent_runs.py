"""Several runs at once: each revision once, where plain Alembic fails."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.programs import ROOT, Program, write_history

REVISIONS = {
    f"r{n}": f"op.execute('CREATE TABLE t{n} (id int)')\nop.execute('INSERT INTO t{n} VALUES (1)')"
    for n in range(4)
}
ROUNDS = 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_eight_at_once_twenty_times(program: Program, new_database: object) -> None:
    """All exit 0 and each revision is applied once, every time; `alembic upgrade head` at once does not manage."""
    config = write_history(program.folder, REVISIONS, env=SYNC)
    for _ in range(ROUNDS):
        url = new_database()  # type: ignore[operator]
        many = program.with_(ALEMBIC_CONFIG=str(config), DATABASE_URL=url)
        runs = [many.start("--migrate-only") for _ in range(8)]
        said = [run.communicate(timeout=120) for run in runs]
        assert [run.returncode for run in runs] == [0] * 8, said
        assert sum(out.count('"revision applied"') for out, _ in said) == 4
        with psycopg.connect(url) as connection:
            for table in ("t0", "t1", "t2", "t3"):
                found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                assert found == (1,)


@pytest.mark.slow
def test_plain_alembic_at_once_fails(program: Program, new_database: object) -> None:
    """What is prevented: of eight at once, some die half-way. Otherwise the test above shows nothing."""
    write_history(program.folder, REVISIONS, env=SYNC)
    failed = 0
    for _ in range(5):
        url = new_database()  # type: ignore[operator]
        with_driver = url.replace("postgresql://", "postgresql+psycopg://").replace("%", "%%")
        (program.folder / "alembic.ini").write_text(
            f"[alembic]\nscript_location = migrations\nsqlalchemy.url = {with_driver}\n"
        )
        runs = [
            subprocess.Popen(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=program.folder,
                env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(8)
        ]
        failed += sum(run.wait(120) != 0 for run in runs)
        if failed:
            return
    pytest.fail("forty runs of plain Alembic at once went well")
