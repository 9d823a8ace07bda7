"""The phase that checks the application's role.

Before the seeds: the temporary API connects as this role, and its own error would say less.
"""

from __future__ import annotations

from compose_init import ledger
from compose_init.database import application_role
from compose_init.database.connection import Connection
from compose_init.database.role_comparison import Fault


def check_role(connection: Connection, role: str, version_table: str) -> None:
    """Check the role, and record that it was checked, with the history that was migrated before.

    Raises:
        CredentialsRefused: the role has other privileges than it needs; each fault with its fix.
    """
    application_role.check(connection, role)
    ledger.record_phase(connection, "roles", {"role": role}, version_table)


def find_role_faults(connection: Connection, role: str | None) -> tuple[Fault, ...]:
    """Return the faults that a run does not fix by itself, as they are now; none without a role."""
    if role is None:
        return ()
    return tuple(
        fault for fault in application_role.faults(connection, role) if not fault.fixed_by_run
    )
