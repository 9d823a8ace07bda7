"""What is sent again, when, and what never is; how many requests run at once meanwhile."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from compose_seeder.errors import InterruptedTargetError
from compose_seeder.http_client import retry
from compose_seeder.http_client.concurrency_limit import Pace
from compose_seeder.http_client.retry import Failure, pause, retry_after

from tests.support.endpoint_seeds import THINGS, Through
from tests.support.seed_folder import Seeds, counts
from tests.support.small_api import Api

MANY = [{"slug": f"s{n}", "v": n} for n in range(40)]
LOST = Failure(arrived=True)
REFUSED = Failure(arrived=False)


# the policy


def test_what_may_have_arrived_is_repeated_only_where_that_is_safe() -> None:
    assert pause(LOST, 1, 0, repeatable=False) is None
    assert pause(LOST, 1, 0, repeatable=True) is not None
    assert pause(REFUSED, 1, 0, repeatable=False) is not None
    assert pause(LOST, retry.ATTEMPTS, 0, repeatable=True) is None
    assert pause(REFUSED, retry.ATTEMPTS, 0, repeatable=True) is None


def test_what_the_api_asks_for_is_waited_for_and_no_more_than_patience() -> None:
    asked = Failure(arrived=False, busy=True, after=7)
    assert 7 <= (pause(asked, 1, 0, repeatable=False) or 0) < 7.2
    assert pause(asked, 2, retry.PATIENCE - 5, repeatable=True) is None
    assert pause(Failure(arrived=False, busy=True, after=3600), 1, 0, repeatable=True) is None
    unsaid = Failure(arrived=False, busy=True)
    assert (pause(unsaid, 20, 0, repeatable=False) or 99) < retry.LONGEST + 1
    assert pause(unsaid, 20, retry.PATIENCE, repeatable=False) is None


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("0", 0, 0),
        ("120", 120, 120),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
        ("Sun Nov  6 08:49:37 1994", 0, 0),
        ("in 90 s", 88, 90),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header: str, low: float, high: float) -> None:
    if header == "in 90 s":
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = retry_after(httpx.Response(503, headers={"Retry-After": header}))
    assert found is not None
    assert low <= found <= high


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", "٣"])
def test_a_retry_after_that_is_none(header: str) -> None:
    assert retry_after(httpx.Response(503, headers=[(b"Retry-After", header.encode())])) is None


# the pace


def test_half_as_many_once_a_round_and_one_more_each_round() -> None:
    pace = Pace(8)
    begun = [pace.begin() for _ in range(8)]
    for number in begun:
        pace.end(number, busy=True)
    assert pace.room == 4
    for _ in range(5):
        pace.end(pace.begin(), busy=False)
    assert pace.room == 5
    for _ in range(100):
        pace.end(pace.begin(), busy=False)
    assert pace.room == 8
    for _ in range(100):
        pace.end(pace.begin(), busy=True)
    assert pace.room == 1


def test_no_more_begin_than_there_is_room_for() -> None:
    pace = Pace(2)
    pace.end(pace.begin(), busy=True)
    first = pace.begin()
    begun = threading.Event()

    def second() -> None:
        pace.begin()
        begun.set()

    threading.Thread(target=second, daemon=True).start()
    assert not begun.wait(0.2)
    pace.end(first, busy=True)
    assert begun.wait(5)


def test_nothing_begins_before_the_api_wants_it() -> None:
    pace = Pace(4)
    pace.end(pace.begin(), busy=True, after=0.3)
    started = time.monotonic()
    pace.end(pace.begin(), busy=False)
    assert time.monotonic() - started >= 0.29


def test_a_wait_ends_with_the_run() -> None:
    pace = Pace(4)
    threading.Timer(0.1, pace.stop).start()
    started = time.monotonic()
    with pytest.raises(InterruptedTargetError, match="is ending"):
        pace.wait(30)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("after", [30.0, 1e12, float("inf")])
def test_what_waits_for_the_api_is_not_sent_when_the_run_ends(after: float) -> None:
    """However long it would be: `Retry-After` may be the year 9999, and no clock goes there."""
    pace = Pace(4)
    pace.end(pace.begin(), busy=True, after=after)
    threading.Timer(0.1, pace.stop).start()
    with pytest.raises(InterruptedTargetError, match="the API wants no request"):
        pace.begin()


# with an API


@pytest.mark.parametrize(("status", "after"), [(429, "0"), (429, None), (503, "0")])
def test_a_storm_is_sat_out(through: Through, api: Api, status: int, after: str | None) -> None:
    """Nothing was taken: all is sent again, creations too, and each is there once."""
    api.busy, api.busy_status, api.retry_after = 25, status, after
    api.busy_writes = True
    through.manifest(http="concurrency = 8")
    assert counts(through.run(MANY)) == {"created": 40}
    assert sorted(row["slug"] for row in api.rows.values()) == sorted(f"s{n}" for n in range(40))


def test_fewer_at_once_where_the_api_takes_no_more(through: Through, api: Api) -> None:
    """An API with room for two: few requests are refused, not one for each that is taken."""
    api.room, api.took, api.retry_after = 2, 0.01, None
    through.manifest(http="concurrency = 16")
    assert counts(through.run(MANY)) == {"created": 40}
    assert api.peak > 2
    assert len(api.writes) < 3 * len(MANY)


def test_as_many_at_once_as_the_manifest_says(through: Through, api: Api) -> None:
    """And no more; an API that has room gets them."""
    api.took = 0.02
    through.manifest(http="concurrency = 6")
    through.run(MANY)
    assert api.peak == 6


def test_an_api_that_asks_for_an_hour(through: Through, api: Api) -> None:
    """Said at once, as a run that can be repeated."""
    api.busy, api.retry_after = 99, "3600"
    with pytest.raises(InterruptedTargetError, match="asks to wait 3600 s; run again") as raised:
        through.run()
    assert type(raised.value) is InterruptedTargetError  # its exit code goes by its type
    assert len(api.requests) == 1


def test_patience_has_an_end(through: Through, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that is always busy ends the run, with how long it was waited for."""
    monkeypatch.setattr(retry, "PATIENCE", 2.5)
    api.busy, api.retry_after = 999, "1"
    started = time.monotonic()
    with pytest.raises(InterruptedTargetError, match=r"429.* 3 times in 2 s; run again"):
        through.run()
    assert 2 <= time.monotonic() - started < 4


