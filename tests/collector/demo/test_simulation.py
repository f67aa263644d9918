"""The demo's store is full before anyone looks, and then requests keep coming in their time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from spendtop.collector.demo import simulation
from spendtop.collector.demo.sample_month import full_hour
from spendtop.collector.demo.sample_stream import Arrival, arrivals
from spendtop.collector.setup import CompanionContext
from spendtop.domain.clock import DAY, MINUTE
from spendtop.store.engine import Store
from tests.alerts.sinks import free_port
from tests.api.listening import listening
from tests.collector.conftest import Bench
from tests.waiting import DEADLINE, soon


def rooms_of(bench: Bench, url: str) -> CompanionContext:
    return CompanionContext(
        bench.store, bench.recorder, url, bench.clock, lambda: bench.active.settings, lambda sentence: None
    )


def test_the_store_is_full_up_to_now_before_it_is_shown(bench: Bench, tmp_path: Path) -> None:
    now = bench.clock() + 40 * MINUTE
    store, shares = Store(f"sqlite:///{tmp_path / 'demo.db'}"), list[float]()
    simulation.fill(store, bench.load().settings, now, shares.append)
    with store.reading() as connection:
        oldest, newest = connection.exec_driver_sql("SELECT min(occurred_at), max(occurred_at) FROM request").one()
    store.close()
    assert oldest < now - 29 * DAY
    assert now - 2 * MINUTE < newest <= now
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0.0, 1.0)


async def test_what_comes_arrives_in_its_time_on_its_way_and_is_confirmed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "_CONFIRMED_EVERY", 0.01)
    bench.start()
    coming = [each for each, _ in zip(arrivals(full_hour(bench.clock())), range(30), strict=False)]
    now_coming = [Arrival(bench.clock(), each.request, each.webhook) for each in coming]
    monkeypatch.setattr(
        simulation, "arrivals", lambda since: iter([each._replace(at=each.at + 1) for each in now_coming])
    )
    stop = asyncio.Event()
    async with (
        listening(bench.store, bench.clock, bench.recorder, bench.active.settings) as live,
        asyncio.TaskGroup() as tasks,
    ):
        traffic = simulation.sample_traffic(rooms_of(bench, f"http://127.0.0.1:{live.port}"))
        tasks.create_task(asyncio.wait_for(traffic(stop), DEADLINE))
        told = sum(each.webhook is not None for each in coming)
        await soon(lambda: bench.rows("SELECT count(*) FROM request WHERE verified")[0][0] == told)
        stop.set()
    sources = {row[0] for row in bench.rows("SELECT DISTINCT sources FROM request")}
    assert "helicone-api,helicone" in sources


async def test_it_goes_on_when_the_listener_is_gone(bench: Bench) -> None:
    bench.start()
    stop = asyncio.Event()
    traffic = asyncio.ensure_future(simulation.sample_traffic(rooms_of(bench, f"http://127.0.0.1:{free_port()}"))(stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(traffic, DEADLINE)


def test_the_silent_channel_takes_every_message_until_its_end() -> None:
    port = free_port()
    with simulation.silent_channel(port):
        for _ in range(2):
            answer = httpx.post(f"http://127.0.0.1:{port}/", json={"title": "a"}, trust_env=False, timeout=DEADLINE)
            assert answer.status_code == 204
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"http://127.0.0.1:{port}/", trust_env=False, timeout=DEADLINE)
