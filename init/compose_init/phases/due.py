"""The phases that are due: those whose inputs differ from what the last complete run recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compose_init import ledger
from compose_init.database.connection import Connection
from compose_init.last_run import State
from compose_init.migrations.database_position import DatabasePosition, DatabaseState
from compose_init.phases.migrate import locate_by_ledger
from compose_init.phases.options import PhaseName, RunOptions
from compose_init.phases.seed import SeedPhase
from compose_init.settings import Settings


@dataclass(frozen=True)
class DuePhases:
    """The phases that have something to do.

    Attributes:
        names: of the phases; none if the database is ahead.
        position: of the database; None if only Alembic can tell, or if no phase was asked for.
    """

    names: frozenset[PhaseName]
    position: DatabasePosition | None = None


def find_due_phases(
    connection: Connection, settings: Settings, options: RunOptions, seeds: SeedPhase
) -> DuePhases:
    """Return the phases that are due, by one query.

    Raises:
        UnknownRevisionError: the database has diverged.
    """
    wanted = _wanted_phases(settings, options)
    states = ledger.read(connection) if wanted else None
    if states is None:
        return DuePhases(frozenset(wanted))
    position = locate_by_ledger(connection, settings, states)
    if position is not None and position.state == DatabaseState.AHEAD:
        return DuePhases(frozenset(), position)
    if position is not None and position.state == DatabaseState.AT_HEAD:
        wanted.discard("migrate")
    # Seeds and roles are the database's, whichever history came with them.
    if "seed" in wanted and any(
        state.has_tables_of(options.datasets)
        and seeds.is_unchanged(state.inputs.get(options.seed_name, {}))
        for state in states
    ):
        wanted.discard("seed")
    # If another phase is due, the role is checked again: the phase may change its privileges.
    if wanted == {"roles"} and _is_role_checked(states, settings):
        wanted.discard("roles")
    return DuePhases(frozenset(wanted), position)


def _wanted_phases(settings: Settings, options: RunOptions) -> set[PhaseName]:
    wanted: set[PhaseName] = set()
    if options.migrate and settings.alembic_config is not None:
        wanted.add("migrate")
    if options.seed and settings.manifest is not None:
        wanted.add("seed")
    if settings.application_role is not None:
        wanted.add("roles")
    return wanted


def _is_role_checked(states: Sequence[State], settings: Settings) -> bool:
    checked = {state.inputs.get("roles", {}).get("role") for state in states}
    return settings.application_role in checked
