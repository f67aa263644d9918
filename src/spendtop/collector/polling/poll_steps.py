"""What pollers do in one step: ask, then store what came together with how far they got.

Two days after a calibration its day is billed in full: then what had been billed up to its instant is known, and a step
settles it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from spendtop.collector.polling.read_ahead import ReadAhead
from spendtop.collector.push_connection import leading_here
from spendtop.domain.clock import DAY, Clock, to_datetime
from spendtop.domain.ledger.balance import SETTLES_AFTER, settled_spend
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.requests.request import Request, TimeSource
from spendtop.domain.sources import push_health
from spendtop.domain.sources.records import INGEST, ProviderPush, Source
from spendtop.services import checkpoints, tasks
from spendtop.services.alerting.provider_limits import take_limits
from spendtop.services.ledger import entries as ledger
from spendtop.services.recording import missed_requests
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.services.tasks import Task
from spendtop.sources.destinations import Destinations
from spendtop.sources.pollers import (
    BalancePoller,
    CostPoller,
    Costs,
    LimitPoller,
    PolledPage,
    PollFailed,
    RequestPoller,
)
from spendtop.sources.pollers.openai.costs import MinuteOfUse, OpenAICosts
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.balances import latest_calibration, spent_before, spent_on
from spendtop.store.transactions import WriteQueue, read, write

BESIDE_OTHERS, ALONE = 300, 1_000
"""Requests in one transaction: so few that a webhook never waits long behind them, or a page while none comes."""
_LOOK = 0.25
"""Seconds between two looks whether the better poller has been answered for the first time."""
_TRAILING_DAYS = 60
"""Days that are read again at each poll; once a day it is all of them."""
Result = TypeVar("Result")


class PollContext(Struct, frozen=True, kw_only=True):
    """What every poller works with."""

    store: Store
    recorder: Recorder
    writes: WriteQueue
    """For what only the collector stores that polls for all."""
    clock: Clock
    stored: Callable[[], None]
    """Called after each step that stored something."""
    say: Callable[[str], None]
    """Tells a person a sentence."""

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """The result of `work`. Raises LostLease where another collector polls by now."""
        return await write(self.writes, work)

    async def note_progress(self, task: Task, so_far: str, arguments: dict[str, object] | None = None) -> bool:
        """Note how far a task is, and in other `arguments` where it would go on; whether it is to go on at all."""
        now, noted = self.clock(), task.arguments if arguments is None else arguments
        return await self.write(lambda connection: tasks.note_progress(connection, task.id, so_far, noted, now))

    async def checkpoint(self, poller: str) -> checkpoints.Checkpoint:
        return await read(self.store, lambda connection: checkpoints.load(connection, poller))

    def parts(self, requests: Sequence[Request]) -> list[Sequence[Request]]:
        """What goes into one transaction each; one empty part for nothing."""
        most = ALONE if self.recorder.is_quiet else BESIDE_OTHERS
        return [requests[start : start + most] for start in range(0, len(requests), most)] or [()]

    async def record(self, requests: Sequence[Request], work: Callable[[Connection, list[Outcome]], Result]) -> Result:
        """Record requests, and what `work` makes of the outcomes, both in one transaction."""
        ready = await asyncio.to_thread(self.recorder.prepare, requests)
        return await self.write(lambda connection: work(connection, self.recorder.record_prepared(connection, ready)))


class RequestSteps:
    """Reads requests, and notes those that should have been pushed."""

    def __init__(
        self,
        name: str,
        every: int,
        poller: RequestPoller,
        context: PollContext,
        *,
        pushed_by: Source | None,
        since: int,
    ) -> None:
        """`pushed_by` is the source that pushes the same requests from `since` (UTC µs) on, if there is one."""
        self.name = name
        self.every = every
        self._pages = ReadAhead(poller)
        self._context = context
        self._pushed_by = pushed_by
        self._since = since
        self._missed = _Missed()

    async def step(self, run_began_at: int) -> bool:
        """Store one page; whether to go on at once. A large page is stored in parts, the checkpoint with its last.

        Raises PollFailed.
        """
        checkpoint = await self._context.checkpoint(self.name)
        page = await self._pages.page(checkpoint.cursor, self._context.clock())
        await self._pages.beside(self._store_page(page, run_began_at), page, self._context.clock())
        if not page.more:
            self._tell()
        return page.more

    async def _store_page(self, page: PolledPage, run_began_at: int) -> None:
        *first, last = self._context.parts(page.requests)
        for part in first:
            await self._store(part, None, run_began_at)
        await self._store(last, page, run_began_at)
        self._context.stored()

    async def _store(self, requests: Sequence[Request], page: PolledPage | None, run_began_at: int) -> None:
        now = self._context.clock()

        def work(connection: Connection, outcomes: list[Outcome]) -> list[Request]:
            new = (outcome.request for outcome in outcomes if outcome.request is not None)
            missed = [*filter(self._was_missed, new)]
            if self._pushed_by is not None:
                missed_requests.note_gap(connection, self._pushed_by.name, missed, run_began_at, now)
            if page is not None:
                checkpoints.succeeded(
                    connection,
                    self.name,
                    now,
                    cursor=page.cursor,
                    complete_since=page.complete_since,
                    complete_until=page.complete_until,
                )
            return missed

        self._missed.add(await self._context.record(requests, work))

    def _was_missed(self, new: Request) -> bool:
        """Whether a new request should have been pushed when it happened."""
        return self._pushed_by is not None and new.counted and new.occurred_at >= self._since

    def _tell(self) -> None:
        sentence = self._missed.sentence()
        self._missed = _Missed()
        if sentence and self._pushed_by is not None:
            self._context.say(f"{self.name}: {sentence}")


class CostSteps:
    """Reads what was billed, for each account of one key."""

    def __init__(
        self,
        name: str,
        every: int,
        poller: CostPoller,
        context: PollContext,
        *,
        accounts: Sequence[str],
        epoch: int,
        settle: Callable[[str], Awaitable[None]] | None = None,
        trailing: int = _TRAILING_DAYS,
        better: str | None = None,
        rests: int = 0,
    ) -> None:
        """`epoch` is the first day that is read, in UTC days since 1970. `settle` is called for each account.
        `trailing` are the days that are read at each poll. While the poller called `better` tells the same bills in
        more detail, nobody is asked; nor within `rests` µs after a poll, also over restarts.
        """
        self.name = name
        self.every = every
        self._poller = poller
        self._context = context
        self._accounts = tuple(accounts)
        self._epoch = epoch
        self._settle = settle
        self._trailing = trailing
        self._better = better
        self._rests = rests
        self._flaws: tuple[str, ...] = ()

    async def step(self, run_began_at: int) -> bool:
        """Store one poll: the last days, and once a day all of them. Raises PollFailed."""
        now = self._context.clock()
        if self._better is not None:
            better = await self._context.checkpoint(self._better)
            if better.succeeded_at is None and better.failed_at is None:
                await asyncio.sleep(_LOOK)
                return True
            if self._is_fresh(better, now):
                await self._context.write(lambda connection: checkpoints.succeeded(connection, self.name, now))
                return False
        today = now // DAY
        epoch = min(self._epoch, today)
        read_whole = msgspec.json.encode([today, epoch, self._accounts]).decode()
        checkpoint = await self._context.checkpoint(self.name)
        if checkpoint.succeeded_at is not None and 0 <= now - checkpoint.succeeded_at < self._rests:
            return False
        first = epoch if checkpoint.cursor != read_whole else max(epoch, today - self._trailing)
        costs = await self._poller.costs(first, today)

        def work(connection: Connection) -> None:
            for account in self._accounts:
                ledger.take_costs(connection, account, costs, now)
            checkpoints.succeeded(connection, self.name, now, cursor=read_whole, complete_until=costs.billed_until)

        await self._context.write(work)
        self._context.stored()
        self._tell_flaws(costs)
        if self._settle is not None:
            for account in self._accounts:
                await self._settle(account)
        return False

    def _is_fresh(self, better: checkpoints.Checkpoint, now: int) -> bool:
        """Whether what is told in more detail goes on being told."""
        return better.succeeded_at is not None and not better.failures and now - better.succeeded_at <= 2 * self.every

    def _tell_flaws(self, costs: Costs) -> None:
        """Say what was odd about the answer, unless that was said about the last one."""
        flaws = costs.flaws
        if costs.other_currencies:
            named = ", ".join(sorted(costs.other_currencies))
            flaws += (f"Amounts in {named} are left out: only US dollars are counted.",)
        for flaw in flaws:
            if flaw not in self._flaws:
                self._context.say(f"{self.name}: {flaw}")
        self._flaws = flaws


class BalanceSteps:
    """Reads a balance that its provider tells."""

    def __init__(self, name: str, every: int, poller: BalancePoller, context: PollContext, *, account: str) -> None:
        self.name = name
        self.every = every
        self._poller = poller
        self._context = context
        self._account = account
        self._remark = ""

    async def step(self, run_began_at: int) -> bool:
        """Store one reading. Raises PollFailed."""
        left = await self._poller.balance()
        now = self._context.clock()
        if self._poller.remark not in ("", self._remark):
            self._context.say(f"{self.name}: {self._poller.remark}")
        self._remark = self._poller.remark

        def work(connection: Connection) -> None:
            ledger.take_balance(connection, self._account, left, now)
            checkpoints.succeeded(connection, self.name, now)

        await self._context.write(work)
        self._context.stored()
        return False


class PushHealthSteps:
    """Reads how a provider that pushes here delivers."""

    def __init__(
        self, name: str, every: int, push: ProviderPush, asked: Destinations, context: PollContext, *, public_url: str
    ) -> None:
        self.name = name
        self.every = every
        self._push = push
        self._asked = asked
        self._context = context
        self._public_url = public_url

    async def step(self, run_began_at: int) -> bool:
        """Store how it stands. Raises PollFailed."""
        ours = leading_here(await self._asked.all(), self._public_url)
        health = push_health.packed(push_health.health_of(self._push, ours))
        now = self._context.clock()
        await self._context.write(lambda tx: checkpoints.succeeded(tx, self.name, now, cursor=health))
        self._context.stored()
        return False


class LimitSteps:
    """Reads what a provider lets its customers spend."""

    def __init__(self, name: str, every: int, poller: LimitPoller, context: PollContext, *, account: str) -> None:
        """`account` is whose bills tell what is used."""
        self.name = name
        self.every = every
        self._poller = poller
        self._context = context
        self._account = account
        self._flaws: tuple[str, ...] = ()

    async def step(self, run_began_at: int) -> bool:
        """Store one poll in place of the last. Raises PollFailed."""
        told = await self._poller.limits(self._context.clock())
        now = self._context.clock()

        def work(connection: Connection) -> None:
            take_limits(connection, self.name, self._poller.provider, self._account, told.limits, now)
            checkpoints.succeeded(connection, self.name, now)

        await self._context.write(work)
        self._context.stored()
        for flaw in told.flaws:
            if flaw not in self._flaws:
                self._context.say(f"{self.name}: {flaw}")
        self._flaws = told.flaws
        return False


class _Missed:
    """What one run found that nobody had pushed."""

    def __init__(self) -> None:
        self._requests = 0
        self._cost = ZERO
        self._instants: list[int] = []

    def add(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._requests += 1
            self._cost += request.cost.amount or ZERO
        instants = [*self._instants, *(request.occurred_at for request in requests)]
        self._instants = [min(instants), max(instants)] if instants else []

    def sentence(self) -> str:
        """What was missed, or nothing."""
        if not self._instants:
            return ""
        since, until = (f"{to_datetime(each):%Y-%m-%d %H:%M}" for each in self._instants)
        were = "1 request was" if self._requests == 1 else f"{self._requests:,} requests were"
        return f"{were} missed when pushed and found now: {self._cost}, {since} to {until} UTC."


_log = logging.getLogger(__name__)


class CalibrationSettlement:
    """Settles calibrations by the share of the day's priced usage that lies before them."""

    def __init__(self, poller: OpenAICosts, context: PollContext) -> None:
        self._poller = poller
        self._context = context

    async def settle(self, account: str) -> None:
        """Settle the account's latest calibration, if it is old enough and its day had usage."""
        now = self._context.clock()
        calibration = await read(self._context.store, lambda connection: latest_calibration(connection, account))
        if calibration is None or calibration.settled is not None or now - calibration.at < SETTLES_AFTER:
            return
        at, day = calibration.at, calibration.at // DAY
        try:
            minutes = await self._poller.usage(day)
        except PollFailed as failure:
            _log.warning("a calibration could not be settled: %s", failure)
            return
        before = await asyncio.to_thread(self._priced, [minute for minute in minutes if minute.at < at])
        whole = await asyncio.to_thread(self._priced, minutes)

        def work(connection: Connection) -> None:
            settled = settled_spend(
                spent_before(connection, account, day), spent_on(connection, account, day), before, whole
            )
            if settled is not None:
                ledger.settle(connection, account, at, settled, now)

        await self._context.write(work)

    def _priced(self, minutes: Sequence[MinuteOfUse]) -> Usd:
        """What the usage costs by the prices in force, as far as they are known."""
        return sum((self._context.recorder.cost(_request(minute)).amount or ZERO for minute in minutes), ZERO)


def _request(minute: MinuteOfUse) -> Request:
    return Request(
        source=INGEST,
        external_id="",
        received_at=minute.at,
        occurred_at=minute.at,
        time_source=TimeSource.PROVIDER,
        provider="openai",
        model=minute.model,
        usage=minute.tokens,
    )
