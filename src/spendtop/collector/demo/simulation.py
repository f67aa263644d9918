"""The demo's life: a store that a month of traffic is in, then what keeps coming, and a channel that only listens."""

from __future__ import annotations

import asyncio
import hmac
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from heapq import merge
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from urllib.parse import urlsplit

from spendtop.collector import from_settings
from spendtop.collector.demo.runaway import runaways
from spendtop.collector.demo.sample_ledger import billing_api, bills, keep_account
from spendtop.collector.demo.sample_month import full_hour
from spendtop.collector.demo.sample_stream import Arrival, arrivals
from spendtop.collector.demo.sample_traffic import body_of, make_tokens, marked_pushes
from spendtop.collector.setup import CompanionContext
from spendtop.collector.supervisor import Loop, pause
from spendtop.config.settings import Settings
from spendtop.domain.clock import SECOND
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import INGEST
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.sources.settings import HeliconeSettings, OpenAISettings
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade

_CONFIRMED_EVERY = 20.0
"""Seconds between two looks at what webhooks told: then sessions, paths and statuses become known."""
_ENDS_WITHIN = 60.0


def fill(store: Store, settings: Settings, now: int, done: Callable[[float], object]) -> None:
    """Add to the unpacked month what happened since, until `now` (UTC µs). `done` is told the share, up to 1."""
    done(0.5)
    upgrade(store)
    prices = PublishedPrices()
    prices.load()
    done(0.7)
    book = from_settings.book_of(settings, prices, now)
    recorder = Recorder(store, from_settings.preparer_of(settings, prices), book)
    recorder.start()
    happened = [arrival.request for arrival in takewhile(lambda each: each.at <= now, arrivals(full_hour(now)))]
    recorder.run(lambda connection: make_tokens(connection, now)).result()
    _recorded(recorder, [*happened, *marked_pushes(now, random.Random(now))])
    done(0.9)
    with store.reading() as connection:
        billed = bills(connection, now)
    recorder.run(lambda connection: keep_account(connection, billed, now)).result()
    recorder.stop(_ENDS_WITHIN)
    done(1.0)


def sample_traffic(context: CompanionContext) -> Loop:
    """A companion loop that posts signed webhooks and pushes to our own listener, from now on."""

    async def run(stop: asyncio.Event) -> None:
        started = context.clock()
        usual = (arrival for arrival in arrivals(full_hour(started)) if arrival.at > started)
        coming = merge(usual, runaways(started), key=lambda arrival: arrival.at)
        unconfirmed: deque[Request] = deque()
        port = urlsplit(context.settings().section(OpenAISettings).base_url).port
        with billing_api(port, context.store, context.clock) if port else nullcontext():
            async with asyncio.TaskGroup() as streams:
                streams.create_task(_arrive(context, coming, unconfirmed, stop))
                streams.create_task(_confirm(context, unconfirmed, stop))

    return run


@contextmanager
def silent_channel(port: int) -> Iterator[None]:
    """Takes the demo's messages, so that nobody is bothered and deliveries succeed, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Silent)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="silent channel", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Silent(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


async def _arrive(
    context: CompanionContext, coming: Iterable[Arrival], unconfirmed: deque[Request], stop: asyncio.Event
) -> None:
    """Each request in its time and on its way."""
    import httpx

    settings = context.settings()
    secret = settings.section(HeliconeSettings).webhook_secrets[0].get_secret_value().encode()
    key = next((key.get_secret_value() for key in settings.server.ingest_keys.values()), "")
    async with httpx.AsyncClient(base_url=context.url, trust_env=False) as client:
        for arrival in coming:
            await pause(stop, max(0, arrival.at - context.clock()) / SECOND)
            if stop.is_set():
                return
            with suppress(httpx.HTTPError):  # the listener ends first
                if arrival.webhook is not None:
                    signature = hmac.new(secret, arrival.webhook, sha256).hexdigest()
                    headers = {"Content-Type": "application/json", "Helicone-Signature": signature}
                    await client.post("/webhook", content=arrival.webhook, headers=headers)
                    unconfirmed.append(arrival.request)
                elif arrival.request.source is INGEST:
                    await client.post("/ingest", content=body_of(arrival.request), headers={"X-Ingest-Key": key})
                else:
                    await asyncio.to_thread(_recorded, context.recorder, [arrival.request])


async def _confirm(context: CompanionContext, unconfirmed: deque[Request], stop: asyncio.Event) -> None:
    """What Helicone's API would tell later."""
    while not stop.is_set():
        await pause(stop, _CONFIRMED_EVERY)
        told = [unconfirmed.popleft() for _ in range(len(unconfirmed))]
        if told and not stop.is_set():
            await asyncio.to_thread(_recorded, context.recorder, told)


def _recorded(recorder: Recorder, requests: Sequence[Request]) -> None:
    """Record, and wait for the commit."""
    outcomes: Future[Sequence[Outcome] | Exception] = Future()
    recorder.submit(requests, outcomes.set_result)
    outcome = outcomes.result()
    if isinstance(outcome, Exception):
        raise outcome
