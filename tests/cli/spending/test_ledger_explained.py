"""Why a bill differs, from the shell."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendtop.domain.clock import DAY, HOUR, to_datetime
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.services.ledger.entries import take_costs
from spendtop.store.engine import Store
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.store.conftest import Recorded

ADMIN = '[openai]\nadmin_key = "sk-admin-0123456789"\n'


def bill(store: Store, day: int, *parts: tuple[str, str, str]) -> None:
    found = tuple(
        CostPart(day=day, amount=Decimal(amount), project=project, api_key=key, line_item="gpt-4o, input")
        for project, key, amount in parts
    )
    with store.writing() as connection:
        take_costs(connection, "openai", Costs(first_day=day, last_day=day, parts=found), minutes_ago(0))


def test_a_planted_key_is_named_with_its_money(cli: Cli, home_store: Store, spent: Recorded) -> None:
    write_config(ADMIN)
    day = minutes_ago(0) // DAY - 1
    spent.add([spent.request(day * DAY + 12 * HOUR, 2_000_000_000, provider="openai", model="gpt-4o")])
    bill(home_store, day, ("proj_web", "key_ours", "2"), ("proj_x", "key_9a", "0.80"))
    code, out, err = cli("ledger", "explain", "openai", "yesterday")
    assert (code, err) == (0, "")
    assert "billed $2.80, seen here $2.00, difference $0.800" in out
    (line,) = [line for line in out.splitlines() if "key_9a" in line]
    assert line.split()[:3] == ["$0.800", "not", "seen"]
    assert [line.split() for line in out.splitlines() if line.startswith("proj_x ")] == [["proj_x", "$0.800", "$0.800"]]
    assert cli("ledger", "explain", "openai", f"{to_datetime(day * DAY):%Y-%m-%d}").out == out


def test_where_both_agree_it_says_so_and_a_day_that_goes_on_is_marked(
    cli: Cli, home_store: Store, spent: Recorded
) -> None:
    write_config(ADMIN)
    now = minutes_ago(0)
    bill(home_store, now // DAY, ("p", "k", "2"))
    spent.add([spent.request(now, 2_000_000_000, provider="openai", model="gpt-4o")])
    out = cli("ledger", "explain", "openai", "today").out
    assert "agree to the last digit" in out and "not over" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [(("openai", "2026-13-01"), "DAY is"), (("nobody", "today"), "no account"), (("openai", "2020-01-01"), "polled")],
)
def test_what_cannot_be_explained_is_a_sentence(cli: Cli, home_store: Store, words: tuple[str, ...], said: str) -> None:
    write_config(ADMIN)
    code, _, err = cli("ledger", "explain", *words)
    assert code == 2
    assert said in err
