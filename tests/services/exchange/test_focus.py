from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.ledger.amounts import BilledName, CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Billing, Cost, Usage
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import pages
from spendtop.services.exchange.focus import WrittenCharges, focus_chunks
from spendtop.services.exchange.focus_columns import COLUMNS
from spendtop.services.exchange.focus_entries import NO_LEDGERS, LedgerCharges, ledger_charges
from spendtop.services.ledger import entries
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.spending.bucket_spans import Span
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

MANDATORY = {
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory"),
    *("ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost"),
    *("ServiceCategory", "ServiceName"),
}
"""Of both versions, those that are never null."""
NULLABLE = {"BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"}
ZERO = "0.0"
MONEY = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
DAY_START = START // DAY * DAY
WALLET = Account(
    name="wallet", provider="openrouter", poller=None, poll_every=HOUR, low_balance=None, tells_balance=False
)

ORGANIZATION = replace(WALLET, name="org", provider="openai")
PROXY = replace(WALLET, name="proxy", provider="litellm")


@pytest.fixture
def recorded(store: Store) -> Recorded:
    return Recorded(store)


def charges(
    recorded: Recorded, version: str = "1.4", ledgers: LedgerCharges = NO_LEDGERS
) -> tuple[list[dict[str, str]], WrittenCharges]:
    written = WrittenCharges()
    context = FilterContext(START, Calendar())
    chunks = focus_chunks(pages(recorded.store, RequestQuery(), context), version, written, ledgers)
    text = b"".join(chunks).decode()
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline=""))), written


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_every_cell_is_as_focus_wants_it(recorded: Recorded, version: str) -> None:
    recorded.add(
        [
            recorded.request(DAY_START + HOUR, 1_234_500_000, provider="openai", model="m", user_id="=x", token="t"),
            recorded.request(DAY_START, None, model=None),
        ]
    )
    rows, _ = charges(recorded, version)
    assert tuple(rows[0]) == COLUMNS[version]
    assert set(COLUMNS[version]) >= MANDATORY | NULLABLE
    own = ("ProviderName", "PublisherName") if version == "1.2" else ("ServiceProviderName",)
    for row in rows:
        assert all(row[name] for name in (*MANDATORY, *own))
        assert all("E" not in row[name] and Decimal(row[name]) >= 0 for name in MONEY)
        begin, end = (datetime.strptime(row[f"ChargePeriod{edge}"], "%Y-%m-%dT%H:%M:%S%z") for edge in ("Start", "End"))
        assert (end - begin).total_seconds() == 86_400
        assert row["BillingPeriodStart"][8:10] == row["BillingPeriodEnd"][8:10] == "01"
        assert not row["Tags"] or all(isinstance(text, str) for text in json.loads(row["Tags"]).values())
        quantity = ("1.0", "Requests") if version == "1.2" else ("", "")
        assert (row["PricingQuantity"], row["PricingUnit"]) == quantity
        assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == quantity
        assert (row["SkuPriceId"], row["InvoiceId"]) == ("", "")


def test_the_charges_of_a_day_add_up_exactly_and_say_on_what_they_rest(recorded: Recorded) -> None:
    used = Usage(prompt=10, completion=5, cache_read=3)
    alike: dict[str, Any] = {"provider": "openai", "model": "m", "user_id": "ada", "usage": used}
    requests = [recorded.request(DAY_START + n, 333_333_333, **alike) for n in range(3)]
    cost = Cost(amount=Usd(333_333_333), basis=Basis.REPORTED, reported=Usd(333_333_333), computed=Usd(2))
    requests[0] = replace(requests[0], cost=cost)
    recorded.add([*requests, recorded.request(DAY_START + 9, None, **alike)])
    rows, written = charges(recorded)
    by_basis = {row["x_CostBasis"]: row for row in rows}
    reported, unknown = by_basis["reported"], by_basis["unknown"]
    assert (reported["BilledCost"], reported["EffectiveCost"], reported["x_Requests"]) == ("0.999999999",) * 2 + ("3",)
    assert (reported["ListCost"], reported["ContractedCost"]) == ("0.666666668", "0.999999999")
    assert (reported["x_InputTokens"], reported["x_OutputTokens"], reported["x_CacheReadTokens"]) == ("30", "15", "9")
    assert (unknown["EffectiveCost"], unknown["x_UnpricedRequests"]) == (ZERO, "1")
    assert (written.requests, written.rows, written.cost, written.unpriced) == (4, 2, Usd(999_999_999), 1)


