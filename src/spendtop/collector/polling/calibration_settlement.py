"""Two days after a calibration its day is billed in full: then what had been billed up to its instant is known."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from spendtop.collector.polling.poll_steps import PollContext
from spendtop.domain.clock import DAY
from spendtop.domain.ledger import SETTLES_AFTER, settled_spend
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.request import Request, TimeSource
from spendtop.domain.sources import INGEST
from spendtop.services import ledger
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.openai_costs import MinuteOfUse, OpenAICosts
from spendtop.store.reads.ledger import latest_calibration, spent_before, spent_on
from spendtop.store.transactions import read

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
