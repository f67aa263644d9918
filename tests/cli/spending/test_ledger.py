"""Prepaid balances from the shell."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import BilledName, CostPart, Costs
from spendtop.domain.ledger.used import INPUT_TOKENS, Used, UsedPart
from spendtop.domain.money import Usd
from spendtop.services import checkpoints
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.accounts import events
from tests.cli.conftest import Cli, minutes_ago, write_config

CONFIG = (
    '[openai]\nadmin_key = "sk-admin-canary"\n'
    '[[account]]\nname = "wallet"\nprovider = "other"\nlow_balance = 5\n'
    '[[account]]\nname = "router"\nprovider = "openrouter"\nkey = "sk-or-canary"\n'
)


@pytest.fixture
def billed(home_store: Store) -> Store:
    """Costs that were read a minute ago: $4.20 today, $1.10 yesterday."""
    write_config(CONFIG)
    now = minutes_ago(1)
    today = now // DAY
    parts = (CostPart(day=today, amount=Decimal("4.20")), CostPart(day=today - 1, amount=Decimal("1.10")))
    with home_store.writing() as connection:
        ledger.take_costs(connection, "openai", Costs(first_day=today - 9, last_day=today, parts=parts), now)
        checkpoints.succeeded(connection, "openai-costs", now)
    return home_store


def test_accounts_are_listed_as_they_stand(cli: Cli, billed: Store) -> None:
    with billed.writing() as connection:
        ledger.take_balance(connection, "router", Usd.of("9.996"), minutes_ago(1))
        checkpoints.succeeded(connection, "openrouter/router", minutes_ago(1))
    code, out, _ = cli("ledger", "list")
    header, *lines = out.splitlines()
    assert code == 0
    assert header.split()[:4] == ["account", "provider", "balance", "state"]
    assert [line.split()[:4] for line in lines] == [
        ["wallet", "other", "unknown", "uncalibrated"],
        ["router", "openrouter", "$9.99", "ok"],
        ["openai", "openai", "unknown", "uncalibrated"],
    ]
    assert "canary" not in out


def test_without_accounts_the_list_says_how_to_get_one(cli: Cli, home_store: Store) -> None:
    code, out, _ = cli("ledger", "list")
    assert code == 0
    assert "admin_key under [openai]" in out and "[[account]]" in out


def test_the_first_calibration_finds_no_drift(cli: Cli, billed: Store) -> None:
    out = cli("ledger", "sync", "openai", "42.93").out
    assert out == "openai is at $42.93 now. The next calibration tells how far the ledger was off.\n"
    assert "drift -\n" in cli("ledger", "show", "openai").out


@pytest.mark.replaces("credit/sync")
def test_a_calibration_says_how_far_the_ledger_was_off(cli: Cli, billed: Store) -> None:
    assert cli("ledger", "sync", "openai", "42.93").code == 0
    code, out, err = cli("ledger", "sync", "openai", "$40")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "openai is at $40.00 now. The ledger had $42.93.",
        "Drift -$2.93: spend or an expiry that the ledger does not know.",
    ]
    in_json = json.loads(cli("ledger", "show", "openai", "--json").out)
    assert (in_json["account"], in_json["days"][0]["billed_nanousd"]) == ("openai", 4_200_000_000)
    shown = cli("ledger", "show", "openai").out
    assert shown.startswith("openai (openai): $40.00\n")
    assert "drift -$2.93" in shown
    days = [line.split()[1] for line in shown.splitlines() if line.startswith("20") and ":" not in line]
    assert days[:3] == ["$4.20", "$1.10", "$0.00"]


def test_a_calibration_that_agrees_says_so(cli: Cli, billed: Store) -> None:
    cli("ledger", "sync", "openai", "42.93")
    assert "They agree to the last digit." in cli("ledger", "sync", "openai", "42.93").out


def test_a_calibration_on_old_costs_says_what_is_missing(cli: Cli, billed: Store) -> None:
    with billed.writing() as connection:
        checkpoints.succeeded(connection, "openai-costs", minutes_ago(60))
    code, out, _ = cli("ledger", "sync", "openai", "42.93")
    assert code == 0
    assert "could not be read" in out and "No collector holds this store" in out


@pytest.mark.replaces("credit/entries")
def test_entries_by_hand_move_the_balance(cli: Cli, billed: Store) -> None:
    assert "$50.00 now (uncalibrated)" in cli("ledger", "deposit", "wallet", "50", "--note", "card").out
    assert "$53.20 now" in cli("ledger", "refund", "wallet", "3.20").out
    assert "$51.95 now" in cli("ledger", "expire", "wallet", "1.25").out
    assert "$49.45 now" in cli("ledger", "adjust", "wallet", "-2.50").out
    with billed.reading() as connection:
        entered = events(connection, "wallet", 10)
    assert {event.kind.value for event in entered} == {"deposit", "refund", "expiry", "adjustment"}
    assert "card" in cli("ledger", "show", "wallet").out


def test_an_entry_of_before_the_calibration_says_that_it_changes_nothing(cli: Cli, billed: Store) -> None:
    cli("ledger", "sync", "openai", "20")
    out = cli("ledger", "deposit", "openai", "25", "--at", "2h").out
    assert "$20.00 now" in out
    assert "before the last calibration" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nobody"), "There is no account 'nobody'. There are: wallet, router, openai."),
        (("sync", "openai", "much"), "AMOUNT is a number of US dollars"),
        (("sync", "openai", "42,93"), "AMOUNT is a number of US dollars"),
        (("sync", "router", "5"), "its provider tells"),
        (("deposit", "router", "5"), "its provider tells"),
        (("deposit", "wallet", "-5"), "more than zero"),
        (("deposit", "wallet", "0"), "more than zero"),
        (("deposit", "wallet", "5", "--at", "someday"), "--at"),
        (("deposit", "wallet", "5", "--at", "2099-01-01"), "lies in the future"),
    ],
)
def test_what_cannot_be_entered_is_a_sentence(cli: Cli, billed: Store, words: tuple[str, ...], said: str) -> None:
    code, _, err = cli("ledger", *words)
    assert code == 2
    assert said in err


def test_a_day_is_shown_by_key_and_keys_that_never_passed_here_are_named(cli: Cli, billed: Store) -> None:
    now = minutes_ago(1)
    today = now // DAY
    part = CostPart(day=today, amount=Decimal("4.20"), api_key="key_9", line_item="gpt-4o, input")
    names = (BilledName("key", "key_9", "cron\x1b[2J"),)
    used = Used(
        today,
        today,
        (UsedPart(today, INPUT_TOKENS, 7_000, api_key="key_9"), UsedPart(today, "web searches", 20, api_key="key_9")),
    )
    costs = Costs(first_day=today, last_day=today, parts=(part,), used=used, names=names, billed_until=now)
    with billed.writing() as connection:
        ledger.take_costs(connection, "openai", costs, now)
    code, out, _ = cli("ledger", "show", "openai", "--by", "key", "--day", "today")
    assert code == 0
    assert "never passed here" in out and "(key_9)" in out and "\x1b" not in out
    assert "7,000" in out and "The provider also counted 20 web searches." in out
    assert "what is later is not billed yet" in cli("ledger", "show", "openai").out
    listed = json.loads(cli("ledger", "show", "openai", "--day", "today", "--json").out)
    assert [(each["id"], each["billed_nanousd"]) for each in listed["data"]] == [("key_9", 4_200_000_000)]
    assert (listed["data"][0]["billed_tokens"], listed["used"]) == (7_000, {"input tokens": 7_000, "web searches": 20})
