"""The words of the command line."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter

from compose_init import __version__
from compose_init.errors import SettingsError

DESCRIPTION = """\
Waits for PostgreSQL, migrates with Alembic, seeds tables and the application's API, and exits.
Without a word it does everything; what is done already is left alone.
"""

EPILOG = """\
settings come from the environment, each also from a file as NAME_FILE:
  DATABASE_URL, or POSTGRES_HOST _PORT _DB _USER _PASSWORD
  ALEMBIC_CONFIG     alembic.ini, or a folder of revisions
  SEED_MANIFEST      seeds.toml: a path, or a URL (s3, gs, az, https)
  API_BASE_URL       the application's API, for datasets with an endpoint
  API_COMMAND        starts a temporary one
  (docs/settings.md has all of them)

exit codes:
  0 done, or nothing to do     2 --plan found changes       65 a record is wrong
  66 a source cannot be read   69 not up in time            70 a migration failed
  73 revision not placed       75 run again                 76 a target refused a record
  77 credentials refused       78 settings are wrong        130, 143 interrupted
"""


class Parser(ArgumentParser):
    """argparse, with our exit code: 2 means that a plan found changes."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise instead of exiting."""
        raise SettingsError(f"the command line is wrong: {message}; see {self.prog} --help")


def parse(arguments: list[str]) -> Namespace:
    """The call that the words mean.

    Raises:
        SettingsError: words that do not go together, or are not known.
    """
    parser = Parser(
        "compose-init",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"compose-init {__version__}")
    phases = parser.add_mutually_exclusive_group()
    phases.add_argument(
        "--wait-only", action="store_true", help="wait for PostgreSQL, and for an API elsewhere"
    )
    phases.add_argument("--migrate-only", action="store_true", help="bring the schema to head")
    phases.add_argument(
        "--seed-only", action="store_true", help="bring the seeds to what their files say"
    )
    parser.add_argument(
        "--dataset", action="append", metavar="NAME", help="seed only this one (repeatable)"
    )
    parser.add_argument(
        "--plan", action="store_true", help="show what would change, and change nothing"
    )
    parser.add_argument(
        "--limit",
        metavar="N|all",
        help="with --plan: how many records of a dataset it shows (20; as JSON 1000)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare with live data even where nothing has changed",
    )
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        help="the plan or summary on stdout; logs go to stderr then",
    )
    commands = parser.add_subparsers(
        dest="command",
        metavar="status | check | wait | record | probe | alert",
        title="other commands",
    )
    for name, words in (
        ("status", "revision and head, datasets, the last runs"),
        ("check", "validate settings, manifest and seed files, offline"),
        ("wait", "wait for PostgreSQL, or for a revision of the schema"),
        ("record", "write down the lineage of the migrations, when an image is built"),
        ("probe", "wait until an address answers, for deploy/stack"),
        ("alert", "tell a webhook and Telegram what stdin says, for deploy/stack"),
    ):
        command = commands.add_parser(name, help=words, description=words)
        if name == "wait":
            command.add_argument("--revision", metavar="head|ID", help="until the schema is there")
        elif name == "probe":
            command.add_argument("url", metavar="URL", help="what to ask")
            command.add_argument(
                "--version", dest="expected", help="what it must answer as version"
            )
            command.add_argument(
                "--timeout", type=float, default=30.0, metavar="SECONDS", help="30 unless said"
            )
        elif name in {"status", "check"}:
            command.add_argument("--output", choices=("text", "json"), default=SUPPRESS)
        if name == "check":
            command.add_argument(
                "--env-file",
                metavar="FILE",
                help="check a server's .env instead, and secrets/ beside it",
            )
            command.add_argument(
                "--compose-file",
                action="append",
                metavar="FILE",
                help="what reads that .env (repeatable; compose.yml unless said)",
            )
    call = parser.parse_args(arguments)
    _check(call)
    return call


def _check(call: Namespace) -> None:
    only = [flag for flag in ("wait_only", "migrate_only") if getattr(call, flag)]
    if call.dataset and only:
        raise SettingsError(
            f"the command line is wrong: --dataset and --{only[0].replace('_', '-')} exclude each other"
        )
    if call.plan and call.wait_only:
        raise SettingsError("the command line is wrong: --plan and --wait-only exclude each other")
    if call.limit is not None and not call.plan:
        raise SettingsError("the command line is wrong: --limit is for --plan")
    if call.limit not in {None, "all"} and not (call.limit.isascii() and call.limit.isdigit()):
        raise SettingsError(
            f"the command line is wrong: --limit takes a number or all, found {call.limit!r}"
        )
    if call.command == "check" and call.compose_file and not call.env_file:
        raise SettingsError("the command line is wrong: --compose-file is for --env-file")
    if call.command == "wait" and call.revision == "":
        raise SettingsError("the command line is wrong: --revision takes head or an id, found ''")
    if call.command == "probe" and not 0 < call.timeout < 86_400:  # noqa: PLR2004 - a day
        raise SettingsError(
            "the command line is wrong: --timeout takes seconds above 0 and below a day, found"
            f" {call.timeout:g}"
        )
    if call.command in {"wait", "record", "probe", "alert"} and call.output:
        raise SettingsError(f"the command line is wrong: {call.command} takes no --output")
    given = [
        flag
        for flag in ("plan", "verify", "dataset", "seed_only", "migrate_only", "wait_only")
        if getattr(call, flag)
    ]
    if call.command and given:
        raise SettingsError(
            f"the command line is wrong: {call.command} takes no --{given[0].replace('_', '-')}"
        )
