"""Seeds in a process of its own, killed at a step: reads a line a run, `manifest database api moment number`.

Everything is imported once, and each run is a fork: 100 kills need no 100 starts of Python.
"""

from __future__ import annotations

import os
import sys
from functools import partial

import httpx
import psycopg

from compose_seeder import Options, seed
from compose_seeder.sources import Sources
from compose_seeder.targets.endpoint import reconciler as _endpoint
from compose_seeder.targets.table import reconciler as _table
from tests.support.killed_at_step import kill_at
from tests.support.small_api import NO_CERTIFICATES

LOADED = (_endpoint, _table)


def main() -> None:
    """Serve until the input ends: kill each run at its step, and print its exit code."""
    for line in sys.stdin:
        manifest, database, api, moment, number = line.split()
        child = os.fork()
        if not child:
            kill_at(**{moment: int(number)})
            with psycopg.connect(database, autocommit=True) as connection:
                client = partial(httpx.Client, base_url=api, verify=NO_CERTIFICATES)
                seed(connection, manifest, Sources(), Options(api=client))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
