from __future__ import annotations

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import Attention
from spendtop.store.reads.overview import Chart, Overview, overview
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

NOW = START + 30 * MINUTE
DAILY = Limit(name="daily", window=parse_window("day"), amount=Usd(100))


def seen(store: Store) -> Overview:
    with store.reading() as connection:
        return overview(
            connection,
            [DAILY],
            Calendar(),
            NOW,
            feed_size=3,
            window=Span(START // DAY * DAY, None),
            chart=Chart(Span(NOW - HOUR - 10 * MINUTE, NOW + 10 * MINUTE), 10 * MINUTE),
            top=2,
        )


def test_of_an_empty_store_is_empty(store: Store) -> None:
    found = seen(store)
    assert (found.today, found.last_hour, found.total) == (Spend.nothing(),) * 3
    assert (found.feed, found.chart, found.sources) == ((), (), ())
    assert found.attention == Attention(0, 0, 0, 0, 0, 0, 0)
    assert [use.used for use in found.limits] == [Usd(0)]


def test_shows_each_figure_of_its_own_span(recorded: Recorded) -> None:
    ids = recorded.add(
        [
            recorded.request(NOW - 40 * 24 * HOUR, 1_000, user_id="long ago"),
            recorded.request(NOW - 25 * HOUR, 10, user_id="yesterday"),
            recorded.request(NOW - HOUR, 5, user_id="alice", model="gpt-4o"),
            recorded.request(NOW - HOUR - 1, 6, user_id="bob"),
            recorded.request(NOW, 7, user_id="alice"),
        ]
    )
    found = seen(recorded.store)
    assert found.total.cost == Usd(1_028)
    assert found.today.cost == Usd(18)
    assert found.last_hour.cost == Usd(12)
    assert [(row.key.raw, row.spend.cost) for row in found.users.rows] == [("alice", Usd(12)), ("bob", Usd(6))]
    assert [(row.key.raw, row.spend.cost) for row in found.models.rows] == [("", Usd(13)), ("gpt-4o", Usd(5))]
    assert [row.id for row in found.feed] == [ids[4], ids[2], ids[3]]
    assert [use.used for use in found.limits] == [Usd(18)]
    assert [(bucket.start, bucket.spend.cost) for bucket in found.chart] == [
        (NOW - HOUR - 10 * MINUTE, Usd(6)),
        (NOW - HOUR, Usd(5)),
        (NOW, Usd(7)),
    ]
    assert found.sources[0].requests_today == 3
