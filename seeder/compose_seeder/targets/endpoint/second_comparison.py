"""The comparison of records whose first request left open whether they are there: once more, of these alone.

A record that the API has not accepted, and that is there, is somebody else's. A record that it has accepted is owned,
if it is there: the ledger knows that it was about to be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.diff import compare
from compose_seeder.reconcile.plan import Plan
from compose_seeder.targets.endpoint.sides import EndpointSides
from compose_seeder.targets.endpoint.written import Written


@dataclass(frozen=True, slots=True)
class SecondComparison:
    """What came of it.

    Attributes:
        plan: of these records.
        places: the positions in the file, by position in this plan.
        adopted: the positions in this plan of records that were there already.
        taken: the number of records that were created by the first requests after all.
    """

    plan: Plan
    places: Sequence[int]
    adopted: frozenset[int]
    taken: int

    def merged_into(self, first: Plan) -> Plan:
        """Return the plan of the first comparison, as it came out."""
        found = {self.places[position] for position in self.adopted}
        changes = [
            replace(change, position=self.places[change.position])
            for change in self.plan.records
            if change.position in self.adopted
        ]
        # The records of the second plan are those of the first one: only what is new about them counts.
        new = replace(self.plan.counts, created=-len(self.adopted), deleted=0, released=0)
        new = replace(new, unchanged=new.unchanged - self.taken)
        return replace(
            first,
            counts=first.counts + new,
            records=(*(one for one in first.records if one.position not in found), *changes),
        )


def compare_again(
    connection: Connection,
    dataset: Dataset,
    sides: EndpointSides,
    dataset_id: int,
    again: Sequence[Written],
) -> SecondComparison:
    """Compare records again, and leave what is to be done about them in `pg_temp.plan`.

    Args:
        connection: with the working tables of the first comparison, which are made again.
        dataset: with an endpoint.
        sides: of the first comparison; afterwards of these records alone.
        dataset_id: of the dataset in the ledger.
        again: the records.

    Raises:
        RefusedError, CredentialsError, InterruptedTargetError: as the API answers.
    """
    ordered = sorted(again, key=lambda one: one.position)
    places = [one.position for one in ordered]
    texts = statements("endpoint")
    rows = connection.execute(texts["ids_at_positions"], {"positions": places}).fetchall()
    records = [replace(sides.desired[p], position=n) for n, p in enumerate(places)]
    working_tables.reset(connection)
    working_tables.create(connection, "endpoint", sides.salt)
    working_tables.fill_ids_to_compare(connection, [row[0] for row in rows])
    working_tables.fill_applied(connection, dataset_id, "intended ids to compare")
    sides.fill(records, sides.fields, verify=False)
    plan = compare(
        connection,
        dataset,
        lambda positions: {n: records[n] for n in positions},
        sides.fields,
        sides.defaults(sides.fields),
    )
    doubtful = [n for n, one in enumerate(ordered) if one.fate == "doubtful"]
    found = connection.execute(texts["existing_positions"], {"positions": doubtful}).fetchall()
    adopted = frozenset(row[0] for row in found)
    return SecondComparison(plan, places, adopted, len(again) - plan.counts.created - len(adopted))
