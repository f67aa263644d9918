"""The outbox's loop: claims what is due, delivers it, records the result, and sleeps until the next is due.

The rules, what is due and what becomes of a delivery, are in `services.alerting.outbox`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from spendtop.alerts.backoff import Timing, next_try
from spendtop.alerts.channels import ChannelLane, ChannelStatus
from spendtop.alerts.courier import Courier, delivery_job
from spendtop.alerts.delivery_process import DeliveryOutcome, DeliveryResult
from spendtop.alerts.message_text import Dispatch
from spendtop.domain.alerting.episode import Message
from spendtop.domain.clock import SECOND, Clock
from spendtop.domain.errors import SpendtopError
from spendtop.services.alerting import fallbacks as undelivered
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.fallbacks import Fallbacks
from spendtop.services.alerting.outbox import Attempt, Claimed
from spendtop.services.stores.descriptors import descriptors
from spendtop.services.stores.lease import LostLease
from spendtop.store.engine import Store
from spendtop.store.transactions import WriteQueue, read, write

_log = logging.getLogger(__name__)
T = TypeVar("T")


class OutboxLoop:
    """Delivers what the outbox holds: at most four messages at once, one per channel, channels in turn.

    `channels` gives the URL of each configured channel by name and is asked anew each time, as are the `fallbacks`, and
    `sender`, what the machine is called in messages.
    """

    def __init__(
        self,
        *,
        store: Store,
        writes: WriteQueue,
        channels: Callable[[], Mapping[str, str]],
        courier: Courier,
        clock: Clock,
        sender: Callable[[], str] = socket.gethostname,
        fallbacks: Callable[[], Fallbacks] = Fallbacks,
        timing: Timing | None = None,
        spread: Callable[[], float] = lambda: random.uniform(0.8, 1.2),
    ) -> None:
        self._store = store
        self._writes = writes
        self._channels = channels
        self._courier = courier
        self._clock = clock
        self._sender = sender
        self._fallbacks = fallbacks
        self._timing = timing or Timing()
        self._spread = spread
        self._lanes: dict[str, ChannelLane] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._said = ""
        self._places = asyncio.Semaphore(descriptors().deliveries)
        self.sent = 0
        """How many messages were delivered."""
        self.dead = 0
        """How many messages no channel took."""

    def wake(self) -> None:
        """Look at the outbox now. May be called from any thread, also before and after `run`."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._news.set)

    def status(self) -> list[ChannelStatus]:
        return [self._lane(name, url).status() for name, url in self._channels().items()]

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; what is being sent then gets a few seconds, and else is sent again later."""
        self._loop = asyncio.get_running_loop()
        running: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(self._wake_at(stop))
            while not stop.is_set():
                self._news.clear()
                due, next_at = await self._look()
                for lane in due:
                    lane.busy = True
                    task = group.create_task(self._serve(lane, stop))
                    running.add(task)
                    task.add_done_callback(running.discard)
                await self._sleep_until(next_at)
            stopping.cancel()
            if running:
                await asyncio.wait(running, timeout=self._timing.stop_grace)
            for task in running:
                task.cancel()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()

    async def _sleep_until(self, instant: int | None) -> None:
        latest = self._clock() + self._timing.look_every
        seconds = max(0, min(instant or latest, latest) - self._clock()) / SECOND
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _look(self) -> tuple[list[ChannelLane], int | None]:
        """The free channels with something to send, and when the next of the others has (UTC µs)."""
        try:
            agenda, self.dead = await read(self._store, lambda tx: (outbox_rules.agenda(tx), outbox_rules.dead(tx)))
            urls = self._channels()
            for due in agenda:
                if due.channel not in urls:
                    await self._give_up(due.channel, "the channel is no longer configured", self._clock() + 1)
        except SpendtopError as failure:
            self._say_once(f"the outbox cannot be read: {failure}")
            return [], self._clock() + self._timing.store_retry
        except LostLease:
            return [], self._clock() + self._timing.store_retry
        except Exception:
            _log.exception("the outbox cannot be read")
            return [], self._clock() + self._timing.store_retry
        lanes = {due.channel: self._lane(due.channel, urls[due.channel]) for due in agenda if due.channel in urls}
        opening = [
            (lanes[due.channel].opens_at(due.at) if due.channel in lanes else due.at, due.channel)
            for due in agenda
            if due.channel not in lanes or not lanes[due.channel].busy
        ]
        now = self._clock()
        free = [lanes[channel] for at, channel in opening if at <= now and channel in lanes]
        return free, min((at for at, _ in opening if at > now), default=None)

    def _lane(self, name: str, url: str) -> ChannelLane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = ChannelLane(name, url, self._timing)
        lane.point_to(url)
        return lane

    async def _serve(self, lane: ChannelLane, stop: asyncio.Event) -> None:
        """Send the channel's oldest due message."""
        try:
            async with self._places:
                now = self._clock()
                lease_until = now + self._timing.lease
                claimed = None
                if not stop.is_set():
                    claimed = await write(
                        self._writes, lambda tx: outbox_rules.claim(tx, lane.name, now=now, lease_until=lease_until)
                    )
                if claimed is not None:
                    self._said = ""
                    await self._send(lane, claimed)
        except SpendtopError as failure:
            lane.rest(self._clock() + self._timing.store_retry)
            self._say_once(f"a delivery to channel {lane.name} could not be recorded: {failure}")
        except LostLease:
            lane.rest(self._clock() + self._timing.store_retry)
        except Exception:
            lane.rest(self._clock() + self._timing.store_retry)
            _log.exception("a delivery to channel %s could not be recorded", lane.name)
        finally:
            lane.busy = False
            self._news.set()

    def _say_once(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            _log.error("%s", sentence)

    async def _send(self, lane: ChannelLane, claimed: Claimed) -> None:
        result = await self._deliver(lane.url, claimed)
        now = self._clock()
        was_failing = lane.failing
        lane.record(result, now)
        retry_at = next_try(
            self._timing,
            result,
            attempts=claimed.attempts,
            created_at=claimed.created_at,
            now=now,
            spread=self._spread(),
        )
        attempt = Attempt(at=now, outcome=result.outcome, detail=result.detail, elapsed_ms=result.elapsed_ms)
        await self._record(claimed, attempt, retry_at)
        _log.debug(
            "message %s to channel %s: try %d, %s in %d ms",
            *(claimed.ref, lane.name, claimed.attempts, result.outcome, result.elapsed_ms),
        )
        if result.outcome is DeliveryOutcome.SENT:
            self.sent += 1
            if was_failing:
                await write(self._writes, lambda tx: outbox_rules.make_due(tx, lane.name, now))
            return
        _log.warning("channel %s: %s (%s)", lane.name, result.detail, result.outcome)
        if lane.failing:
            await self._give_up(lane.name, result.detail, now - self._timing.give_up_after)

    async def _deliver(self, url: str, claimed: Claimed) -> DeliveryResult:
        try:
            job = delivery_job(
                url,
                msgspec.json.decode(claimed.payload, type=Message),
                Dispatch(sender=self._sender(), ref=claimed.ref, attempt=claimed.attempts),
                severity=claimed.severity,
                deadline=self._timing.deadline,
            )
        except Exception:
            _log.exception("the message %s cannot be rendered", claimed.ref)
            return DeliveryResult(outcome=DeliveryOutcome.MISCONFIGURED, detail="the stored message cannot be rendered")
        return await self._courier.deliver(job)

    async def _record(self, claimed: Claimed, attempt: Attempt, retry_at: int | None) -> None:
        """Commit the result, and while the store refuses it, again for as long as the delivery is ours."""

        def finish(connection: Connection) -> None:
            outbox_rules.finish(connection, claimed, attempt, retry_at)
            if retry_at is None:
                undelivered.tell(connection, [claimed.id], self._fallbacks(), attempt.at)

        while True:
            try:
                await write(self._writes, finish)
                return
            except Exception:
                if self._clock() >= claimed.lease_until:
                    raise
                await asyncio.sleep(self._timing.store_retry / SECOND)

    async def _give_up(self, channel: str, reason: str, created_before: int) -> None:
        now = self._clock()

        def give_up(connection: Connection) -> None:
            dead = outbox_rules.give_up(connection, channel, reason, created_before=created_before, now=now)
            undelivered.tell(connection, dead, self._fallbacks(), now)

        await write(self._writes, give_up)
