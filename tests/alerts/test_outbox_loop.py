"""The outbox's loop over a real store; couriers are scripted where the network is not the point."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, update

from spendtop.alerts.backoff import Timing
from spendtop.alerts.channels import ChannelState
from spendtop.alerts.courier import Courier, ProcessCourier
from spendtop.alerts.delivery_process import DeliveryJob, DeliveryOutcome, DeliveryResult
from spendtop.alerts.outbox_loop import OutboxLoop
from spendtop.domain.alerting.episode import MessageKind
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.errors import CannotWrite
from spendtop.services.alerting import outbox as service
from spendtop.services.alerting.fallbacks import Fallbacks
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryTable
from spendtop.store.writer import Writer
from tests.alerts.sinks import HttpSink
from tests.alerts.stores import QUICK, attempts, deliveries, opened, queue, states
from tests.waiting import DEADLINE

T = TypeVar("T")
SENT = DeliveryResult(outcome=DeliveryOutcome.SENT)
FAILED = DeliveryResult(outcome=DeliveryOutcome.TRANSIENT, detail="HTTP 500")
REFUSED = DeliveryResult(outcome=DeliveryOutcome.PERMANENT, detail="HTTP 404")
BROKEN = DeliveryResult(outcome=DeliveryOutcome.MISCONFIGURED, detail="not understood")


def clock() -> int:
    return time.time_ns() // 1000


class ScriptedCourier:
    """Answers by channel: its results in turn, the last one for ever; `hold` keeps the named channels waiting."""

    def __init__(self, **results: list[DeliveryResult]) -> None:
        self.results = defaultdict(lambda: [SENT], results)
        self.jobs: dict[str, list[DeliveryJob]] = defaultdict(list)
        self.held: dict[str, asyncio.Event] = {}
        self.now: set[str] = set()
        self.most_at_once = 0
        self.news = asyncio.Event()

    def hold(self, channel: str) -> asyncio.Event:
        return self.held.setdefault(channel, asyncio.Event())

    async def deliver(self, job: DeliveryJob) -> DeliveryResult:
        channel = job.url.partition("://")[2].partition("?")[0]
        assert channel not in self.now, "two messages at once for one channel"
        self.now.add(channel)
        self.most_at_once = max(self.most_at_once, len(self.now))
        self.jobs[channel].append(job)
        self.news.set()
        try:
            if channel in self.held:
                await self.held[channel].wait()
            await asyncio.sleep(0)
            results = self.results[channel]
            return results.pop(0) if len(results) > 1 else results[0]
        finally:
            self.now.discard(channel)

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not enough():
                self.news.clear()
                await self.news.wait()


class WatchedWriter:
    """The real writer; tells a test after each transaction. Refuses as many as `refusals` says."""

    def __init__(self, writer: Writer[None, None]) -> None:
        self._writer = writer
        self._news = asyncio.Event()
        self.refusals = 0
        self.transactions = 0

    def run(self, work: Callable[[Connection], T]) -> Future[T]:
        self.transactions += 1
        loop = asyncio.get_running_loop()
        if self.refusals:
            self.refusals -= 1
            refused: Future[T] = Future()
            refused.set_exception(CannotWrite("The disk is full."))
            return refused
        future = self._writer.run(work)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._news.set))
        return future

    async def until(self, settled: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not settled():
                self._news.clear()
                await self._news.wait()


class Bench:
    """An outbox with its store."""

    def __init__(self, store: Store, writer: Writer[None, None]) -> None:
        self.store = store
        self.writer = WatchedWriter(writer)
        self.urls: dict[str, str] = {}
        self.fallbacks = Fallbacks()

    def outbox(self, courier: Courier, timing: Timing = QUICK, **urls: str) -> OutboxLoop:
        self.urls |= urls
        return OutboxLoop(
            store=self.store,
            writes=self.writer,
            channels=lambda: self.urls,
            courier=courier,
            clock=clock,
            timing=timing,
            spread=lambda: 1.0,
            fallbacks=lambda: self.fallbacks,
        )

    def queue(self, *channels: str, alert_id: int = 1, kind: MessageKind = MessageKind.EXCEEDED, age: int = 0) -> None:
        queue(self.store, *channels, alert_id=alert_id, kind=kind, now=clock() - age)
        self.urls = {channel: f"json://{channel}" for channel in channels} | self.urls

    async def settled(self, *expected: str) -> None:
        await self.writer.until(lambda: states(self.store) == list(expected))


@asynccontextmanager
async def running(outbox: OutboxLoop) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(outbox.run(stop))
        yield
        stop.set()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with opened(tmp_path / "store.db") as (store, writer):
        yield Bench(store, writer)


async def test_two_failures_are_followed_by_one_delivery(bench: Bench, web: HttpSink) -> None:
    bench.queue("ops")
    async with running(bench.outbox(ProcessCourier(), ops=web.url("/500-500-200"))):
        await bench.settled("sent")
    assert [row.outcome for row in attempts(bench.store)] == ["transient", "transient", "sent"]
    refs = [body["message"].splitlines()[-1] for _, body in web.arrivals.all]
    ref = deliveries(bench.store)[0].ref[:8]
    assert refs == [f"[ref {ref}·{attempt}]" for attempt in (1, 2, 3)]


async def test_a_dead_channel_does_not_touch_the_others(bench: Bench) -> None:
    courier = ScriptedCourier(a=[FAILED], c=[FAILED, FAILED, SENT])
    bench.queue("a", "b", "c")
    outbox = bench.outbox(courier, replace(QUICK, probe_every=HOUR))
    async with running(outbox):
        await bench.settled("pending", "sent", "sent")
        await bench.writer.until(lambda: outbox.status()[0].state is ChannelState.FAILING)
    assert {channel: len(jobs) for channel, jobs in courier.jobs.items()} == {"a": 5, "b": 1, "c": 3}
    failing = outbox.status()[0]
    assert (failing.name, failing.schema, failing.last_error) == ("a", "json", "HTTP 500")


async def test_a_refusal_is_tried_three_times(bench: Bench) -> None:
    courier = ScriptedCourier(a=[REFUSED])
    bench.queue("a")
    async with running(bench.outbox(courier)):
        await bench.settled("dead")
    assert len(courier.jobs["a"]) == 3
    assert deliveries(bench.store)[0].last_error == "HTTP 404"


async def test_a_misconfigured_channel_is_tried_once(bench: Bench) -> None:
    courier = ScriptedCourier(a=[BROKEN])
    bench.queue("a")
    outbox = bench.outbox(courier)
    async with running(outbox):
        await bench.settled("dead")
    assert len(courier.jobs["a"]) == 1
    assert outbox.status()[0].state is ChannelState.MISCONFIGURED


async def test_another_channel_is_told_of_what_one_does_not_take_for_good(bench: Bench) -> None:
    courier = ScriptedCourier(a=[BROKEN])
    bench.queue("a", "b")
    bench.fallbacks = Fallbacks("b")
    outbox = bench.outbox(courier)
    async with running(outbox):
        await bench.settled("dead", "sent", "sent")
        await courier.until(lambda: len(courier.jobs["b"]) == 2)
    said = next(job for job in courier.jobs["b"] if "undelivered" in job.title)
    assert said.title == "undelivered: channel a: exceeded: daily <$0.000001 of <$0.000001"
    assert "Channel a did not take this message: not understood." in said.body
    assert "json://" not in said.body
    assert outbox.dead == 1


async def test_two_channels_that_stand_in_for_each_other_do_not_go_round(bench: Bench) -> None:
    courier = ScriptedCourier(a=[BROKEN], b=[BROKEN])
    bench.queue("a")
    bench.fallbacks = Fallbacks("b", {"channel/b": "a"})
    async with running(bench.outbox(courier, b="json://b")):
        await bench.settled("dead", "dead")
    assert (len(courier.jobs["a"]), len(courier.jobs["b"])) == (1, 1)


async def test_passing_failures_are_given_up_after_a_day(bench: Bench) -> None:
    bench.queue("a", age=DAY)
    async with running(bench.outbox(ScriptedCourier(a=[FAILED]))):
        await bench.settled("dead")
    assert len(attempts(bench.store)) == 1


async def test_a_failing_channel_gives_up_everything_that_is_a_day_old(bench: Bench) -> None:
    for alert in range(1, 4):
        bench.queue("a", alert_id=alert, age=DAY + HOUR)
    bench.queue("a", alert_id=9)
    timing = replace(QUICK, failures_until_failing=1, probe_every=HOUR)
    async with running(bench.outbox(ScriptedCourier(a=[FAILED]), timing)):
        await bench.settled("dead", "dead", "dead", "pending")
    assert len(attempts(bench.store)) == 1


async def test_a_failing_channel_is_probed_and_then_gets_all_that_waited(bench: Bench) -> None:
    courier = ScriptedCourier(a=[FAILED, FAILED, SENT])
    for alert in range(1, 4):
        bench.queue("a", alert_id=alert)
    timing = replace(QUICK, transient=(HOUR,), failures_until_failing=2, probe_every=1000)
    outbox = bench.outbox(courier, timing)
    async with running(outbox):
        await bench.settled("sent", "sent", "sent")
    assert outbox.status()[0].state is ChannelState.OK
    assert len(courier.jobs["a"]) == 5


async def test_four_messages_at_once_and_one_per_channel(bench: Bench) -> None:
    courier = ScriptedCourier()
    channels = [f"c{number}" for number in range(8)]
    gates = [courier.hold(channel) for channel in channels]
    for alert in (1, 2):
        bench.queue(*channels, alert_id=alert)
    async with running(bench.outbox(courier)):
        await courier.until(lambda: len(courier.now) == 4)
        in_turn = bench.writer.run(lambda _connection: None)
        await asyncio.wrap_future(in_turn)
        assert states(bench.store).count("sending") == 4
        for gate in gates:
            gate.set()
        await bench.settled(*["sent"] * 16)
    assert courier.most_at_once == 4


async def test_slow_channels_with_much_to_say_leave_room_for_others(bench: Bench) -> None:
    courier = ScriptedCourier()
    slow = ["s1", "s2", "s3", "s4"]
    for alert in range(1, 11):
        bench.queue(*slow, alert_id=alert)
    bench.queue("quick", alert_id=99)
    gates = {channel: courier.hold(channel) for channel in slow}
    async with running(bench.outbox(courier)):
        await courier.until(lambda: len(courier.now) == 4)
        gates["s1"].set()
        await courier.until(lambda: "quick" in courier.jobs)
        assert len(courier.jobs["s2"]) == 1
        for gate in gates.values():
            gate.set()


async def test_a_channel_that_is_gone_from_the_configuration_makes_its_messages_dead(bench: Bench) -> None:
    bench.queue("gone", "kept")
    del bench.urls["gone"]
    bench.fallbacks = Fallbacks("kept")
    async with running(bench.outbox(ScriptedCourier())):
        await bench.settled("dead", "sent", "sent")
    assert deliveries(bench.store)[0].last_error == "the channel is no longer configured"


async def test_what_was_being_sent_in_a_crash_is_sent_again_when_its_lease_ends(bench: Bench) -> None:
    bench.queue("a")
    now = clock()
    with bench.store.writing() as connection:
        assert service.claim(connection, "a", now=now, lease_until=now + 200_000)
    courier = ScriptedCourier()
    async with running(bench.outbox(courier)):
        await bench.settled("sent")
    assert clock() >= now + 200_000
    assert "·2]" in courier.jobs["a"][0].body


async def test_stopping_while_a_message_is_sent_ends_soon_and_leaves_it_to_the_next_start(bench: Bench) -> None:
    courier = ScriptedCourier()
    courier.hold("a")
    bench.queue("a", "b")
    async with asyncio.timeout(DEADLINE), running(bench.outbox(courier, replace(QUICK, lease=1000, stop_grace=0.1))):
        await courier.until(lambda: bool(courier.jobs["a"]))
        await bench.settled("sending", "sent")
    again = ScriptedCourier()
    async with running(bench.outbox(again)):
        await bench.settled("sent", "sent")
    assert (len(again.jobs["a"]), len(again.jobs["b"])) == (1, 0)


async def test_a_later_state_is_sent_instead_of_an_earlier_one_that_failed_meanwhile(bench: Bench) -> None:
    courier = ScriptedCourier(a=[FAILED, SENT])
    gate = courier.hold("a")
    bench.queue("a", kind=MessageKind.APPROACHING)
    outbox = bench.outbox(courier)
    async with running(outbox):
        await courier.until(lambda: bool(courier.jobs["a"]))
        bench.queue("a", kind=MessageKind.EXCEEDED)
        outbox.wake()
        gate.set()
        await bench.settled("superseded", "sent")
    assert [job.title.split(":")[0] for job in courier.jobs["a"]] == ["approaching", "exceeded"]


async def test_a_result_is_recorded_when_the_store_is_writable_again(bench: Bench) -> None:
    courier = ScriptedCourier()
    gate = courier.hold("a")
    bench.queue("a")
    async with running(bench.outbox(courier)):
        await courier.until(lambda: bool(courier.jobs["a"]))
        bench.writer.refusals = 3
        gate.set()
        await bench.settled("sent")
    assert bench.writer.refusals == 0
    assert len(courier.jobs["a"]) == 1


async def test_a_store_that_refuses_a_claim_is_asked_again(bench: Bench) -> None:
    bench.queue("a")
    bench.writer.refusals = 2
    async with running(bench.outbox(ScriptedCourier())):
        await bench.settled("sent")


async def test_a_message_that_cannot_be_rendered_is_dead_at_once(bench: Bench) -> None:
    bench.queue("a", "b")
    with bench.store.writing() as connection:
        table = table_of(DeliveryTable)
        connection.execute(update(table).where(table.c.channel == "a").values(payload='{"kind": "?"}'))
    async with running(bench.outbox(ScriptedCourier())):
        await bench.settled("dead", "sent")


async def test_a_waking_from_another_thread_is_enough(bench: Bench) -> None:
    outbox = bench.outbox(ScriptedCourier(), a="json://a")
    outbox.wake()
    async with running(outbox):
        await asyncio.to_thread(bench.queue, "a")
        waker = threading.Thread(target=outbox.wake)
        waker.start()
        await bench.settled("sent")
        waker.join()
    outbox.wake()


async def test_an_idle_outbox_writes_nothing(bench: Bench) -> None:
    bench.queue("a")
    async with running(bench.outbox(ScriptedCourier())):
        await bench.settled("sent")
    done = bench.writer.transactions
    async with running(bench.outbox(ScriptedCourier())):
        pass
    assert (done, bench.writer.transactions) == (2, 2)


async def test_a_secret_of_a_url_is_in_no_row_no_status_and_no_log(
    bench: Bench, web: HttpSink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = "C4naryS3cret"
    bench.queue("a", "b", "c")
    urls: Mapping[str, str] = {
        "a": f"json://user:{secret}@127.0.0.1:{web.port}/404?+X-Key={secret}",
        "b": f"slack://{secret}",
        "c": f"json://{secret}.invalid/{secret}",
    }
    outbox = bench.outbox(ProcessCourier(), replace(QUICK, most_attempts=1), **urls)
    async with running(outbox):
        await bench.settled("dead", "dead", "dead")
    assert len(attempts(bench.store)) == 5
    everything = (*deliveries(bench.store), *attempts(bench.store), outbox.status(), caplog.text)
    assert secret.lower() not in str(everything).lower()
