"""What pollers store: pages and bills with their checkpoints, and what had been missed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from spendtop.collector.polling.poll_steps import (
    ALONE,
    BESIDE_OTHERS,
    BalanceSteps,
    CostSteps,
    PushHealthSteps,
    RequestSteps,
)
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_micros
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Request, TimeSource
from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import PushHealth
from spendtop.domain.sources.records import ANTHROPIC_PUSH, HELICONE, HELICONE_API
from spendtop.services.ledger import entries as ledger
from spendtop.services.ledger.entries import Calibrated
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.destinations.anthropic import AnthropicDestinations
from spendtop.sources.pollers import Costs, PolledPage, PollFailed
from spendtop.sources.pollers.helicone.requests import HeliconeApi
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.openai.costs import OpenAICosts
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.balances import balance_now
from spendtop.store.reads.sources import completeness
from tests.accounts import OPENAI
from tests.collector.conftest import Bench
from tests.collector.polling_bench import Polling
from tests.sources.destinations.fake_destinations import ADMIN_KEY as ADMIN_KEY_AT_ANTHROPIC
from tests.sources.destinations.fake_destinations import FakeAnthropic
from tests.sources.pollers.fake_helicone import FakeHelicone
from tests.sources.pollers.fake_openai import ADMIN_KEY, FIRST_DAY, FakeOpenAI, a_month
from tests.sources.pollers.fake_provider import failed
from tests.waiting import soon

ONCE = FetchBounds(attempts=1)
DOLLAR = 1_000_000_000


@pytest.fixture
def office(bench: Bench) -> Polling:
    bench.start()
    return Polling(bench)


@pytest.fixture
def fake(bench: Bench) -> Iterator[FakeHelicone]:
    with FakeHelicone(clock=bench.clock).running() as running:
        yield running


class Pages:
    """A poller that gives these pages, each known by its place."""

    def __init__(self, *pages: tuple[Request, ...]) -> None:
        self.pages = pages

    async def step(self, cursor: str | None, now: int) -> PolledPage:
        place = int(cursor or 0)
        requests = self.pages[place] if place < len(self.pages) else ()
        more = place + 1 < len(self.pages)
        return PolledPage(requests=requests, cursor=str(place + 1), complete_until=now, more=more)


def helicone_job(office: Polling, fake: FakeHelicone, since: int = 0) -> RequestSteps:
    def known(since: int, until: int) -> tuple[int, int]:
        with office.bench.store.reading() as connection:
            return completeness.confirmed(connection, since, until)

    api = HeliconeApi(fake.key, fake.url, backfill=30 * DAY, known=known, bounds=ONCE)
    return RequestSteps("helicone-api", 5 * MINUTE, api, office.context, pushed_by=HELICONE, since=since)


def pages_job(office: Polling, *pages: tuple[Request, ...], since: int = 0) -> RequestSteps:
    return RequestSteps("helicone-api", MINUTE, Pages(*pages), office.context, pushed_by=HELICONE, since=since)


def polled(office: Polling, number: int, ago: int = HOUR) -> Request:
    now = office.bench.clock()
    return Request(
        source=HELICONE_API,
        external_id=f"request-{number}",
        received_at=now,
        occurred_at=now - ago,
        time_source=TimeSource.API,
        cost=Cost(reported=Usd(DOLLAR)),
        verified=True,
    )


async def test_lost_webhooks_are_found_within_two_polls_with_the_apis_times_and_costs(
    office: Polling, fake: FakeHelicone
) -> None:
    now = office.bench.clock()
    instants = [now - 2 * HOUR + number * 4 * SECOND for number in range(1500)]
    ids = fake.add_many(instants)
    pushed = [
        office.bench.request(0, external_id=external_id, occurred_at=at + 3 * SECOND, time_source=TimeSource.PROVIDER)
        for external_id, at in zip(ids[:700] + ids[1200:], instants[:700] + instants[1200:], strict=True)
    ]
    office.bench.record(*pushed)
    job = helicone_job(office, fake)
    await office.poll(job)
    office.bench.clock.advance(5 * MINUTE)
    await office.poll(job)
    rows = office.bench.rows("SELECT occurred_at, time_source, cost_nano, verified FROM request ORDER BY occurred_at")
    assert rows == [(at - at % 1000, "api", 202_500, 1) for at in instants]
    assert office.bench.rows("SELECT sum(requests), sum(cost_nano) FROM total WHERE dimension = 'all'") == [
        (1500, 1500 * 202_500)
    ]
    assert office.bench.rows("SELECT source, requests, cost_nano FROM gap") == [("helicone", 500, 500 * 202_500)]
    assert office.said == [
        "helicone-api: 500 requests were missed when pushed and found now: $0.101, 2026-11-20 12:49 to 2026-11-20 13:23"
        " UTC."
    ]


async def test_what_is_reported_again_and_again_counts_as_no_repeat(office: Polling, fake: FakeHelicone) -> None:
    fake.add(office.bench.clock() - 5 * MINUTE)
    job = helicone_job(office, fake)
    await office.poll(job)
    for _ in range(2):
        office.bench.clock.advance(5 * MINUTE)
        await office.poll(helicone_job(office, fake))
    assert office.bench.rows("SELECT count(*) FROM request") == [(1,)]
    assert office.bench.rows("SELECT count(*) FROM total WHERE dimension = 'repeat'") == [(0,)]


async def test_a_stored_cost_that_is_not_helicones_is_repaired_by_comparing(
    office: Polling, fake: FakeHelicone
) -> None:
    now = office.bench.clock()
    (external_id,) = fake.add_many([now - HOUR], cost=0.5)
    job = helicone_job(office, fake)
    await office.poll(job)
    older = replace(polled(office, 0), external_id=external_id, cost=Cost(reported=Usd.of("0.1")))
    await office.context.record([older], lambda connection, outcomes: None)
    assert office.bench.rows("SELECT cost_nano FROM request") == [(DOLLAR // 10,)]
    office.bench.clock.advance(7 * HOUR)
    await office.poll(job)
    assert office.bench.rows("SELECT cost_nano FROM request") == [(DOLLAR // 2,)]


async def test_what_happened_before_the_first_start_is_no_gap(office: Polling) -> None:
    since = office.bench.clock() - 30 * MINUTE
    await office.poll(pages_job(office, (polled(office, 1, HOUR), polled(office, 2, MINUTE)), since=since))
    assert office.bench.rows("SELECT requests FROM gap") == [(1,)]
    assert office.said and office.said[0].startswith("helicone-api: 1 request was missed")


async def test_without_webhooks_nothing_can_be_missed(office: Polling) -> None:
    job = RequestSteps("helicone-api", MINUTE, Pages((polled(office, 1),)), office.context, pushed_by=None, since=0)
    await office.poll(job)
    assert office.bench.rows("SELECT count(*) FROM request") == [(1,)]
    assert office.bench.rows("SELECT count(*) FROM gap") == [(0,)]
    assert office.said == []


async def test_a_run_of_many_pages_is_one_gap_and_the_next_run_another(office: Polling) -> None:
    pages = [(polled(office, number),) for number in range(4)]
    await office.poll(pages_job(office, *pages))
    assert office.bench.rows("SELECT requests FROM gap") == [(4,)]
    office.bench.clock.advance(MINUTE)
    await office.poll(pages_job(office, *([()] * 4), (polled(office, 9),)))
    assert office.bench.rows("SELECT requests FROM gap ORDER BY id") == [(4,), (1,)]


@pytest.mark.parametrize(("is_quiet", "most"), [(False, BESIDE_OTHERS), (True, ALONE)])
async def test_a_large_page_goes_in_parts_and_its_checkpoint_with_the_last(
    office: Polling, monkeypatch: pytest.MonkeyPatch, is_quiet: bool, most: int
) -> None:
    monkeypatch.setattr(Recorder, "is_quiet", is_quiet)
    groups: list[tuple[int, str | None]] = []
    record = office.bench.recorder.record_prepared

    def watched(connection: object, ready: list[object]) -> object:
        groups.append((len(ready), office.checkpoint("helicone-api").cursor))
        return record(connection, ready)  # type: ignore[arg-type]

    monkeypatch.setattr(office.bench.recorder, "record_prepared", watched)
    page = tuple(polled(office, number) for number in range(2 * most + 1))
    await office.poll(pages_job(office, page))
    assert groups == [(most, None), (most, None), (1, None)]
    assert office.checkpoint("helicone-api").cursor == "1"
    assert office.stored == 1


async def test_a_stored_page_is_told_of_while_the_next_answer_is_waited_for(office: Polling) -> None:
    class ReadsOn(Pages):
        async def step(self, cursor: str | None, now: int) -> PolledPage:
            if cursor is not None:
                await soon(lambda: office.stored == 1)
            return replace(await super().step(cursor, now), reads_on=cursor is None)

    pages = ReadsOn((polled(office, 1),), (polled(office, 2),))
    job = RequestSteps("helicone-api", MINUTE, pages, office.context, pushed_by=HELICONE, since=0)
    assert await job.step(0) is True
    assert office.checkpoint("helicone-api").cursor == "1"


async def test_a_page_that_cannot_be_stored_is_read_again(office: Polling, monkeypatch: pytest.MonkeyPatch) -> None:
    job = pages_job(office, (polled(office, 1),), (polled(office, 2),))
    assert await job.step(0) is True
    record = office.bench.recorder.record_prepared

    def broken(connection: object, ready: object) -> object:
        record(connection, ready)  # type: ignore[arg-type]
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(office.bench.recorder, "record_prepared", broken)
        with pytest.raises(RuntimeError):
            await job.step(0)
    assert office.bench.rows("SELECT count(*) FROM request") == [(1,)]
    assert office.checkpoint("helicone-api").cursor == "1"
    assert await job.step(0) is False
    assert office.bench.rows("SELECT count(*) FROM request") == [(2,)]


async def test_webhooks_are_recorded_between_the_parts(office: Polling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "is_quiet", False)
    page = tuple(polled(office, number) for number in range(3 * BESIDE_OTHERS))
    job = pages_job(office, page)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(office.poll(job))
        pushed = await asyncio.to_thread(office.bench.record, office.bench.request(0.1, external_id="pushed"))
    assert [outcome.status for outcome in pushed] == ["stored"]
    assert office.bench.rows("SELECT count(*) FROM request") == [(3 * BESIDE_OTHERS + 1,)]


class Month:
    """An account at OpenAI whose costs are polled."""

    def __init__(self, office: Polling, fake: FakeOpenAI) -> None:
        self.office, self.fake = office, fake
        self.job = CostSteps(
            "openai-costs",
            15 * MINUTE,
            OpenAICosts(ADMIN_KEY, fake.url, bounds=ONCE),
            office.context,
            accounts=["openai"],
            epoch=FIRST_DAY,
        )

    async def poll(self, day: int, hour: int = 12) -> None:
        self.office.bench.clock.now = (FIRST_DAY + day) * DAY + hour * HOUR
        await self.office.poll(self.job)

    def sync(self, dollars: str) -> Calibrated:
        now = self.office.bench.clock()
        with self.office.bench.store.writing() as connection:
            return ledger.calibrate(connection, OPENAI, Usd.of(dollars), now, now)

    def deposit(self, dollars: str) -> None:
        now = self.office.bench.clock()
        with self.office.bench.store.writing() as connection:
            ledger.record(connection, "openai", EntryKind.DEPOSIT, Usd.of(dollars), now, now)

    def left(self) -> Usd | None:
        with self.office.bench.store.reading() as connection:
            return balance_now(connection, OPENAI, self.office.bench.clock()).amount


async def test_a_month_of_costs_with_three_calibrations_is_exact_to_the_last_digit(office: Polling) -> None:
    whole = a_month(days=30)
    with FakeOpenAI() as fake:
        fake.days_per_page = 4
        month = Month(office, fake)
        credit = Decimal("200")
        for day in range(30):
            fake.costs = [cost for cost in whole if cost.day <= FIRST_DAY + day]
            await month.poll(day)
            if day in (3, 14, 27):
                off = {3: Decimal("0"), 14: Decimal("-0.448024"), 27: Decimal("25")}[day]
                observed = credit + off - fake.spent()
                found = month.sync(str(observed))
                assert found.observed == Usd.of(observed)
                assert found.drift == (None if day == 3 else Usd.of(off))
                credit += off
            elif day == 20:
                office.bench.clock.advance(1)
                month.deposit("50")
                credit += 50
            if day >= 3:
                assert month.left() == Usd.of(credit - fake.spent())
        fake.restate(FIRST_DAY + 10, "2.75")
        await month.poll(29, hour=13)
        assert month.left() == Usd.of(credit - fake.spent())
    assert office.bench.rows("SELECT day FROM day_cost_revision") == [(FIRST_DAY + 10,)]


async def test_once_a_day_all_days_are_read_else_the_last_sixty(office: Polling) -> None:
    with FakeOpenAI() as fake:
        month = Month(office, fake)
        for day, hour in ((100, 0), (100, 1), (101, 0)):
            await month.poll(day, hour)
        firsts = [int(asked.one("start_time") or 0) // 86_400 - FIRST_DAY for asked in fake.asked]
    assert firsts == [0, 40, 0]


async def test_a_poll_whose_second_page_fails_changes_nothing(office: Polling) -> None:
    with FakeOpenAI(a_month(days=20)) as fake:
        fake.days_per_page = 10
        month = Month(office, fake)
        await month.poll(10)
        before = office.bench.rows("SELECT * FROM day_cost ORDER BY day")
        known = office.checkpoint("openai-costs")
        fake.script(None, failed(500))
        with pytest.raises(PollFailed):
            await month.poll(19)
        assert office.bench.rows("SELECT * FROM day_cost ORDER BY day") == before
        assert office.checkpoint("openai-costs") == known


async def test_what_costs_money_to_ask_is_not_asked_again_soon_not_even_by_a_new_start(office: Polling) -> None:
    with FakeOpenAI() as fake:
        for hours in (0, 1, 10, 12):
            office.bench.clock.now = FIRST_DAY * DAY + hours * HOUR
            job = CostSteps(
                *("bedrock/aws", 12 * HOUR, OpenAICosts(ADMIN_KEY, fake.url, bounds=ONCE), office.context),
                accounts=["aws"],
                epoch=FIRST_DAY,
                rests=11 * HOUR,
            )
            await office.poll(job)
        assert len(fake.asked) == 2


class Told:
    """A cost poller that says this."""

    def __init__(self, *answers: Costs) -> None:
        self.answers = list(answers)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        return self.answers.pop(0)


async def test_what_is_odd_about_an_answer_is_said_once(office: Polling) -> None:
    odd = Costs(
        first_day=FIRST_DAY,
        last_day=FIRST_DAY,
        parts=(),
        other_currencies=frozenset({"eur"}),
        flaws=("An amount is missing.",),
    )
    job = CostSteps("openai-costs", MINUTE, Told(odd, odd), office.context, accounts=["openai"], epoch=FIRST_DAY)
    await office.poll(job)
    await office.poll(job)
    assert office.said == [
        "openai-costs: An amount is missing.",
        "openai-costs: Amounts in eur are left out: only US dollars are counted.",
    ]


async def test_costs_of_one_key_are_kept_for_each_of_its_accounts(office: Polling) -> None:
    with FakeOpenAI(a_month(days=2)) as fake:
        poller = OpenAICosts(ADMIN_KEY, fake.url, bounds=ONCE)
        office.bench.clock.now = to_micros(datetime(2026, 11, 2, 12, tzinfo=UTC))
        await office.poll(
            CostSteps("openai-costs", MINUTE, poller, office.context, accounts=["openai", "team"], epoch=FIRST_DAY)
        )
    assert office.bench.rows("SELECT account, count(*) FROM day_cost GROUP BY account ORDER BY account") == [
        ("openai", 2),
        ("team", 2),
    ]


async def test_a_told_balance_is_kept_with_its_instant(office: Polling) -> None:
    class Balance:
        remark = "What is left of the key's own limit."

        async def balance(self) -> Usd:
            return Usd.of("7.25")

    await office.poll(BalanceSteps("openrouter/router", MINUTE, Balance(), office.context, account="router"))
    assert office.bench.rows("SELECT account, at, balance_nano FROM balance_reading") == [
        ("router", office.bench.clock(), 7_250_000_000)
    ]
    assert office.checkpoint("openrouter/router").succeeded_at == office.bench.clock()


async def test_how_a_provider_delivers_is_stored_with_the_way_back(office: Polling) -> None:
    with FakeAnthropic() as fake:
        asked = AnthropicDestinations(ADMIN_KEY_AT_ANTHROPIC, fake.url, bounds=ONCE)
        steps = PushHealthSteps(
            "anthropic-push", 5 * MINUTE, ANTHROPIC_PUSH, asked, office.context, public_url="https://spend.example.org"
        )
        fake.add("https://elsewhere.example.org", "datadog")
        assert await office.poll(steps) == 1
        assert not push_health.read(office.checkpoint("anthropic-push").cursor).leads_here
        made = fake.add("https://spend.example.org", "ours")
        await office.poll(steps)
        assert push_health.read(office.checkpoint("anthropic-push").cursor) == PushHealth()
        made["state"] = {"type": "disabled", "reason": {"type": "redirect"}}
        await office.poll(steps)
        (row,) = poller_rows(office.bench.store)
        assert "switches it on" in row.amiss
        fake.always = failed(403)
        with pytest.raises(PollFailed, match="may not manage"):
            await office.poll(steps)


def poller_rows(store: Store) -> tuple[completeness.PollerRow, ...]:
    with store.reading() as connection:
        return completeness.pollers(connection)
