"""How many calls into `spendtop` one alert takes, from the commit of the request that crosses to the channel's sink."""

from __future__ import annotations

import asyncio
import inspect
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

from spendtop.alerts.courier import ProcessCourier
from spendtop.alerts.outbox_loop import OutboxLoop
from spendtop.collector.active_config import ActiveConfig
from spendtop.collector.evaluator_loop import EvaluatorLoop
from spendtop.config.load import load
from spendtop.domain.money import Usd
from spendtop.domain.request import Cost, Request, TimeSource
from spendtop.domain.sources import HELICONE
from spendtop.services.lease import SoleOwner
from spendtop.services.recorder import Recorder
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from tests.benchmarks.measuring import say

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
_RESUMABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class Calls:
    """Functions of ours that were called while counting, in every thread; a coroutine that goes on is no new call."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.counting = False
        self._begun: set[FrameType] = set()

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if not self.counting or event != "call":
            return
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("spendtop.") or frame.f_code.co_name.startswith("<"):
            return
        if frame.f_code.co_flags & _RESUMABLE:
            if frame in self._begun:
                return
            self._begun.add(frame)
        self.counts[f"{module}.{frame.f_code.co_qualname}"] += 1

    def __enter__(self) -> Calls:
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *_failure: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)


def alert(folder: Path) -> Mapping[str, float]:
    """From the commit of what crosses to the sink: function to how often it ran, in the collector alone."""
    with Calls() as calls:
        asyncio.run(_one_alert(folder, calls))
    return dict(calls.counts.most_common())


async def _one_alert(folder: Path, calls: Calls) -> None:
    arrived = threading.Event()

    def arrive() -> None:
        calls.counting = False
        arrived.set()

    sink = _sink(arrive)
    file = folder / "spendtop.toml"
    file.write_text(_CONFIG.format(port=sink.server_port))
    file.chmod(0o600)
    store = Store(f"sqlite:///{folder / 'alert.db'}")
    upgrade(store)

    def clock() -> int:
        return 1_795_129_200_000_000

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
        store, recorder, SoleOwner(), lambda: active.evaluator, clock, lambda announced: outbox.wake()
    )

    def recorded(_outcomes: Sequence[Any]) -> None:
        calls.counting = True
        evaluation.wake()

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(evaluation.run(stop))
        tasks.create_task(outbox.run(stop))
        await asyncio.sleep(1)  # both loops have looked once and wait
        await asyncio.to_thread(recorder.submit, [_request(clock())], lambda outcomes: None)
        assert await asyncio.to_thread(arrived.wait, _PATIENCE), "no message arrived"
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


def _request(now: int) -> Request:
    return Request(
        source=HELICONE,
        external_id="the-one-that-crosses",
        received_at=now,
        occurred_at=now,
        time_source=TimeSource.PROVIDER,
        user_id="ann",
        cost=Cost(reported=Usd.of("2")),
    )


def main() -> None:
    """Print the calls of one alert, the most frequent first."""
    with tempfile.TemporaryDirectory() as folder:
        counts = alert(Path(folder))
    for name, count in counts.items():
        say(f"{count:4}  {name}")
    say(f"one alert to its sink: {sum(counts.values())} calls of {len(counts)} functions")


if __name__ == "__main__":
    main()
