"""What is sent to an endpoint, in the ledger: before it is sent, and until the endpoint has shown it.

about to be sent ─▶ not taken ──▶ forgotten
├─▶ shown ──────▶ applied, with what the endpoint made of it
└─▶ not shown ──▶ unconfirmed: looked for again by every run
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compose_seeder.exact_json import encode
from compose_seeder.postgres import Connection, statements


@dataclass(frozen=True, slots=True)
class Observed:
    """What an endpoint showed of a record that was written.

    Attributes:
        position: of the record in the file.
        document: the observed fields, as JSON text.
        trees: of all that it showed; None where that is not known.
    """

    position: int
    document: str
    trees: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A record that was sent to an endpoint, and that the endpoint does not show under its key.

    Attributes:
        position: of the record in the file.
        others: the ids of the live records that may be it, under another key.
        is_shown: the answer to the request showed it.
    """

    position: int
    others: tuple[int, ...]
    is_shown: bool


@dataclass(frozen=True)
class Intents:
    """What is sent of one dataset; records are those of `pg_temp.plan`, by their positions in the file.

    Attributes:
        connection: in autocommit.
        dataset_id: the dataset's id in the ledger.
        fields: in the order of the hashes.
    """

    connection: Connection
    dataset_id: int
    fields: list[str]

    def intend(self, positions: Sequence[int]) -> None:
        """Write that records are about to be sent."""
        self._execute("intend", fields=self.fields, positions=list(positions))

    def forget(self, positions: Sequence[int]) -> None:
        """Forget that records were about to be sent: they were not taken."""
        self._execute("forget_intended", positions=list(positions))

    def forget_seen(self) -> None:
        """Forget that records were sent which the API shows as they were sent."""
        self._execute("forget_seen")

    def record_others(self, ids: Sequence[int]) -> None:
        """Write the ids of the records that an API holds and no file names, before anything is sent."""
        self._execute("record_others", ids=list(ids))

    def record_unconfirmed(self, unconfirmed: Sequence[Unconfirmed]) -> None:
        """Write that records were sent, and that their target does not show them."""
        self._execute(
            "record_unconfirmed",
            positions=[one.position for one in unconfirmed],
            others=[encode(one.others).decode() for one in unconfirmed],
            shown=[one.is_shown for one in unconfirmed],
        )

    def record_observed(self, observed: Sequence[Observed], seen: Sequence[int]) -> None:
        """Write that records were applied, and what their target then showed.

        Args:
            observed: what it showed of each record.
            seen: the positions of these records that are certainly there; the others are looked for.
        """
        with self.connection.transaction():
            self._execute(
                "record_observed",
                fields=self.fields,
                positions=[one.position for one in observed],
                observed=[one.document for one in observed],
                shown=[
                    None if one.trees is None else encode(one.trees).decode() for one in observed
                ],
            )
            self.forget(seen)

    def _execute(self, statement: str, **values: object) -> None:
        query = statements("intents")[statement]
        self.connection.execute(query, {"dataset": self.dataset_id, **values})
