from __future__ import annotations

import asyncio

import httpx
import pytest

from spendtop.collector.collector import CompanionContext
from spendtop.collector.demo import simulation
from spendtop.collector.demo.sample_traffic import history
from spendtop.domain.clock import DAY
from spendtop.domain.request import Request
from spendtop.domain.sources import HELICONE
from tests.alerts.sinks import free_port
from tests.api.listening import listening
from tests.collector.conftest import Bench
from tests.waiting import DEADLINE, soon


def rooms_of(bench: Bench, url: str) -> CompanionContext:
    return CompanionContext(
        bench.store, bench.recorder, url, bench.clock, lambda: bench.active.settings, lambda sentence: None
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "_SHORTEST", 0.01)
    monkeypatch.setattr(simulation, "_LONGEST", 0.02)


async def test_a_month_is_there_at_once_and_webhooks_keep_coming(bench: Bench, quick: None) -> None:
    bench.start()
    stop = asyncio.Event()
    replayed = len(list(history(bench.clock())))
    async with (
        listening(bench.store, bench.clock, bench.recorder, bench.active.settings) as live,
        asyncio.TaskGroup() as tasks,
    ):
        traffic = simulation.sample_traffic(rooms_of(bench, f"http://127.0.0.1:{live.port}"))
        tasks.create_task(asyncio.wait_for(traffic(stop), DEADLINE))
        await soon(lambda: len(webhooks(bench, replayed)) >= 3)
        stop.set()
    oldest, newest = bench.rows("SELECT MIN(occurred_at), MAX(occurred_at) FROM request")[0]
    assert bench.clock() - oldest > 25 * DAY
    assert newest <= bench.clock()


def webhooks(bench: Bench, replayed: int) -> list[Request]:
    """Those that came after the month, at this moment."""
    found = [outcome.request for outcome in bench.outcomes[replayed:] if outcome.request is not None]
    return [each for each in found if each.source is HELICONE and each.received_at == bench.clock()]


async def test_it_goes_on_when_the_listener_is_gone(bench: Bench, quick: None) -> None:
    bench.start()
    stop = asyncio.Event()
    traffic = asyncio.ensure_future(simulation.sample_traffic(rooms_of(bench, f"http://127.0.0.1:{free_port()}"))(stop))
    await soon(lambda: bench.outcomes)
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