def test_charges_are_apart_by_day_user_session_token_and_properties(recorded: Recorded) -> None:
    alike: dict[str, Any] = {"provider": "anthropic", "model": "m", "user_id": "ada", "session_id": "s", "token": "t"}
    recorded.add(
        [
            recorded.request(DAY_START, **alike),
            recorded.request(DAY_START + DAY - 1, **alike),
            recorded.request(DAY_START + DAY, **alike),
            *(recorded.request(DAY_START, **{**alike, name: "other"}) for name in ("user_id", "session_id", "token")),
            *(
                recorded.request(DAY_START, **alike, properties={"env": "prod", "anthropic.request.id": f"req_{n}"})
                for n in range(2)
            ),
        ]
    )
    rows, _ = charges(recorded)
    assert [row["ChargePeriodStart"] for row in rows] == sorted(
        (row["ChargePeriodStart"] for row in rows), reverse=True
    )
    assert sorted(row["x_Requests"] for row in rows) == ["1"] * 4 + ["2"] * 2
    tagged = next(row for row in rows if "env" in row["Tags"])
    assert json.loads(tagged["Tags"]) == {"env": "prod", "session": "s", "user": "ada"}
    assert (tagged["SubAccountId"], tagged["SubAccountType"]) == ("t", "Token")
    assert (tagged["ServiceName"], tagged["HostProviderName"]) == ("Claude API", "anthropic")


