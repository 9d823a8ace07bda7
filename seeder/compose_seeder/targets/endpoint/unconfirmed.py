"""What was sent, and what the API does not show of it: looked for, and not sent again where it may be there.

    sent, and not shown ─▶ list again … ─▶ shown: it is there
                                        └▶ time is over ─▶ another record may be it: unconfirmed, not sent again
                                                         └▶ no other may be it: the next run sends it again

What nobody has seen was not deleted by hand, and what may be there is not created once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import Fault
from compose_seeder.exact_json import encode
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile.intents import Unconfirmed
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import DatasetRun
from compose_seeder.targets.endpoint.json_values import decode_fields, project
from compose_seeder.targets.endpoint.likeness import is_alike
from compose_seeder.targets.endpoint.reader import Key, Live, Reader

OPEN_TIMEOUTS = 2.0
"""How long a request may be under way after it was sent, where nobody has its answer; in timeouts of the client."""

UNSEEN_TIMEOUTS = 1 / 6
"""How long it may take until the API shows what it has accepted; in timeouts of the client: 5 s of 30 s."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
"""Between two looks; each pause is twice as long as the one before."""

NOT_SHOWN = "the API accepted it, and does not show it afterwards"


@dataclass(frozen=True, slots=True)
class Unseen:
    """A record that was sent and is not there, with the live records that it may be.

    Attributes:
        wanted: the record of the file.
        others: the live records, by id.
        is_shown: the answer to the request showed it.
        words: of the API.
    """

    wanted: Desired
    others: Mapping[int, Key]
    is_shown: bool
    words: str = ""

    @property
    def is_safe_to_send(self) -> bool:
        """True where nothing says that it may be there."""
        return not self.others and not self.is_shown

    def for_ledger(self, position: int | None = None) -> Unconfirmed:
        """Return it as the ledger keeps it; `position` of the plan, where it is not the file's."""
        place = self.wanted.position if position is None else position
        return Unconfirmed(place, tuple(self.others), self.is_shown)

    def fault(self, key: Sequence[str]) -> Fault:
        """Return what to tell people, who know the fields of the `key`."""
        return Fault(self.wanted.where, format_key(key, self.wanted.key), "", self._problem(key))

    def _problem(self, key: Sequence[str]) -> str:
        words = f" ({self.words})" if self.words else ""
        if self.others:
            found = " or ".join(format_key(key, other) for other in list(self.others.values())[:3])
            return (
                f"the API accepted it, and does not show it under its key{words}; it may have given it another key:"
                f" {found}; give it that key in the file, or delete that record at the API; it is not sent again"
            )
        if self.is_shown:
            return (
                f"{NOT_SHOWN}{words}: it is looked for by each run, and not sent again; if it is not there, take it out"
                " of the file for one run"
            )
        return (
            f"{NOT_SHOWN}{words}; the next run looks for it, and sends it again if it is not there"
        )


class SentBefore:
    """What earlier runs sent to one dataset's endpoint, and nobody has seen since.

    Args:
        run: the dataset.
        reader: of its endpoint.
        timeout: seconds that a request has.
    """

    def __init__(self, run: DatasetRun, reader: Reader, timeout: float) -> None:
        self._connection = run.connection
        self._run = run
        self._reader = reader
        self._timeout = timeout
        self.unseen: list[Unseen] = []
        self.not_there: dict[Key, str] = {}
        """When records were last sent that turned out not to be there."""

    def records(self, desired: Sequence[Desired]) -> list[Live]:
        """Return the API's records, when nothing that was sent before can be under way any more.

        Marks in `pg_temp.applied` what must not be sent again.

        Raises:
            RefusedError, CredentialsError, InterruptedTargetError: as `Reader.all`.
        """
        listed = self._reader.all(desired)
        applied = self._run.applied()
        row = self._connection.execute(statements("endpoint")["has_intents"]).fetchone()
        if applied is None or not row or not row[0]:
            return listed
        pause = FIRST_PAUSE_SECONDS
        while (left := self._seconds_left(applied.dataset_id, desired, listed)) > 0:
            time.sleep(min(left, pause))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            listed = self._reader.all(desired)
        self.unseen = self._find_unseen(applied.dataset_id, desired, listed)
        return listed

    def _seconds_left(
        self, dataset_id: int, desired: Sequence[Desired], listed: Sequence[Live]
    ) -> float:
        fields = {record.key: decode_fields(record) for record in desired}
        shown = [(key, project(record, fields.get(key, {}))) for key, record in listed]
        values = {
            "dataset": dataset_id,
            "seconds": self._timeout * OPEN_TIMEOUTS,
            "keys": [encode(key).decode() for key, _ in shown],
            "documents": [encode(document).decode() for _, document in shown],
        }
        row = self._connection.execute(statements("endpoint")["open_seconds"], values).fetchone()
        return row[0] or 0.0 if row else 0.0

    def _find_unseen(
        self, dataset_id: int, desired: Sequence[Desired], listed: Sequence[Live]
    ) -> list[Unseen]:
        texts, dataset = statements("endpoint"), {"dataset": dataset_id}
        ids = hash_keys(self._connection, [key for key, _ in listed])
        live = dict(zip(ids, listed, strict=True))
        rows = self._connection.execute(
            texts["unseen_records"], {**dataset, "shown": list(live)}
        ).fetchall()
        if not rows:
            return []
        row = self._connection.execute(texts["known_ids"], dataset).fetchone()
        known = set(row[0]) if row else set()
        in_file = {record.key for record in desired}
        strangers = {n: one for n, one in live.items() if n not in known and one[0] not in in_file}
        found, unconfirmed = [], []
        for id_, position, others, is_shown, sent_at in rows:
            wanted = desired[position]
            if others is None:
                its = likely(wanted, strangers, self._run.dataset.key)
            else:
                its = {other: live[other][0] for other in others if other in live}
            one = Unseen(wanted, its, is_shown)
            if not one.is_safe_to_send:
                found.append(one)
                unconfirmed.append(id_)
            elif others is not None:
                self.not_there[wanted.key] = sent_at
        self._connection.execute(texts["mark_unconfirmed"], {"ids": unconfirmed})
        return found


def likely(wanted: Desired, strangers: Mapping[int, Live], key: tuple[str, ...]) -> dict[int, Key]:
    """Return the strangers that may be a record that was sent, by id."""
    fields = decode_fields(wanted)
    return {n: other for n, (other, record) in strangers.items() if is_alike(fields, record, key)}


def look_for(
    read: Callable[[Sequence[Desired]], list[Live]], wanted: Sequence[Desired], seconds: float
) -> list[Live]:
    """Read the API's records until they have all that is wanted, or the time is over.

    Raises:
        RefusedError, CredentialsError, InterruptedTargetError: as `read`.
    """
    until, pause = time.monotonic() + seconds, FIRST_PAUSE_SECONDS
    while True:
        listed = read(wanted)
        shown = {key for key, _ in listed}
        left = until - time.monotonic()
        if left <= 0 or all(record.key in shown for record in wanted):
            return listed
        time.sleep(min(left, pause))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def hash_keys(connection: Connection, keys: Sequence[Key]) -> list[int]:
    """Return the ids of keys, in their order."""
    values = {"keys": [encode(key).decode() for key in keys]}
    return [row[0] for row in connection.execute(statements("endpoint")["hash_keys"], values)]
