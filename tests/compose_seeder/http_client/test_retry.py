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
from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit
from compose_seeder.http_client.retry import Failure, delay_before_retry, parse_retry_after
from tests.support.endpoint_seeds import THINGS, Through
from tests.support.seed_folder import Seeds, counts
from tests.support.small_api import Api

MANY = [{"slug": f"s{n}", "v": n} for n in range(40)]
LOST = Failure(may_have_arrived=True)
REFUSED = Failure(may_have_arrived=False)


# the policy


def test_what_may_have_arrived_is_repeated_only_where_that_is_safe() -> None:
    assert delay_before_retry(LOST, 1, 0, repeatable=False) is None
    assert delay_before_retry(LOST, 1, 0, repeatable=True) is not None
    assert delay_before_retry(REFUSED, 1, 0, repeatable=False) is not None
    assert delay_before_retry(LOST, retry.MAX_ATTEMPTS, 0, repeatable=True) is None
    assert delay_before_retry(REFUSED, retry.MAX_ATTEMPTS, 0, repeatable=True) is None


def test_what_the_api_asks_for_is_waited_for_and_no_more_than_patience() -> None:
    asked = Failure(may_have_arrived=False, busy=True, retry_after=7)
    assert 7 <= (delay_before_retry(asked, 1, 0, repeatable=False) or 0) < 7.2
    assert delay_before_retry(asked, 2, retry.MAX_WAIT_SECONDS - 5, repeatable=True) is None
    assert (
        delay_before_retry(
            Failure(may_have_arrived=False, busy=True, retry_after=3600), 1, 0, repeatable=True
        )
        is None
    )
    unsaid = Failure(may_have_arrived=False, busy=True)
    assert (delay_before_retry(unsaid, 20, 0, repeatable=False) or 99) < retry.MAX_DELAY_SECONDS + 1
    assert delay_before_retry(unsaid, 20, retry.MAX_WAIT_SECONDS, repeatable=False) is None


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
    found = parse_retry_after(httpx.Response(503, headers={"Retry-After": header}))
    assert found is not None
    assert low <= found <= high


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", "٣"])
def test_a_retry_after_that_is_none(header: str) -> None:
    assert (
        parse_retry_after(httpx.Response(503, headers=[(b"Retry-After", header.encode())])) is None
    )


# the concurrency limit


def test_half_as_many_once_a_round_and_one_more_each_round() -> None:
    limit = ConcurrencyLimit(8)
    begun = [limit.acquire() for _ in range(8)]
    for number in begun:
        limit.release(number, busy=True)
    assert limit.allowed == 4
    for _ in range(5):
        limit.release(limit.acquire(), busy=False)
    assert limit.allowed == 5
    for _ in range(100):
        limit.release(limit.acquire(), busy=False)
    assert limit.allowed == 8
    for _ in range(100):
        limit.release(limit.acquire(), busy=True)
    assert limit.allowed == 1


def test_no_more_begin_than_there_is_room_for() -> None:
    limit = ConcurrencyLimit(2)
    limit.release(limit.acquire(), busy=True)
    first = limit.acquire()
    begun = threading.Event()

    def second() -> None:
        limit.acquire()
        begun.set()

    threading.Thread(target=second, daemon=True).start()
    assert not begun.wait(0.2)
    limit.release(first, busy=True)
    assert begun.wait(20)


def test_nothing_begins_before_the_api_wants_it() -> None:
    limit = ConcurrencyLimit(4)
    limit.release(limit.acquire(), busy=True, retry_after=0.3)
    started = time.monotonic()
    limit.release(limit.acquire(), busy=False)
    assert time.monotonic() - started >= 0.29


def test_a_wait_ends_with_the_run() -> None:
    limit = ConcurrencyLimit(4)
    threading.Timer(0.1, limit.stop).start()
    started = time.monotonic()
    with pytest.raises(InterruptedTargetError, match="is ending"):
        limit.sleep(30)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("after", [30.0, 1e12, float("inf")])
def test_what_waits_for_the_api_is_not_sent_when_the_run_ends(after: float) -> None:
    """However long it would be: `Retry-After` may be the year 9999, and no clock goes there."""
    limit = ConcurrencyLimit(4)
    limit.release(limit.acquire(), busy=True, retry_after=after)
    threading.Timer(0.1, limit.stop).start()
    with pytest.raises(InterruptedTargetError, match="while the API asks to wait"):
        limit.acquire()


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
    monkeypatch.setattr(retry, "MAX_WAIT_SECONDS", 2.5)
    api.busy, api.retry_after = 999, "1"
    started = time.monotonic()
    with pytest.raises(InterruptedTargetError, match=r"429.* 3 times in 2 s; run again"):
        through.run()
    assert 2 <= time.monotonic() - started < 20


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