@pytest.mark.parametrize("status", [500, 503])
def test_a_creation_that_may_have_been_taken_is_not_repeated(
    through: Through, api: Api, status: int
) -> None:
    """One POST each, where nothing says that it was refused unread."""
    api.busy, api.busy_status, api.retry_after, api.busy_writes = 99, status, None, True
    with pytest.raises(InterruptedTargetError, match=str(status)):
        through.run(THINGS[:1])
    assert api.requests == ["GET /things", "POST /things"]


def test_the_same_idempotency_key_again(through: Through, api: Api) -> None:
    """For a lost answer and after a run that broke off; one for each record."""
    through.manifest(http="idempotency_key = true\nconcurrency = 1")
    api.lost = 1
    assert counts(through.run(THINGS[:1])) == {"created": 1}
    assert len(api.rows) == 1
    assert api.keys[0] == api.keys[1]
    assert api.keys[0] is not None
    api.keys.clear()
    api.fail_after = len(api.writes)
    with pytest.raises(InterruptedTargetError):
        through.run(THINGS)
    broken = api.keys[0]
    api.fail_after = None
    api.keys.clear()
    through.run(THINGS)
    assert api.keys[0] == broken
    assert len({*api.keys}) == len(api.keys) == 2
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b", "c"]


def test_another_idempotency_key_for_another_creation(
    through: Through, seeds: Seeds, api: Api
) -> None:
    """A record that is deleted by hand is created again, though the API knows the old key."""
    del seeds
    through.manifest(http="idempotency_key = true", options='on_drift = "overwrite"')
    through.run()
    del api.rows[api.find("b")["id"]]
    assert counts(through.run(verify=True)) == {"created": 1, "unchanged": 2}
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b", "c"]


def test_a_post_is_sent_again_where_nobody_listened(
    through: Through, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection has certainly not created anything."""
    send = client.request
    refused = 2

    def flaky(method: str, url: str, **more: object) -> httpx.Response:
        nonlocal refused
        if method == "POST" and refused:
            refused -= 1
            url = "http://127.0.0.1:9/"  # nobody listens there
        return send(method, url, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "request", flaky)
    assert counts(through.run()) == {"created": 3}
    assert refused == 0
