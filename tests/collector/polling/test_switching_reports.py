"""Anthropic's bills while its analytics open and close to a key: no day is counted twice, and nobody is asked twice."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from spendtop.collector.polling.poll_steps import CostSteps
from spendtop.domain.clock import DAY, HOUR, MINUTE, to_datetime, to_iso, to_micros
from spendtop.domain.money import Usd
from spendtop.services import checkpoints
from spendtop.sources.pollers import KeyRefused
from spendtop.sources.pollers.anthropic.analytics import AnthropicAnalytics
from spendtop.sources.pollers.anthropic.report import AnthropicReport
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.day_bills import DayBill, day_bill
from tests.collector.conftest import Bench
from tests.collector.polling_bench import Polling
from tests.sources.pollers.fake_anthropic import ADMIN_KEY
from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer

FIRST = to_micros(datetime(2026, 11, 1, tzinfo=UTC)) // DAY
ACCOUNT = Account(
    name="anthropic",
    provider="anthropic",
    poller="anthropic-costs",
    poll_every=15 * MINUTE,
    low_balance=None,
    tells_balance=False,
)
KEYS = {"apikey_web": ("ws_1", "claude-sonnet-4-5"), "apikey_ci": ("ws_1", "claude-haiku-4-5")}
KEYS |= {"apikey_lab": ("ws_2", "claude-sonnet-4-5")}
ONCE = FetchBounds(attempts=1)


class Analytics(FakeProvider):
    """Bills what was used until `LAG` ago, in fractional cents, a thousand rows a page at most; names workspaces, too.
    While `is_closed` there is the older report alone."""

    LAG = 20 * MINUTE

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.used: list[tuple[int, str, Usd]] = []
        """(when, key, cost)."""
        self.is_closed = False

    def good(self, asked: Asked) -> Answer:
        if asked.headers.get("x-api-key") != ADMIN_KEY:
            return answer({"type": "error", "error": {"type": "authentication_error", "message": "no"}}, 401)
        match asked.path.rpartition("/")[2]:
            case "workspaces":
                default = [{"id": "ws_2", "name": "Default"}] if asked.one("include_default") else []
                return answer({"data": [{"id": "ws_1", "name": "Checkout"}, *default]})
            case "cost" if not self.is_closed and "anthropic-beta" in asked.headers:
                return self._cost(asked)
            case "cost_report":
                return self._report(asked)
        return answer({"type": "error", "error": {"type": "not_found_error", "message": "no"}}, 404)

    def _billed(self, asked: Asked) -> Iterator[tuple[str, str, Usd]]:
        """(date, key, cost) of the days that were asked for."""
        sums: defaultdict[tuple[int, str], Usd] = defaultdict(lambda: Usd(0))
        for at, key, cost in self.used:
            if at < self.bench.clock() - self.LAG:
                sums[at // DAY, key] += cost
        for (day, key), cost in sums.items():
            date = f"{to_datetime(day * DAY):%Y-%m-%dT00:00:00Z}"
            if (asked.one("starting_at") or "") <= date < (asked.one("ending_at") or ""):
                yield date, key, cost

    def _cost(self, asked: Asked) -> Answer:
        rows = [
            {
                "starting_at": date,
                "group": {
                    "workspace_id": KEYS[key][0],
                    "api_key_id": key,
                    "model": KEYS[key][1],
                    "actor": {"type": "user_actor", "user_id": "user_1", "email_address": "alice@example.com"},
                },
                "cost": {"amount": str(cost.dollars * 100), "list_amount": "99999", "currency": "USD", "requests": 1},
            }
            for date, key, cost in self._billed(asked)
        ]
        page, size = int(asked.one("page") or 0), int(asked.one("limit") or 20)
        more = len(rows) > (page + 1) * size
        refreshed = to_iso(self.bench.clock() - self.LAG)
        return answer(
            {
                "data": rows[page * size : (page + 1) * size],
                "has_more": more,
                "next_page": str(page + 1) if more else None,
                "data_refreshed_at": refreshed,
            }
        )

    def _report(self, asked: Asked) -> Answer:
        days: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
        for date, key, cost in self._billed(asked):
            workspace = KEYS[key][0]
            days[date].append(
                {
                    "amount": str(cost.dollars * 100),
                    "currency": "USD",
                    "workspace_id": None if workspace == "ws_2" else workspace,
                    "description": f"Claude of {key} Usage - Tokens",
                }
            )
        data = [{"starting_at": date, "results": results} for date, results in days.items()]
        return answer({"data": data or [{"starting_at": asked.one("starting_at"), "results": []}], "has_more": False})


class Month:
    """An account at Anthropic whose requests are pushed and whose bills are polled."""

    def __init__(self, bench: Bench, fake: Analytics) -> None:
        self.bench, self.fake = bench, fake
        self.office = Polling(bench)
        self.analytics = CostSteps(
            *("anthropic-analytics", 5 * MINUTE, AnthropicAnalytics(ADMIN_KEY, fake.url, bounds=ONCE)),
            self.office.context,
            accounts=["anthropic"],
            epoch=FIRST,
            trailing=30,
        )
        self.report = CostSteps(
            *("anthropic-costs", 15 * MINUTE, AnthropicReport(ADMIN_KEY, fake.url, bounds=ONCE)),
            self.office.context,
            accounts=["anthropic"],
            epoch=FIRST,
            better="anthropic-analytics",
        )

    def use(self, at: int, key: str, cost: Usd) -> None:
        """A request."""
        self.bench.clock.now = at
        self.fake.used.append((at, key, cost))

    def bill(self, day: int, by: str = "key") -> DayBill:
        with self.bench.store.reading() as connection:
            return day_bill(connection, ACCOUNT, day, by)  # type: ignore[arg-type]

    def billed(self) -> Usd:
        """All days together."""
        return Usd(int(str(self.bench.rows("SELECT coalesce(sum(cost_nano), 0) FROM day_cost")[0][0])))


@pytest.fixture
def fake(bench: Bench) -> Iterator[Analytics]:
    with Analytics(bench) as running:
        yield running


async def test_switching_between_the_reports_counts_no_day_twice(bench: Bench, fake: Analytics) -> None:
    bench.start()
    month = Month(bench, fake)
    fake.is_closed = True
    for day in range(5):
        for key in KEYS:
            month.use((FIRST + day) * DAY + HOUR, key, Usd.of(1))
    bench.clock.now += DAY
    with pytest.raises(KeyRefused) as closed:
        await month.office.poll(month.analytics)
    with bench.store.writing() as connection:
        checkpoints.failed(connection, "anthropic-analytics", str(closed.value), bench.clock())
    await month.office.poll(month.report)
    assert month.billed() == Usd.of(15)
    assert {row.id for row in month.bill(FIRST, "project").holders} == {"ws_1", "ws_2"}  # null is the default one
    fake.is_closed = False
    await month.office.poll(month.analytics)
    assert (month.billed(), len(month.bill(FIRST).holders)) == (Usd.of(15), 3)
    asked = len(fake.asked)
    await month.office.poll(month.report)
    assert len(fake.asked) == asked  # the analytics tell it better
    bench.clock.now += 2 * HOUR
    await month.office.poll(month.report)
    assert (len(fake.asked), month.billed()) == (asked + 1, Usd.of(15))
    assert month.bill(FIRST).billed_until is None


async def test_the_older_report_waits_until_the_analytics_were_asked_for_the_first_time(
    bench: Bench, fake: Analytics
) -> None:
    bench.start()
    month = Month(bench, fake)
    month.use(FIRST * DAY + HOUR, "apikey_web", Usd.of(1))
    bench.clock.now += HOUR
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(month.office.poll(month.report))
        tasks.create_task(month.office.poll(month.analytics))
    assert not [asked for asked in fake.asked if asked.path.endswith("cost_report")]
    assert month.billed() == Usd.of(1)
