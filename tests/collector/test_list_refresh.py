from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from spendtop.collector.config_reload import ConfigReload
from spendtop.collector.list_refresh import ListRefresh
from spendtop.collector.price_lists.kept_list import KeptList, first_list
from spendtop.config.load import Loaded
from spendtop.config.settings import PricingSettings
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.money import Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.published_list import bundled_list
from spendtop.domain.requests.request import Request, Usage
from spendtop.store.reads.price_list import PriceListState, price_list
from tests.collector.conftest import Bench
from tests.collector.price_lists.publisher import TEN, Publisher, a_list, name_of
from tests.sources.pollers.fake_provider import failed
from tests.waiting import soon

OLD_DAY, NEW_DAY = "2026-11-19", "2026-11-20"


class Refreshing:
    """A collector's price list, with one of yesterday kept on disk; its publisher may be gone."""

    def __init__(self, bench: Bench, url: str) -> None:
        self.bench = bench
        self.url = url
        self.kept = KeptList()
        self.kept.keep(a_list(), url, bench.clock() - DAY)
        self.said: list[str] = []
        bench.start()
        self.want(True)
        bench.active.catalogue = PublishedPrices(lambda: first_list(self.pricing, self.kept))
        self.apply(bench.active.loaded)
        reload = ConfigReload(
            bench.load,
            bench.active,
            bench.recorder,
            bench.clock,
            "http://127.0.0.1:8000",
            asyncio.Event(),
            self.said.append,
            lambda: None,
        )
        self.refresh = ListRefresh(bench.active, reload, bench.recorder, bench.clock, self.said.append)

    @property
    def pricing(self) -> PricingSettings:
        return self.bench.active.settings.pricing

    def want(self, update: bool) -> None:
        """As the settings would, but from a server that speaks no TLS."""
        pricing = PricingSettings.model_construct(hook="", update=update, update_every=DAY, update_url=self.url)
        loaded = self.bench.active.loaded
        settings = loaded.settings.model_copy(update={"pricing": pricing})
        self.apply(replace(loaded, settings=settings))

    def apply(self, loaded: Loaded) -> None:
        self.bench.active.apply(loaded)
        self.bench.recorder.apply(self.bench.active.preparer, self.bench.active.book)

    def state(self) -> PriceListState | None:
        with self.bench.store.reading() as connection:
            return price_list(connection)

    async def becomes(self, so: Callable[[PriceListState], bool]) -> PriceListState:
        """What the store says once it says so."""

        def said() -> PriceListState | None:
            state = self.state()
            return state if state is not None and so(state) else None

        return await soon(said)

    def version(self) -> str:
        state = self.state()
        return state.version.name if state else ""

    def priced(self, model: str = "acme-1") -> tuple[Usd | None, str | None]:
        """What a request of a million tokens costs that is recorded now."""
        request = self.bench.request(None, provider="acme", model=model, usage=Usage(prompt=10**6, completion=0))
        (outcome,) = self.bench.record(request)
        assert isinstance(outcome.request, Request)
        return outcome.request.cost.amount, outcome.request.cost.price_version


@asynccontextmanager
async def running(refreshing: Refreshing) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(refreshing.refresh.run(stop))
        yield
        stop.set()


@pytest.fixture
def clock_is_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)


pytestmark = pytest.mark.usefixtures("clock_is_steady")


async def test_a_new_list_prices_what_comes_and_nothing_that_came(bench: Bench) -> None:
    new = a_list([*TEN, "acme-new"], input_mtok=3)
    with Publisher(new) as publisher:
        refreshing = Refreshing(bench, publisher.list_url)
        assert refreshing.priced() == (Usd.of(2), name_of(a_list(), OLD_DAY))
        async with running(refreshing):
            await soon(lambda: refreshing.version() == name_of(new, NEW_DAY))
            assert await asyncio.to_thread(refreshing.priced) == (Usd.of(3), name_of(new, NEW_DAY))
            assert await asyncio.to_thread(refreshing.priced, "acme-new") == (Usd.of(3), name_of(new, NEW_DAY))
    assert refreshing.said == [f"Prices are taken from {name_of(new, NEW_DAY)} from now on."]
    assert bench.rows("SELECT price_version, cost_nano FROM request ORDER BY id")[0] == (
        name_of(a_list(), OLD_DAY),
        2_000_000_000,
    )
    assert len(publisher.asked) == 1


async def test_the_same_list_again_is_younger_and_nothing_else(bench: Bench) -> None:
    with Publisher() as publisher:
        refreshing = Refreshing(bench, publisher.list_url)
        catalogue = bench.active.catalogue
        async with running(refreshing):
            state = await refreshing.becomes(lambda now: now.version.as_of == bench.clock())
    assert state.version.name == name_of(a_list(), OLD_DAY)
    assert (state.every, state.problem) == (DAY, None)
    assert bench.active.catalogue is catalogue and refreshing.said == []


