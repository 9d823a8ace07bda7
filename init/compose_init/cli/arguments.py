"""The parser of the command line, built from the rows of `commands.py`.

compose-init [flags of a whole run]
compose-init COMMAND [flags of the command]
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter

from compose_init import __version__
from compose_init.cli.commands import COMMANDS
from compose_init.cli.context import Command
from compose_init.cli.whole_run import WHOLE_RUN
from compose_init.errors import SettingsError

USAGE = """\
compose-init [--wait-only | --migrate-only | --seed-only]
                    [--dataset NAME] [--verify] [--plan [--limit N|all]]
                    [--output text|json]
       compose-init COMMAND [flags of the command]
"""

DESCRIPTION = """\
Waits for PostgreSQL, migrates with Alembic, seeds tables and the application's
API, and exits. Without a command it does all of that; what is done already is
left as it is.
"""

EPILOG = """\
settings come from the environment, each also from a file as NAME_FILE:
  DATABASE_URL, or POSTGRES_HOST _PORT _DB _USER _PASSWORD
  ALEMBIC_CONFIG     alembic.ini, or a folder of revisions
  SEED_MANIFEST      seeds.toml: a path, or a URL (s3, gs, az, https)
  API_BASE_URL       the application's API, for datasets with an endpoint
  API_COMMAND        starts a temporary API
  (docs/settings.md has all of them)

exit codes:
  0 done, or nothing to do    2 --plan found changes    65 a record is wrong
  66 a source cannot be read  69 not up in time         70 a migration failed
  73 revision not placed      75 run again              76 a target refused
  77 credentials refused      78 settings are wrong     130, 143 interrupted
"""


class Parser(ArgumentParser):
    """argparse, with our exit code: 2 means that a plan found changes."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise instead of exiting."""
        raise SettingsError(f"the command line is wrong: {message}; see {self.prog} --help")


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        "compose-init",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"compose-init {__version__}")
    _add_flags(parser, WHOLE_RUN, without=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in COMMANDS:
        description = f"{command.help[0].upper()}{command.help[1:]}."
        added = commands.add_parser(
            command.name,
            prog=f"compose-init {command.name}",
            help=command.help,
            description=description,
        )
        # A value given before the word stays: `compose-init --output json status`.
        _add_flags(added, command, without=SUPPRESS)
    return parser


def _add_flags(parser: ArgumentParser, command: Command, *, without: str | None) -> None:
    command.add_arguments(parser)
    if command.prints_document:
        parser.add_argument(
            "--output",
            choices=("text", "json"),
            default=without,
            help="print the result on stdout in this form; logs go to stderr then",
        )


def parse(words: list[str]) -> tuple[Command, Namespace]:
    """Return the command that the words name, and its arguments.

    Raises:
        SettingsError: a word is unknown, or words do not go together.
    """
    arguments = build_parser().parse_args(words)
    command = next((each for each in COMMANDS if each.name == arguments.command), WHOLE_RUN)
    fault = _find_foreign_flag(command, arguments) or command.find_fault(arguments)
    if fault:
        raise SettingsError(f"the command line is wrong: {fault}")
    return command, arguments


def _find_foreign_flag(command: Command, arguments: Namespace) -> str:
    """Return what is wrong with flags of a whole run before a command's word, or ""."""
    if command is WHOLE_RUN:
        return ""
    for name, default in vars(build_parser().parse_args([])).items():
        owned = name == "command" or (name == "output" and command.prints_document)
        if not owned and getattr(arguments, name) != default:
            return f"{command.name} takes no --{name.replace('_', '-')}"
    return ""
