"""Which providers the table of sources has, and what they are called."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from spendtop.domain.clock import MINUTE
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.windows import Calendar
from spendtop.services import checkpoints
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, PolledSource
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.sources.sources import sources
from spendtop.tui.sources.questions import PolledRow, polled_rows

NOW = 1_763_640_187_000_000
INFO = CollectorInfo(version="0", host="here", pid=1, url="", started_at=0)
APPLIED = Applied(limits=(), calendar=Calendar(), channels=(), collector=INFO, at=0, config_digest="")


def account(provider: str, poller: str | None = None) -> Account:
    return Account(name="main", provider=provider, poller=poller, poll_every=1, low_balance=None, tells_balance=False)


def rows(store: Store, applied: Applied | None) -> tuple[PolledRow, ...]:
    with store.reading() as connection:
        return polled_rows(applied, sources(connection, NOW, NOW), NOW)


def test_helicones_api_waits_for_a_key_where_nothing_is_polled(store: Store) -> None:
    for applied in (None, APPLIED):
        (row,) = rows(store, applied)
        assert (row.title, row.setting) == ("helicone API", "api_key under [helicone]")
        assert row.source is not None and row.source.source is HELICONE_API


def test_accounts_whose_costs_could_be_asked_for_wait_for_a_key(store: Store) -> None:
    known = (account("openai"), account("anthropic", "anthropic-costs/main"), account("other"))
    found = rows(store, replace(APPLIED, accounts=known))
    assert [row.name for row in found] == ["helicone-api", "openai-costs"]
    assert found[1].setting == "admin_key under [openai]"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("helicone-api", "helicone API"),
        ("openai-costs", "openai costs"),
        ("openai-costs/lab", "openai costs lab"),
        ("openrouter-limits/router", "openrouter limits router"),
        ("anthropic-limits", "anthropic limits"),
        ("deepseek/my\x1b[2J", "my␛[2J balance"),
    ],
)
def test_pollers_are_called_by_what_they_ask(store: Store, name: str, title: str) -> None:
    found = rows(store, replace(APPLIED, pollers=(PolledSource(name=name, every=1),)))
    assert (found[-1].title, found[-1].setting) == (title, "")


def test_a_success_of_long_ago_is_stale(store: Store) -> None:
    applied = replace(APPLIED, pollers=(PolledSource(name="helicone-api", every=MINUTE),))
    for ago, stale in ((3 * MINUTE, False), (5 * MINUTE, True)):
        with store.writing() as connection:
            checkpoints.succeeded(connection, "helicone-api", NOW - ago)
        (row,) = rows(store, applied)
        assert (row.stale, row.last_at) == (stale, NOW - ago)
