"""The store as it stood: whatever is read of it is what a store without later requests says."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection
from sqlmodel import SQLModel

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request
from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.limits.raises import raise_limit, take_back
from spendtop.services.recording.scoped_totals import rebuild_changed
from spendtop.store import day_totals
from spendtop.store.past import PastStore, oldest_request
from spendtop.store.reads.alerts.attention import deliveries, deliveries_of
from spendtop.store.reads.alerts.silences import silences
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, applied, keep
from spendtop.store.reads.limits.raises import raises_in_force
from spendtop.store.reads.limits.uses import use
from spendtop.store.reads.requests.lists import RequestQuery, page
from spendtop.store.reads.spending.sums import COLUMNS, by_key, per_bucket, shadow_spend, spend
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    AlertActionTable,
    DeliveryAlertTable,
    DeliveryAttemptTable,
    DeliveryTable,
    SilenceTable,
)
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

AT = START + 3 * DAY + 40 * MINUTE + 17
WHERE = "-model:cheap"
MESSAGE = '{"kind":"exceeded","limit_name":"daily"}'
DAY_WINDOW = parse_window("day")
LIMITS = (
    Limit(name="own", window=DAY_WINDOW, amount=Usd(100), where=parse_filter(WHERE), where_text=WHERE, each=Each.USER),
    Limit(name="families", window=DAY_WINDOW, amount=Usd(100), each=Each.MODEL_FAMILY),
)


RAISED = tuple(replace(limit, amount=Usd(200)) for limit in LIMITS)
HERE = CollectorInfo(version="0", host="here", pid=1, url="http://here", started_at=START)
APPLIED = Applied(limits=LIMITS, calendar=Calendar(), channels=(), collector=HERE, at=START, config_digest="d")


def requests(recorded: Recorded) -> list[Request]:
    """Several in every hour of some days, also in the minute of `AT`."""
    return [
        recorded.request(
            START + step * 13 * MINUTE + step % 3,
            None if step % 11 == 0 else step,
            user_id=("ann", "ben", None)[step % 3],
            model=("gpt-4o", "gpt-4o-2024-08-06", "cheap")[step % 5 % 3],
            session_id="s" if step % 4 else None,
            token="t" if step % 2 else None,
            counted=step % 17 > 0,
        )
        for step in range(6 * DAY // (13 * MINUTE))
    ] + [recorded.request(AT + offset, 100_000 + offset) for offset in (-10, 0, 1, 5)]


def figures(connection: Connection) -> list[Any]:
    """What screens read: sums over spans, by each dimension, by minute, of limits, and the newest requests."""
    spans = ((None, None), (AT - HOUR, None), (AT - 2 * DAY, AT + DAY), (AT - 30 * DAY, None))
    window = bounds(DAY_WINDOW, AT, Calendar())
    return [
        [spend(connection, since, until) for since, until in spans],
        [by_key(connection, name, since, until, 5) for name in COLUMNS for since, until in spans],
        [each for each in per_bucket(connection, AT - DAY, AT + HOUR, MINUTE) if each.spend.requests],
        shadow_spend(connection, None, None),
        [use(connection, LIMITS[0], "ann", window), use(connection, LIMITS[1], "gpt-4o", window)],
        [row.id for row in page(connection, RequestQuery(), FilterContext(AT, Calendar()), None, 20).rows],
        oldest_request(connection),
        configuration.limits if (configuration := applied(connection)) else None,
    ]


@pytest.mark.parametrize(("days_are_summed", "limits_now"), [(False, RAISED), (True, ())])
def test_it_is_what_a_store_without_later_requests_says(
    recorded: Recorded, days_are_summed: bool, limits_now: tuple[Limit, ...]
) -> None:
    with recorded.store.writing() as connection:
        keep(connection, APPLIED)
        rebuild_changed(connection, LimitBook(LIMITS, Calendar(), {}))
    every = requests(recorded)
    recorded.add([request for request in every if request.occurred_at <= AT], LIMITS)
    with recorded.store.reading() as connection:
        then = figures(connection)
    recorded.add([request for request in every if request.occurred_at > AT], LIMITS)
    if days_are_summed:
        with recorded.store.writing() as connection:
            while day_totals.add_hours(connection, AT + 2 * DAY):
                pass
    with recorded.store.writing() as connection:
        keep(connection, replace(APPLIED, limits=limits_now, at=AT + 1))
        rebuild_changed(connection, LimitBook(limits_now, Calendar(), {}))
    past = PastStore(recorded.store.url, AT)
    try:
        for _ in range(2):
            with past.reading() as connection:
                assert figures(connection) == then
        with pytest.raises(UsageError, match="The past cannot be changed"), past.writing():
            pass
    finally:
        past.close()
    with recorded.store.reading() as connection:
        assert figures(connection) != then


def test_of_a_time_before_it_is_known_the_first_configuration_holds(recorded: Recorded) -> None:
    with recorded.store.writing() as connection:
        for at, limits in ((AT, LIMITS), (AT + 2, LIMITS), (AT + 5, RAISED)):
            keep(connection, replace(APPLIED, limits=limits, at=at))
    found = []
    for at in (AT - 1, AT, AT + 4, AT + 5):
        past = PastStore(recorded.store.url, at)
        with past.reading() as connection:
            then = applied(connection)
            assert then is not None
            found.append((then.limits, then.at))
        past.close()
    assert found == [(LIMITS, AT), (LIMITS, AT), (LIMITS, AT), (RAISED, AT + 5)]


def add(connection: Connection, table: type[SQLModel], **values: Any) -> None:
    connection.execute(table_of(table).insert().values(**values))


def test_messages_silences_and_raises_are_as_they_stood(recorded: Recorded) -> None:
    message = {"channel": "ops", "kind": "exceeded", "severity": "critical", "payload": MESSAGE, "created_at": AT - 9}
    tried = {"detail": "refused", "elapsed_ms": 5}
    with recorded.store.writing() as connection:
        sent = {"state": "sent", "attempts": 2, "sent_at": AT + 3, "next_at": AT - 4}
        add(connection, DeliveryTable, **message, **sent, ref="a", last_error=None)
        add(connection, DeliveryTable, **message, state="dead", attempts=1, next_at=AT - 4, ref="b", last_error="no")
        add(connection, DeliveryTable, **{**message, "created_at": AT + 1}, state="pending", next_at=AT + 9, ref="c")
        for number, at, outcome in ((1, AT - 4, "transient"), (1, AT + 3, "sent"), (2, AT - 4, "permanent")):
            add(connection, DeliveryAttemptTable, delivery_id=number, at=at, outcome=outcome, **tried)
        for alert, at in ((1, AT - 4), (2, AT + 3)):
            add(connection, DeliveryAlertTable, delivery_id=1, alert_id=alert, joined_at=at)
        add(connection, SilenceTable, filter="user:ann", who="ana", created_at=AT - 9, until=AT + 5)
        for what, at in (("silence", AT - 9), ("unsilence", AT + 5)):
            until = AT + HOUR if what == "silence" else None
            add(connection, AlertActionTable, at=at, who="ana", what=what, silence_id=1, until=until)
        lifted = raise_limit(connection, LIMITS[0], None, Usd(7), AT + HOUR, AT - 9)
        take_back(connection, lifted.id, AT + 5)
    past = PastStore(recorded.store.url, AT)
    try:
        with past.reading() as connection:
            assert raises_in_force(connection, AT).all == (lifted,)
            told = deliveries(connection, (), 10)
            of_alerts = deliveries_of(connection, (1, 2))
            (silence,) = silences(connection, AT)
    finally:
        past.close()
    assert {
        each.ref: (each.state, each.attempts, each.next_at, each.sent_at, str(each.last_error)) for each in told
    } == {"a": ("pending", 1, AT + 3, None, "refused"), "b": ("dead", 1, AT - 4, None, "no")}
    assert [*of_alerts] == [1]
    assert silence.until == AT + HOUR