def test_what_is_no_spend_is_left_out_and_what_is_unknown_is_empty(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(DAY_START, counted=False),
            recorded.request(DAY_START, counted=False, billing=Billing.SUBSCRIPTION),
            recorded.request(DAY_START, provider="openrouter", model="m"),
        ]
    )
    (row,), written = charges(recorded)
    assert (row["x_InputTokens"], row["HostProviderName"], row["x_User"], row["Tags"]) == ("", "", "", "")
    assert written.requests == 1


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_what_is_bought_beforehand_is_billed_then_and_costs_when_it_is_used(recorded: Recorded, version: str) -> None:
    cost = Cost(amount=Usd.of(3), basis=Basis.REPORTED, reported=Usd.of(3))
    used = Usage(prompt=70, completion=7)
    with recorded.store.writing() as connection:
        for kind, amount, at in (
            (EntryKind.OPENING, "5", DAY_START - DAY),
            (EntryKind.DEPOSIT, "20.5", DAY_START + HOUR),
            (EntryKind.REFUND, "2", DAY_START + 2 * HOUR),
            (EntryKind.ADJUSTMENT, "-0.25", DAY_START + 3 * HOUR),
            (EntryKind.EXPIRY, "1", DAY_START + 4 * HOUR),
            (EntryKind.DEPOSIT, "99", DAY_START + DAY),
        ):
            entries.record(connection, "wallet", kind, Usd.of(amount), at, DAY_START + 2 * DAY)
    with recorded.store.reading() as connection:
        ledgers = ledger_charges(connection, [WALLET], Span(DAY_START, DAY_START + DAY))
    recorded.add(
        [
            replace(recorded.request(DAY_START, provider=provider, model="m", usage=used), cost=cost)
            for provider in ("openrouter", "openai")
        ]
    )
    rows, written = charges(recorded, version, ledgers)
    assert tuple(rows[0]) == COLUMNS[version] and all(row[name] for row in rows for name in MANDATORY)
    told = [(row["ChargeCategory"], *(row[name] for name in MONEY), row["ChargeFrequency"]) for row in rows]
    assert told == [
        ("Usage", "3.0", "3.0", "3.0", "3.0", "Usage-Based"),
        ("Usage", ZERO, "3.0", "3.0", "3.0", "Usage-Based"),
        ("Purchase", "20.5", "20.5", ZERO, "20.5", "One-Time"),
        ("Credit", "-2.0", "-2.0", "-2.0", "-2.0", "One-Time"),
        ("Adjustment", "0.25", "0.25", "0.25", "0.25", "One-Time"),
    ]
    assert (rows[2]["ServiceName"], rows[2]["PricingUnit"]) == ("OpenRouter", "Credits")
    accounts = [(row["BillingAccountId"], row["BillingAccountType"]) for row in rows]
    assert accounts == [("local", "Estimate"), *[("wallet", "Account")] * 4]
    assert rows[0]["PricingQuantity"] == ("77.0" if version == "1.2" else "")
    assert (written.requests, written.rows) == (2, 5)


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_what_is_billed_stands_by_project_key_and_item_and_what_a_later_month_restates_is_a_correction(
    recorded: Recorded, version: str
) -> None:
    day, next_month = DAY_START // DAY, DAY_START + 40 * DAY

    def billed(connection: Connection, usd: str, at: int, parts: dict[str, str]) -> None:
        split = [
            CostPart(day=day, amount=Decimal(usd), project="ws_1", api_key=key, line_item="m, tokens")
            for key, usd in parts.items()
        ]
        rest = CostPart(day=day + 1, amount=Decimal(usd), project="", api_key="", line_item="")
        names = (BilledName("key", "key_a", "web", "ws_1"), BilledName("project", "ws_1", "Checkout"))
        costs = Costs(first_day=day, last_day=day + 1, parts=(*split, rest), names=names)
        entries.take_costs(connection, "org", costs, at)

    with recorded.store.writing() as connection:
        billed(connection, "2", DAY_START + 2 * DAY, {"key_a": "1.25", "": "0.5"})
        billed(connection, "3", DAY_START + 3 * DAY, {"key_a": "1.25", "": "0.5"})  # within its month
        billed(connection, "2.75", next_month, {"key_a": "1.25", "": "0.5"})
        billed(connection, "2.5", next_month + DAY, {"key_a": "1.25", "": "0.5"})
        entries.take_costs(connection, "proxy", Costs(first_day=day, last_day=day, parts=()), DAY_START)
    with recorded.store.reading() as connection:
        ledgers = ledger_charges(connection, [ORGANIZATION, PROXY], Span(DAY_START, DAY_START + 2 * DAY))
    cost = Cost(amount=Usd.of(7), basis=Basis.REPORTED, reported=Usd.of(7))
    recorded.add([replace(recorded.request(DAY_START, provider="openai", model="m"), cost=cost)])
    rows, _ = charges(recorded, version, ledgers)
    assert all(row[name] for row in rows for name in MANDATORY)
    told = [
        (row["BilledCost"], row["EffectiveCost"], row["ChargeClass"], row["ResourceName"], row["SubAccountName"])
        for row in rows
    ]
    assert told[0] == (ZERO, "7.0", "", "", "")  # its bill stands apart
    assert sorted(told[1:3]) == [("0.5", ZERO, "", "", "Checkout"), ("1.25", ZERO, "", "web", "Checkout")]
    assert told[3:] == [("3.0", ZERO, "", "", ""), ("-0.5", ZERO, "Correction", "", "")]
    restated = rows[4]
    assert restated["ChargePeriodStart"] == rows[3]["ChargePeriodStart"]
    assert restated["BillingPeriodStart"] > rows[3]["BillingPeriodStart"]
    assert (restated["ConsumedQuantity"], restated["BillingAccountId"]) == ("", "org")
    assert rows[3]["ConsumedQuantity"] == ("1.0" if version == "1.2" else "")
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal("1.75") + Decimal("2.5")


def test_without_requests_there_is_the_header_alone(recorded: Recorded) -> None:
    rows, written = charges(recorded)
    assert (rows, written.rows) == ([], 0)
