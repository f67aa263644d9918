"""How complete the figures are."""

from __future__ import annotations

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST
from spendtop.services import checkpoints
from spendtop.services.recording import missed_requests
from spendtop.store.engine import Store
from spendtop.store.facts import first_start
from spendtop.store.reads.sources import completeness
from tests.conftest import SettableClock
from tests.store.conftest import Recorded


def test_pollers_say_how_far_they_got_and_why_not_further(store: Store, clock: SettableClock) -> None:
    with store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", 100, cursor="{}", complete_until=90)
        checkpoints.failed(connection, "helicone-api", "away\x1b[2J", 200)
        checkpoints.succeeded(connection, "a-costs", 300)
    with store.reading() as connection:
        costs, helicone = completeness.pollers(connection)
    assert (costs.name, costs.succeeded_at, costs.complete_until, costs.failure) == ("a-costs", 300, None, None)
    assert (helicone.complete_until, helicone.succeeded_at, helicone.failed_at, helicone.failures) == (90, 100, 200, 1)
    assert "\x1b" not in str(helicone.failure)


def test_gaps_are_listed_and_what_webhooks_brought_is_the_rest(
    store: Store, clock: SettableClock, recorded: Recorded
) -> None:
    hour = clock() - clock() % HOUR
    pushed = [recorded.request(hour + number * MINUTE, source=HELICONE) for number in range(6)]
    found = [recorded.request(hour + number * MINUTE, source=HELICONE_API) for number in range(4)]
    other = [recorded.request(hour, source=INGEST)]
    recorded.add([*pushed, *found, *other])
    with store.writing() as connection:
        missed_requests.note_gap(connection, "helicone", found, clock(), clock())
    with store.reading() as connection:
        (gap,) = completeness.gaps(connection, hour, 10)
        assert (gap.source, gap.since, gap.until) == ("helicone", hour, hour + 3 * MINUTE)
        assert (gap.requests, gap.cost, gap.found_at) == (4, Usd(4_000), clock())
        assert completeness.gaps(connection, hour + HOUR, 10) == ()
        assert completeness.coverage(connection, [gap], hour) is None
    with store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", clock(), complete_until=hour + HOUR)
    with store.reading() as connection:
        covered = completeness.coverage(connection, [gap], hour)
        assert covered is not None and (covered.percent, covered.is_whole) == ("60%", False)
        assert completeness.coverage(connection, [], hour + HOUR) is None


def test_nothing_is_claimed_but_for_the_time_that_was_compared(
    store: Store, clock: SettableClock, recorded: Recorded
) -> None:
    hour = clock() - clock() % HOUR
    recorded.add([recorded.request(hour - number * HOUR, source=HELICONE) for number in range(10)])
    with store.writing() as connection:
        checkpoints.failed(connection, "helicone-api", "away", clock())
        assert completeness.coverage(connection, [], hour - 10 * HOUR) is None
        checkpoints.succeeded(
            connection, "helicone-api", clock(), complete_since=hour - 5 * HOUR, complete_until=hour - 2 * HOUR
        )
        covered = completeness.coverage(connection, [], hour - 10 * HOUR)
    assert covered == completeness.Coverage(hour - 5 * HOUR, hour - 2 * HOUR, requests=3, missed=0)


def test_history_from_before_the_first_start_is_not_taken_for_pushed(
    store: Store, clock: SettableClock, recorded: Recorded
) -> None:
    hour = clock() - clock() % HOUR
    recorded.add([recorded.request(hour - number * HOUR, source=HELICONE_API) for number in range(1, 5)])
    with store.writing() as connection:
        checkpoints.succeeded(connection, "helicone-api", clock(), complete_until=hour + 2 * MINUTE)
        before = completeness.coverage(connection, [], hour - 5 * HOUR)
        assert before is not None and before.percent == "100%"
        first_start(connection, hour + MINUTE)
        after = completeness.coverage(connection, [], hour - 5 * HOUR)
        assert after is not None and after.percent is None


def test_what_the_api_confirmed_is_summed_without_hits_of_the_cache(
    store: Store, clock: SettableClock, recorded: Recorded
) -> None:
    at = clock() - HOUR
    api = HELICONE_API
    recorded.add(
        [
            recorded.request(at, 5, source=api),
            recorded.request(at + 1, 7, source=api),
            recorded.request(at + 2, 11, source=api, cached=True),
            recorded.request(at + 3, None, source=api),
            recorded.request(at + 4, 13, source=api),
            recorded.request(at + 1, 17, source=HELICONE),
        ]
    )
    with store.reading() as connection:
        assert completeness.confirmed(connection, at, at + 4) == (4, 12)
        assert completeness.confirmed(connection, at + HOUR, at + 2 * HOUR) == (0, 0)
