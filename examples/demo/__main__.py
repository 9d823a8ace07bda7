"""The steps of `make demo`; each step checks the claims that it prints."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from examples.demo.stack import ROOT, Signals, Stack, Stopped, running

HAND, SEEDED = "goblin", "ogre"
"""The monster that somebody edits by hand, and the one whose seed changes."""

PLAN_FOUND_CHANGES = 2


class BrokenPromiseError(Exception):
    """A step did not have the effect that the demo claims."""


@dataclass
class Narrator:
    """Prints headings, explanations, and the commands that are run."""

    colours: bool
    step: int = 0

    def heading(self, title: str) -> None:
        """Print the heading of the next step."""
        self.step += 1
        self._print(f"\n{self._style('1;36', f'{self.step}. {title}')}")

    def say(self, *lines: str) -> None:
        """Print lines that explain a step."""
        for line in lines:
            self._print(f"   {line}".rstrip())

    def command(self, line: str) -> None:
        """Print a command as a person would type it."""
        self._print(f"\n   {self._style('1', f'$ {line}')}")

    def good(self, line: str) -> None:
        """Print a claim that was checked."""
        self._print(f"   {self._style('32', '✓')} {line}")

    def _style(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def _print(self, text: str) -> None:
        print(text, flush=True)


def main() -> int:
    """Run all steps; return exit code 0 if every claim held."""
    terminal = sys.stdout.isatty()
    tell = Narrator(colours=terminal and "NO_COLOR" not in os.environ)
    signals = Signals()
    try:
        tell.heading("An empty PostgreSQL")
        with running(signals) as stack:
            _story(stack, tell, terminal=terminal)
        tell.good("PostgreSQL is stopped, and every temporary file is gone")
    except Stopped as stopped:
        print(f"\nstopped ({stopped}); everything is cleaned up", file=sys.stderr)
        return stopped.exit_code
    except (BrokenPromiseError, RuntimeError, OSError, psycopg.Error) as error:
        print(f"\n✗ the demo failed: {error}", file=sys.stderr)
        return 1
    return 0


def _story(stack: Stack, tell: Narrator, *, terminal: bool) -> None:
    tell.say(
        f"PostgreSQL {stack.version()} listens on 127.0.0.1:{stack.server.port}. The application is",
        "the D&D helper: an API with its Alembic history, and seed files.",
    )
    first = _first_run(stack, tell, terminal=terminal)
    before, wanted = _two_edits(stack, tell)
    _plan(stack, tell)
    _second_run(stack, tell, terminal=terminal, by_hand=before, by_seed=wanted)
    _third_run(stack, tell, first)


def _first_run(stack: Stack, tell: Narrator, *, terminal: bool) -> float:
    tell.heading("The first run: what an init container does before the API starts")
    tell.say(
        "DATABASE_URL    postgresql://postgres:***@127.0.0.1:" + str(stack.server.port),
        "ALEMBIC_CONFIG  examples/dnd-helper/api/alembic.ini",
        "SEED_MANIFEST   a copy of examples/dnd-helper/seeds/seeds.toml",
        "API_COMMAND     python -m dnd_helper_api.main  (while seeding, on loopback)",
    )
    _call(stack, tell, terminal=terminal, report=stack.report)
    report = stack.read_report()
    created = sum(dataset["created"] for dataset in report["datasets"])
    revisions = len(report["migrations"])
    there = {"monsters": stack.one("SELECT count(*) FROM monsters")}
    expected = {"monsters": _created(report, "monsters")}
    _expect(created > 0 and revisions > 0, "the first run migrated or seeded nothing")
    _expect(there == expected, f"the report says {expected}, and the database has {there}")
    tell.say("")
    tell.good(f"{revisions} revisions and {created} records are in the database")
    tell.good(f"the run's report is {_place(stack)}")
    return float(report["seconds"])


def _two_edits(stack: Stack, tell: Narrator) -> tuple[int, int]:
    tell.heading("Meanwhile: one edit by hand, one edit of a seed")
    by_hand = _hp(stack, HAND) + 5
    update = f"UPDATE monsters SET hp = {by_hand} WHERE slug = '{HAND}'"
    stack.one(update)
    by_seed = _edit_seed(stack.seeds / "seed_data_monsters.json")
    tell.say(
        "Somebody makes the goblin tougher, directly in the production database:",
        f"  {update}",
        "and the next version of the seed file makes the ogre tougher:",
        f"  seed_data_monsters.json: ogre, hp {_hp(stack, SEEDED)} becomes {by_seed}",
    )
    return by_hand, by_seed


def _plan(stack: Stack, tell: Narrator) -> None:
    tell.heading("What would a run change now? --plan shows it, and changes nothing")
    tell.command("compose-init --plan")
    finished = stack.compose_init("--plan", captured=True)
    print(finished.printed, end="", flush=True)
    _expect(
        finished.exit_code == PLAN_FOUND_CHANGES,
        f"the plan ended with exit code {finished.exit_code}, not {PLAN_FOUND_CHANGES}",
    )
    for slug in (HAND, SEEDED):
        _expect(slug in finished.printed, f"the plan does not mention the {slug}")
    tell.say("")
    tell.good("exit code 2: there are changes; ~ would be written, ! would be left as it is")


def _second_run(
    stack: Stack, tell: Narrator, *, terminal: bool, by_hand: int, by_seed: int
) -> None:
    tell.heading("The second run: the edit of the seed is written, the edit by hand is kept")
    _call(stack, tell, terminal=terminal)
    _expect(_hp(stack, SEEDED) == by_seed, "the edit of the seed was not written")
    _expect(_hp(stack, HAND) == by_hand, "the edit by hand was not kept")
    tell.say("")
    tell.good(f"ogre: hp {by_seed}, as in the seed file")
    tell.good(f"goblin: hp {by_hand}, as edited by hand; the run reported the edit and kept it")


def _third_run(stack: Stack, tell: Narrator, first: float) -> None:
    tell.heading("The third run: everything is up to date")
    tell.say(
        "`docker compose up -d` starts the init container every time, so this is the",
        "most frequent run. It takes one connection and one query.",
    )
    tell.command("compose-init")
    finished = stack.compose_init("--output", "text", captured=True)
    print(finished.printed, end="", flush=True)
    _expect(finished.exit_code == 0, f"compose-init ended with exit code {finished.exit_code}")
    _expect("nothing to do" in finished.printed, "the third run found something to do")
    tell.say("")
    tell.good(f"{finished.seconds:.2f} s from start to exit; the first run took {first:.1f} s")


def _call(stack: Stack, tell: Narrator, *, terminal: bool, report: Path | None = None) -> None:
    """Run compose-init, with the live view on a terminal, and with lines and a summary elsewhere."""
    tell.command("compose-init")
    words = () if terminal else ("--output", "text")
    finished = stack.compose_init(*words, report=report)
    _expect(finished.exit_code == 0, f"compose-init ended with exit code {finished.exit_code}")


def _edit_seed(path: Path) -> int:
    document = json.loads(path.read_text(encoding="utf-8"))
    (record,) = (monster for monster in document["monsters"] if monster["slug"] == SEEDED)
    record["hp"] += 6
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")
    return int(record["hp"])


def _hp(stack: Stack, slug: str) -> int:
    return int(stack.one(f"SELECT hp FROM monsters WHERE slug = '{slug}'"))


def _created(report: dict[str, Any], name: str) -> int:
    return sum(d["created"] for d in report["datasets"] if d["name"] == name)


def _place(stack: Stack) -> str:
    kept = "INIT_REPORT" in os.environ
    hint = "" if kept else "\n     (removed at the end; INIT_REPORT=FILE keeps it)"
    return f"in {stack.report}{hint}"


def _expect(holds: object, otherwise: str) -> None:
    if not holds:
        raise BrokenPromiseError(otherwise)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
