"""Time that passes only where somebody waits, so that waits for an endpoint take none."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.seed_folder import Connection


@dataclass
class VirtualTime:
    """Stands for the module `time` where an endpoint is waited for.

    Attributes:
        connection: to the database with the ledger, whose notes of what was sent grow older.
    """

    connection: Connection
    now: float = 0.0

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.connection.execute(
            "UPDATE compose_init.intent SET sent_at = sent_at - make_interval(secs => %s)",
            [seconds],
        )
