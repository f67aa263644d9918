from __future__ import annotations

from msgspec.structs import replace

from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import (
    Applied,
    CollectorInfo,
    Doors,
    PolledSource,
    applied,
    keep,
    tell_public_url,
)
from spendtop.store.reads.ledger.balances import Account

WHERE = "-model:gpt-4o-mini (user:a* | ~u bob)"
COLLECTOR = CollectorInfo(version="0.1.0", host="box", pid=7, url="http://127.0.0.1:8000", started_at=1)
APPLIED = Applied(
    limits=(
        Limit(
            name="each user",
            window=parse_window("24h"),
            amount=Usd(5),
            warn=(0.5, 0.8),
            each=Each.USER,
            where=parse_filter(WHERE),
            where_text=WHERE,
            notify=("ops",),
            reserve="gpt-4o",
        ),
        Limit(name="monthly", window=parse_window("month"), amount=Usd(6), notify=None),
    ),
    calendar=Calendar("Europe/Berlin", "04:30", "sunday"),
    channels=("ops", "mail"),
    collector=COLLECTOR,
    at=99,
    config_digest="abc",
    doors=Doors(webhook_secret=True, ingest_keys=("prod", "ci")),
    accounts=(
        Account(
            name="openai",
            provider="openai",
            poller="openai-costs",
            poll_every=900_000_000,
            low_balance=Usd.of(10),
            tells_balance=False,
        ),
        Account(name="wallet", provider="other", poller=None, poll_every=1, low_balance=None, tells_balance=False),
    ),
    pollers=(PolledSource(name="openai-costs", every=900_000_000),),
    keeps_bodies=True,
)


def test_nothing_is_applied_before_a_collector_ran(store: Store) -> None:
    with store.reading() as connection:
        assert applied(connection) is None


def test_what_was_applied_last_comes_back_as_it_was(store: Store) -> None:
    with store.writing() as connection:
        keep(connection, replace(APPLIED, limits=(), at=1))
        keep(connection, APPLIED)
    with store.reading() as connection:
        assert applied(connection) == APPLIED


def test_the_address_of_a_tunnel_is_told_and_taken_back(store: Store) -> None:
    with store.writing() as connection:
        tell_public_url(connection, "https://x.example")
        assert applied(connection) is None
        keep(connection, APPLIED)
        tell_public_url(connection, "https://x.example")
        assert applied(connection) == replace(APPLIED, collector=replace(COLLECTOR, public_url="https://x.example"))
        tell_public_url(connection, "")
        assert applied(connection) == APPLIED


def test_whether_helicones_api_is_asked_is_told_by_its_poller() -> None:
    assert not APPLIED.asks_helicone
    assert replace(APPLIED, pollers=(PolledSource(name="helicone-api", every=1),)).asks_helicone