async def test_it_is_fetched_again_when_its_time_has_come(bench: Bench) -> None:
    with Publisher() as publisher:
        refreshing = Refreshing(bench, publisher.list_url)
        async with running(refreshing):
            await refreshing.becomes(lambda now: now.version.as_of == bench.clock())
            bench.clock.advance(DAY - HOUR)
            refreshing.refresh.wake()
            publisher.raw = a_list(input_mtok=9)
            await asyncio.to_thread(bench.recorder.run(lambda connection: None).result)
            assert len(publisher.asked) == 1
            bench.clock.advance(HOUR)
            refreshing.refresh.wake()
            await soon(lambda: refreshing.version() == name_of(publisher.raw, "2026-11-21"))
    assert len(publisher.asked) == 2


async def test_a_restart_within_the_interval_asks_nobody(bench: Bench) -> None:
    with Publisher() as publisher:
        refreshing = Refreshing(bench, publisher.list_url)
        bench.clock.advance(-HOUR)
        async with running(refreshing):
            await refreshing.becomes(lambda now: now.problem is None)
    assert publisher.asked == []


async def test_a_list_that_is_refused_is_said_once_and_the_old_one_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    sentence = (
        "The price list of 127.0.0.1 lacks 5 of the 10 models of the one in use; it is refused and the old one goes on"
    )
    with Publisher(a_list(TEN[:5])) as publisher:
        refreshing = Refreshing(bench, publisher.list_url)
        async with running(refreshing):
            state = await refreshing.becomes(lambda now: now.problem is not None)
            assert (state.problem, state.version.name) == (sentence, name_of(a_list(), OLD_DAY))
            assert state.version.as_of == bench.clock() - DAY
            bench.clock.advance(HOUR)
            refreshing.refresh.wake()
            await soon(lambda: len(publisher.asked) == 2)
            publisher.raw = a_list(input_mtok=7)
            bench.clock.advance(HOUR)
            refreshing.refresh.wake()
            await refreshing.becomes(lambda now: now.problem is None)
    assert refreshing.said == [f"Prices are taken from {name_of(publisher.raw, NEW_DAY)} from now on."]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [sentence]


async def test_without_a_network_the_kept_list_goes_on(bench: Bench) -> None:
    refreshing = Refreshing(bench, "http://127.0.0.1:9/data.json")
    async with running(refreshing):
        state = await refreshing.becomes(lambda now: now.problem is not None)
        assert await asyncio.to_thread(refreshing.priced) == (Usd.of(2), name_of(a_list(), OLD_DAY))
    assert state.problem is not None and state.problem.startswith("127.0.0.1 cannot be reached (ConnectError)")


async def test_a_damaged_file_at_the_start_is_said_and_the_programs_list_is_used(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with Publisher() as publisher:
        publisher.always = failed(500)
        refreshing = Refreshing(bench, publisher.list_url)
        refreshing.kept.path.write_bytes(refreshing.kept.path.read_bytes()[:-9])
        async with running(refreshing):
            await soon(lambda: len(caplog.records) == 2)
            assert await asyncio.to_thread(refreshing.priced, "acme-1") == (None, None)
    damaged, away = (record.message for record in caplog.records)
    assert damaged.endswith("price_list is damaged; the one that came with the program is used")
    assert away.startswith("127.0.0.1 has a fault of its own (500)")
    state = refreshing.state()
    assert state is not None and state.version.name == bundled_list().version.name


async def test_switched_off_the_programs_own_list_prices_again_and_switched_on_the_kept_one(bench: Bench) -> None:
    with Publisher() as publisher:
        refreshing = Refreshing(bench, publisher.list_url)
        bundled = bundled_list().version.name
        async with running(refreshing):
            await soon(lambda: refreshing.version() == name_of(a_list(), OLD_DAY))
            refreshing.want(False)
            refreshing.refresh.wake()
            state = await refreshing.becomes(lambda now: now.version.name == bundled)
            assert state.every is None and state.version.newest_price is not None
            assert (await asyncio.to_thread(refreshing.priced, "acme-1"))[0] is None
            publisher.always = failed(500)
            refreshing.want(True)
            refreshing.refresh.wake()
            await soon(lambda: refreshing.version() == name_of(a_list(), OLD_DAY))
            assert (await asyncio.to_thread(refreshing.priced))[0] == Usd.of(2)


async def test_a_hook_that_has_become_bad_keeps_the_old_list(bench: Bench) -> None:
    hook = bench.file.parent / "costs.py"
    hook.write_text("def cost(request):\n    return None\n")
    with Publisher(a_list(input_mtok=5)) as publisher:
        refreshing = Refreshing(bench, publisher.list_url)
        settings = bench.active.settings
        pricing = settings.pricing.model_copy(update={"hook": f"{hook}:cost"})
        refreshing.apply(replace(bench.active.loaded, settings=settings.model_copy(update={"pricing": pricing})))
        hook.write_text("def cost(:\n")
        async with running(refreshing):
            state = await refreshing.becomes(lambda now: now.problem is not None)
    assert "costs.py cannot be used" in (state.problem or "")
    assert bench.active.catalogue.price_list.version.name == name_of(a_list(), OLD_DAY)
    assert refreshing.priced()[0] == Usd.of(2)
