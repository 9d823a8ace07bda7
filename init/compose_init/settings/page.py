"""The tables of `docs/settings.md`, written from the declared variables.

python -m compose_init.settings.page docs/settings.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from compose_init.settings.declaration import Declared, declared
from compose_init.settings.variables import groups

TABLE = re.compile(r"(<!-- variables: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A table's place in the page: it is named for the group of its variables."""

HEAD = "| variable | meaning | default | example |\n| --- | --- | --- | --- |\n"


def with_tables(page: str) -> str:
    """Return the page with its tables as the variables are declared now.

    Raises:
        KeyError: the page names a group that is not declared.
    """
    known = groups()

    def table(place: re.Match[str]) -> str:
        rows = "".join(map(_row, declared(known[place[2]])))
        return f"{place[1]}\n{HEAD}{rows}\n{place[3]}"

    return TABLE.sub(table, page)


def missing_tables(page: str) -> Iterator[str]:
    """Yield the groups that have no table in the page."""
    placed = {name for _, name, _ in TABLE.findall(page)}
    yield from (name for name in groups() if name not in placed)


def _row(variable: Declared) -> str:
    example = f"`{variable.example}`" if variable.example else ""
    return f"| `{variable.name}` | {variable.meaning} | {variable.shown} | {example} |\n"


def main(path: Path) -> None:
    """Write the tables into the page at `path`."""
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
