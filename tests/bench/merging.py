"""The same records through dlt, which merges by key: in an environment of its own, made once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.measure import Skipped

REQUIREMENTS = Path(__file__).parent / "requirements" / "dlt.txt"
CACHE = Path(__file__).parents[2] / ".cache" / "bench"
PROGRAM = """
import json, sys, time
import dlt

address, path = sys.argv[1:]

def records():
    with open(path) as file:
        for line in file:
            yield json.loads(line)

pipeline = dlt.pipeline("items", destination=dlt.destinations.postgres(address), dataset_name="merged")
began = time.perf_counter()
pipeline.run(
    dlt.resource(records, name="items", primary_key="code", write_disposition="merge",
                 columns={"data": {"data_type": "json"}}),
)
print(time.perf_counter() - began)
"""


def merge(address: str, path: Path) -> float | Skipped:
    """Seconds that a first merge of a file of lines takes, imports left out."""
    try:
        python = _environment()
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:]
        return Skipped("million, dlt", f"dlt cannot be installed: {' '.join(reason)}")
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        done = subprocess.run(
            [str(python), "-c", PROGRAM, address, str(path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=home,
            # It would tell its makers that it has run.
            env={"PATH": os.environ["PATH"], "HOME": home, "RUNTIME__DLTHUB_TELEMETRY": "false"},
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(done.stdout.split()[-1])


def _environment() -> Path:
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    folder = CACHE / f"dlt-{digest[:16]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        for words in (
            ("venv", "--clear", "--python", sys.executable, str(folder)),
            (
                *("pip", "install", "--python", str(python)),
                "--require-hashes",
                "-r",
                str(REQUIREMENTS),
            ),
        ):
            command = [sys.executable, "-m", "uv", "--quiet", *words]
            subprocess.run(command, check=True, capture_output=True, text=True)
        (folder / "complete").touch()
    return python
