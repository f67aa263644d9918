"""The demo's life: a month of traffic at once, then webhooks and pushes that keep coming, and a channel that only
listens."""

from __future__ import annotations

import asyncio
import hmac
import random
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from urllib.parse import urlsplit

from spendtop.collector.collector import CompanionContext
from spendtop.collector.demo.sample_ledger import billing_api, bills, keep_account
from spendtop.collector.demo.sample_traffic import (
    a_push,
    as_new,
    body_of,
    history,
    live_bodies,
    make_tokens,
    marked_pushes,
    past_pushes,
)
from spendtop.collector.supervisor import Loop, pause
from spendtop.domain.request import Parsed
from spendtop.domain.sources import INGEST
from spendtop.services.recording import Outcome
from spendtop.sources.settings import HeliconeSettings, OpenAISettings
from spendtop.store.transactions import write

_CHUNK = 250
_SHORTEST, _LONGEST = 0.15, 1.6
"""Seconds between two webhooks, and between two pushes."""
_TWICE = 10
"""Every so many pushes one comes twice."""


def sample_traffic(context: CompanionContext) -> Loop:
    """A companion loop that replays the sample month and then posts signed webhooks to our own listener."""

    async def run(stop: asyncio.Event) -> None:
        chance = random.Random()
        await _replay(context, chance)
        billed = await asyncio.to_thread(bills, context.clock())
        now = context.clock()
        await write(context.recorder, lambda connection: keep_account(connection, billed, now))
        port = urlsplit(context.settings().section(OpenAISettings).base_url).port
        with billing_api(port, billed) if port else nullcontext():
            async with asyncio.TaskGroup() as streams:
                streams.create_task(_post(context, stop))
                streams.create_task(_push(context, stop, chance))

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


async def _replay(context: CompanionContext, chance: random.Random) -> None:
    now = context.clock()
    await write(context.recorder, lambda connection: make_tokens(connection, now))
    requests = await asyncio.to_thread(list, history(now))
    for chunk in _chunks(requests):
        await _record(context, chunk)
    pushed = list(past_pushes(now, chance))
    await _record(context, pushed)
    await _record(context, pushed[::_TWICE])
    await _record(context, list(marked_pushes(now, chance)))


async def _push(context: CompanionContext, stop: asyncio.Event, chance: random.Random) -> None:
    """What applications tell themselves, each with its token; now and then one of them tells it twice."""
    import httpx

    keys = context.settings().server.ingest_keys.values()
    headers = {"X-Ingest-Key": next((key.get_secret_value() for key in keys), "")}
    async with httpx.AsyncClient(base_url=context.url, trust_env=False, headers=headers) as client:
        while not stop.is_set():
            pushed = a_push(context.clock(), chance)
            for _ in range(1 + (chance.randrange(_TWICE) == 0)):
                if pushed.source is not INGEST:
                    await _record(context, [pushed])
                    continue
                with suppress(httpx.HTTPError):  # the listener ends first
                    await client.post("/ingest", content=body_of(pushed))
            await pause(stop, chance.uniform(_SHORTEST, _LONGEST))


def _chunks(requests: Sequence[Parsed]) -> Iterator[Sequence[Parsed]]:
    rest = iter(requests)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


async def _record(context: CompanionContext, events: Sequence[Parsed]) -> None:
    loop = asyncio.get_running_loop()
    recorded: asyncio.Future[Sequence[Outcome] | Exception] = loop.create_future()

    def done(outcome: Sequence[Outcome] | Exception) -> None:
        loop.call_soon_threadsafe(recorded.set_result, outcome)

    await asyncio.to_thread(context.recorder.submit, events, done)
    outcome = await recorded
    if isinstance(outcome, Exception):
        raise outcome


async def _post(context: CompanionContext, stop: asyncio.Event) -> None:
    import httpx

    secret = context.settings().section(HeliconeSettings).webhook_secrets[0].get_secret_value().encode()
    rhythm = random.Random()
    async with httpx.AsyncClient(base_url=context.url, trust_env=False) as client:
        for template in cycle(live_bodies()):
            await pause(stop, rhythm.uniform(_SHORTEST, _LONGEST))
            if stop.is_set():
                return
            body = as_new(template, str(uuid.uuid4()), context.clock())
            signature = hmac.new(secret, body, sha256).hexdigest()
            headers = {"Content-Type": "application/json", "Helicone-Signature": signature}
            with suppress(httpx.HTTPError):  # the listener ends first
                await client.post("/webhook", content=body, headers=headers)
