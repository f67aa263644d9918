"""How many calls into `spendtop` one alert takes, from the commit of the request that crosses to the channel's sink."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from spendtop.alerts.courier import ProcessCourier
from spendtop.alerts.outbox_loop import OutboxLoop
from spendtop.collector.active_config import ActiveConfig
from spendtop.collector.evaluator_loop import EvaluatorLoop
from spendtop.config.load import load
from spendtop.domain.clock import DAY
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Request, TimeSource
from spendtop.domain.sources.records import HELICONE
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.services.stores.lease import SoleOwner
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from tests.benchmarks.counting import Calls, Counting
from tests.conftest import SettableClock

_PATIENCE = 30.0
_CONFIG = """
[time]
zone = "UTC"
[[limit]]
name = "daily"
window = "day"
usd = 1
warn = []
[[channel]]
name = "ops"
url = "json://127.0.0.1:{port}/"
"""


def alert(folder: Path) -> Calls:
    """From the commit of what crosses to the sink, in the collector alone; its statements were compiled by another."""
    counter = Counting()
    with counter.installed():
        asyncio.run(_one_alert(folder, counter))
    return counter.per_time(1)


async def _one_alert(folder: Path, counter: Counting) -> None:
    arrived = threading.Semaphore(0)

    def arrive() -> None:
        counter.is_on = False
        arrived.release()

    sink = _sink(arrive)
    file = folder / "spendtop.toml"
    file.write_text(_CONFIG.format(port=sink.server_port))
    file.chmod(0o600)
    store = Store(f"sqlite:///{folder / 'alert.db'}")
    upgrade(store)

    clock = SettableClock(1_795_129_200_000_000)
    active = ActiveConfig(load(file, sections=SECTIONS, environ={}), clock)
    recorder = Recorder(store, active.preparer, active.book, 0, lambda outcomes: recorded(outcomes))
    recorder.start()
    outbox = OutboxLoop(
        store=store,
        writes=recorder,
        channels=lambda: active.channel_urls,
        courier=ProcessCourier(),
        clock=clock,
    )
    evaluation = EvaluatorLoop(
        store, recorder, SoleOwner(), lambda: active.evaluator, clock, lambda announced: outbox.wake(), 2 * _PATIENCE
    )

    def recorded(outcomes: Sequence[Outcome]) -> None:
        counter.is_on = any(each.request is not None and each.request.user_id == "bob" for each in outcomes)
        evaluation.wake()

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(evaluation.run(stop))
        tasks.create_task(outbox.run(stop))
        await asyncio.sleep(1)  # both loops have looked once and wait
        for user in ("ann", "bob"):
            clock.now += DAY  # the next window
            recorder.submit([_request(user, clock())], lambda outcomes: None)
            assert await asyncio.to_thread(arrived.acquire, timeout=_PATIENCE), "no message arrived"
            await asyncio.sleep(1)
        stop.set()
    recorder.stop()
    store.close()
    sink.shutdown()
    sink.server_close()


def _sink(on_arrival: Callable[[], None]) -> HTTPServer:
    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            on_arrival()
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _request(user: str, now: int) -> Request:
    return Request(
        source=HELICONE,
        external_id=f"the one of {user} that crosses",
        received_at=now,
        occurred_at=now,
        time_source=TimeSource.PROVIDER,
        user_id=user,
        cost=Cost(reported=Usd.of("2")),
    )
