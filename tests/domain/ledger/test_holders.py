"""Whose requests are whose, beside the bill of a day."""

from __future__ import annotations

from typing import Any

from spendtop.domain.ledger.differences import BilledPart
from spendtop.domain.ledger.holders import (
    HolderBill,
    HolderName,
    Names,
    SeenRequests,
    by_key,
    by_project,
    by_user,
    holder_words,
)
from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, UsedPart
from spendtop.domain.money import Usd

NAMES: Names = {
    "key": {
        "apikey_1": HolderName(name="checkout-prod", project="ws_1"),
        "apikey_2": HolderName(name="batch", project="ws_1"),
    },
    "user": {"user_1": HolderName(name="alice@example.com")},
    "project": {"ws_1": HolderName(name="Checkout")},
}


def part(key: str, usd: int, model: str = "sonnet", project: str = "ws_1") -> BilledPart:
    return BilledPart(project=project, api_key=key, line_item=f"{model}, tokens" if model else "", cost=Usd.of(usd))


def seen(usd: int, model: str = "sonnet", **fields: Any) -> SeenRequests:
    return SeenRequests(**{"model": model, "cost": Usd.of(usd), "requests": 1, "unpriced": 0, **fields})


def told(rows: tuple[HolderBill, ...]) -> list[tuple[str, int, int]]:
    """Id, or * for what several can have sent, and whole dollars billed and seen."""
    return [("*" if row.is_shared else row.id, row.billed.nano // 10**9, row.seen.nano // 10**9) for row in rows]


def test_a_request_is_its_keys_by_id_name_token_or_as_only_one_can_have_sent_it() -> None:
    parts = [part("apikey_1", 40), part("apikey_2", 8, "haiku"), part("apikey_3", 3, "opus", "ws_2")]
    requests = [
        seen(1, key="apikey_1"),
        seen(2, key="Checkout-Prod"),
        seen(4, token="checkout-prod"),
        seen(8, "haiku"),
        seen(16, project="ws_1"),
        seen(32, key="unheard-of"),
    ]
    rows = by_key(parts, requests, NAMES)
    assert told(rows) == [("apikey_1", 40, 23), ("apikey_2", 8, 8), ("apikey_3", 3, 0), ("unheard-of", 0, 32)]
    assert [row.never_passed for row in rows] == [False, False, True, False]
    assert [row.name for row in rows] == ["checkout-prod", "batch", "", ""]


def test_tokens_that_are_billed_stand_beside_those_that_were_seen() -> None:
    used = [
        UsedPart(1, INPUT_TOKENS, 600, api_key="apikey_1", user="user_1"),
        UsedPart(1, OUTPUT_TOKENS, 50, api_key="apikey_1"),
        UsedPart(1, "web searches", 20, api_key="apikey_1"),
        UsedPart(1, INPUT_TOKENS, 7, api_key="apikey_free"),
    ]
    requests = [seen(1, key="apikey_1", tokens=640), seen(1, key="apikey_1", tokens=9, is_later=True)]
    rows = by_key([part("apikey_1", 40)], requests, NAMES, used)
    assert [(row.id, row.billed_tokens, row.seen_tokens) for row in rows] == [
        ("apikey_1", 650, 640),
        ("apikey_free", 7, 0),
    ]
    (checkout, other) = by_project([part("apikey_1", 40)], requests, NAMES, used)
    assert (checkout.id, checkout.billed_tokens, other.billed_tokens) == ("ws_1", 650, 7)
    assert [row.billed_tokens for row in by_user([], [], [], NAMES, used)] == [57, 600]


def test_what_several_keys_can_have_sent_stays_apart() -> None:
    rows = by_key([part("apikey_1", 5), part("apikey_2", 5)], [seen(3), seen(4, "unbilled")], NAMES)
    assert told(rows) == [("apikey_1", 5, 0), ("apikey_2", 5, 0), ("*", 0, 7)]


def test_on_a_bill_that_names_no_model_requests_are_the_only_keys() -> None:
    assert told(by_key([part("apikey_1", 5, "")], [seen(3)], NAMES)) == [("apikey_1", 5, 3)]
    assert told(by_key([part("apikey_1", 5, ""), part("", 1, "")], [seen(3)], NAMES))[-1] == ("*", 0, 3)


def test_a_workspace_tells_keys_of_one_model_apart() -> None:
    parts = [part("apikey_1", 5), part("apikey_9", 7, project="ws_2")]
    rows = by_key(parts, [seen(5, project="Checkout"), seen(7, project="ws_2")], NAMES)
    assert told(rows) == [("apikey_9", 7, 7), ("apikey_1", 5, 5)]


def test_what_is_later_than_the_bill_is_not_compared_with_it() -> None:
    (row,) = by_key([part("apikey_1", 5)], [seen(5), seen(2, is_later=True, requests=3)], NAMES)
    assert (row.difference, row.later, row.later_requests) == (Usd(0), Usd.of(2), 3)
    (only,) = by_key([part("apikey_1", 5)], [seen(2, is_later=True)], NAMES)
    assert not only.never_passed


def test_projects_are_those_of_the_bill_or_of_the_key() -> None:
    parts = [part("apikey_1", 5, project=""), part("", 2, "opus", "ws_2")]
    rows = by_project(parts, [seen(5, project="Checkout"), seen(1, "opus"), seen(1, key="batch")], NAMES)
    assert told(rows) == [("ws_1", 5, 6), ("ws_2", 2, 1)]


def test_users_meet_by_id_or_mail_and_strangers_have_a_row_of_their_own() -> None:
    requests = [seen(1, user="user_1"), seen(2, user="alice@example.com"), seen(4, user="bob"), seen(8)]
    rows = by_user([("user_1", Usd.of(3)), ("", Usd.of(9))], [], requests, NAMES)
    assert told(rows) == [("", 9, 0), ("user_1", 3, 3), ("bob", 0, 4), ("*", 0, 8)]
    unnamed = by_user([], [part("apikey_1", 5)], [*requests[:1], seen(8)], NAMES)
    assert told(unnamed) == [("", 0, 8), ("user_1", 0, 1)]


def test_holders_are_called_by_name_and_id_and_hostile_names_are_harmless() -> None:
    assert holder_words("apikey_1", "batch", "key", False) == "batch (apikey_1)"
    assert "\x1b" not in holder_words("k\x1b[2J", "n\x1b[2J", "key", False)
    assert holder_words("", "", "user", False) == "(no user)"
    assert holder_words("", "", "key", True) == "(of no key alone)"
