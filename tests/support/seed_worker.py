"""Seeds in a process of its own, that somebody kills: reads a line a run, `manifest database api`.

Everything is imported once, and each run is a fork: 200 kills need no 200 starts of Python.
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

LOADED = (_endpoint, _table)


def main() -> None:
    """Serve until the input ends; says the process id of each run, then its exit code."""
    for line in sys.stdin:
        manifest, database, api = line.split()
        child = os.fork()
        if not child:
            with psycopg.connect(database, autocommit=True) as connection:
                client = partial(httpx.Client, base_url=api)
                seed(connection, manifest, Sources(), Options(api=client))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
