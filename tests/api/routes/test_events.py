from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, insert, update

from spendtop.api import feed
from spendtop.api.listener.connections import Allowance
from spendtop.api.routes import events
from spendtop.domain.clock import SECOND
from spendtop.store.engine import Store
from spendtop.store.reads.change_feed import News, Position, news_after
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from tests.api.listening import Live, settings_of
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.store.conftest import Recorded
from tests.waiting import DEADLINE, soon_answered


@dataclass
class Follower:
    """Reads events off an open answer."""

    lines: AsyncIterator[str]
    last_id: str = ""
    last_data: str = ""

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next event's name and content."""
        name = ""
        async with asyncio.timeout(DEADLINE):
            while True:
                line = await anext(self.lines)
                if line.startswith("id: "):
                    self.last_id = line.removeprefix("id: ")
                elif line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.last_data = line.removeprefix("data: ")
                    return name, json.loads(self.last_data)

    async def begin(self) -> None:
        """Waits until the answer begins: what is committed from now on is told."""
        async with asyncio.timeout(DEADLINE):
            while not self.last_id:
                line = await anext(self.lines)
                if line.startswith("id: "):
                    self.last_id = line.removeprefix("id: ")


@asynccontextmanager
async def following(live: Live, **headers: str) -> AsyncIterator[Follower]:
    async with live.client.stream("GET", "/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        follower = Follower(response.aiter_lines())
        await follower.begin()
        yield follower


@pytest.fixture
async def live(readable_store: Store, clock: SettableClock) -> AsyncIterator[Live]:
    async with recording(readable_store, clock) as (live, _):
        yield live


@pytest.fixture
def recorded(readable_store: Store) -> Recorded:
    return Recorded(readable_store)


def put_alert(store: Store, at: int) -> None:
    values = {
        "rule": "limit/daily",
        "entity": "",
        "window_start": 0,
        "state": "approaching",
        "severity": "warning",
        "version": 0,
        "announced": 0.8,
        "spoke": 1,
        "used_nano": 8,
        "limit_nano": 10,
        "unpriced": 0,
        "crossed_at": at,
        "late": False,
        "falls": 0,
        "opened_at": at,
        "updated_at": at,
    }
    with store.writing() as connection:
        connection.execute(insert(table_of(AlertTable)).values(values))


async def test_a_request_comes_as_the_list_has_it(live: Live, recorded: Recorded, clock: SettableClock) -> None:
    recorded.add([recorded.request(clock(), user_id="before")])
    async with following(live) as follower:
        recorded.add([recorded.request(clock(), user_id="al\nice")])
        name, request = await follower.next()
    answer = await live.client.get("/requests")
    (row, _) = answer.json()["data"]
    assert (name, request) == ("request", row)
    assert request["user_id"] == "al\nice"
    assert follower.last_data in answer.text  # to the letter, for those who search lines for one


async def test_goes_on_behind_the_event_that_was_read_last(
    live: Live, recorded: Recorded, clock: SettableClock
) -> None:
    async with following(live) as follower:
        recorded.add([recorded.request(clock(), user_id=user) for user in ("one", "two", "three")])
        assert (await follower.next())[1]["user_id"] == "one"
        last = follower.last_id
    recorded.add([recorded.request(clock(), user_id="four")])
    async with following(live, **{"Last-Event-ID": last}) as follower:
        assert [(await follower.next())[1]["user_id"] for _ in range(3)] == ["two", "three", "four"]


async def test_an_alert_comes_whenever_it_changes_and_only_then(
    live: Live, readable_store: Store, recorded: Recorded, clock: SettableClock
) -> None:
    alert = table_of(AlertTable)
    async with following(live) as follower:
        put_alert(readable_store, clock())
        first = await follower.next()
        with readable_store.writing() as connection:
            connection.execute(update(alert).values(state="exceeded", updated_at=clock() + SECOND))
        second = await follower.next()
        recorded.add([recorded.request(clock())])
        third = await follower.next()
    assert [(name, each["state"]) for name, each in (first, second)] == [
        ("alert", "approaching"),
        ("alert", "exceeded"),
    ]
    assert (first[1]["limit"], first[1]["deliveries"], third[0]) == ("daily", [], "request")


async def test_many_events_come_in_order_and_once(live: Live, recorded: Recorded, clock: SettableClock) -> None:
    async with following(live) as follower:
        added = recorded.add([recorded.request(clock() + number) for number in range(250)])
        told = [(await follower.next())[1]["id"] for _ in added]
    assert told == [str(id) for id in added]


async def test_all_followers_share_one_watch_and_their_reads(
    readable_store: Store, recorded: Recorded, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def counted(connection: Connection, position: Position, now: int, most: int) -> News:
        reads.append(str(position))
        return news_after(connection, position, now, most)

    monkeypatch.setattr(feed, "news_after", counted)
    monkeypatch.setattr(feed, "_SHARED_SECONDS", DEADLINE)
    async with (
        recording(readable_store, clock) as (live, _),
        following(live) as one,
        following(live) as two,
        following(live) as three,
    ):
        recorded.add([recorded.request(clock())])
        told = [await follower.next() for follower in (one, two, three)]
        positions = {follower.last_id for follower in (one, two, three)}
    assert len({json.dumps(each) for each in told}) == len(positions) == 1
    assert len(reads) < 9


async def test_a_heartbeat_comes_when_nothing_happens(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    async with following(live) as follower, asyncio.timeout(DEADLINE):
        assert ": nothing new" in [await anext(follower.lines) for _ in range(8)]


async def test_refuses_an_id_that_no_event_had(live: Live) -> None:
    answer = await live.client.get("/events", headers={"Last-Event-ID": "17"})
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["Last-Event-ID"])


async def test_only_so_many_may_follow(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spendtop.services.stores.descriptors._MOST_FOLLOWERS", 1)
    async with following(live):
        refused = await live.client.get("/events")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too_many_followers")
    assert "retry-after" in refused.headers
    await soon_answered(partial(follows, live))


async def test_so_many_who_come_at_once_are_not_more(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spendtop.services.stores.descriptors._MOST_FOLLOWERS", 3)
    begun: list[int] = []
    all_told = asyncio.Event()

    async def follow() -> None:
        async with live.client.stream("GET", "/events") as response:
            begun.append(response.status_code)
            if len(begun) == 12:
                all_told.set()
            async with asyncio.timeout(DEADLINE):
                await all_told.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(12):
            tasks.create_task(follow())
    assert sorted(begun) == [200] * 3 + [503] * 9


async def follows(live: Live) -> bool:
    """Whether one more may follow; it leaves again."""
    async with live.client.stream("GET", "/events") as response:
        assert response.status_code in (200, 503)
        return response.status_code == 200


async def is_full(live: Live) -> bool:
    return not await follows(live)


async def test_belongs_to_the_admin(readable_store: Store, clock: SettableClock) -> None:
    settings = settings_of({"api_key": "admin", "ingest_keys": {"apps": "pushes"}})
    async with recording(readable_store, clock, settings) as (live, _):
        assert (await live.client.get("/events", headers={"X-Ingest-Key": "pushes"})).status_code == 401
        async with following(live, **{"X-API-Key": "admin"}):
            pass


async def test_ends_at_once_when_the_listener_stops(live: Live) -> None:
    async with following(live) as follower:
        live.stop.set()
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(StopAsyncIteration):
                while True:
                    await anext(follower.lines)


async def test_a_client_that_reads_nothing_is_cut_off(
    readable_store: Store, recorded: Recorded, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendtop.services.stores.descriptors._MOST_FOLLOWERS", 1)
    big = {f"property-{number}": "x" * 256 for number in range(100)}
    recorded.add([recorded.request(clock(), properties=big) for _ in range(400)])
    hasty = recording(readable_store, clock, allowance=Allowance(to_send=2))
    with socket.socket() as deaf:
        async with hasty as (live, _):
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", live.port))
            deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: /0/0\r\n\r\n")
            await soon_answered(partial(is_full, live))
            await soon_answered(partial(follows, live))


async def test_nothing_is_read_while_nobody_follows(
    live: Live, recorded: Recorded, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    original = feed.Feed._store_changed

    def counted(self: feed.Feed) -> bool:
        looks.append(None)
        return original(self)

    monkeypatch.setattr(feed.Feed, "_store_changed", counted)
    async with following(live) as follower:
        recorded.add([recorded.request(clock())])
        await follower.next()
        async with asyncio.timeout(DEADLINE):
            while not looks:
                await pinged(live, 1)
    async with asyncio.timeout(DEADLINE):
        while (before := len(looks)) and (await pinged(live, 200)) and len(looks) != before:
            pass
    assert len(looks) == before


async def pinged(live: Live, times: int) -> int:
    for _ in range(times):
        await live.client.get("/ping")
    return times


async def test_a_store_that_cannot_be_read_is_said_before_the_stream(
    readable_store: Store, clock: SettableClock
) -> None:
    async with recording(readable_store, clock) as (live, _):
        with readable_store.writing() as connection:
            connection.exec_driver_sql("DROP TABLE revision")
        answer = await live.client.get("/events")
    assert isinstance(answer, httpx.Response)
    assert answer.status_code == 503
