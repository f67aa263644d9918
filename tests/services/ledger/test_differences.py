"""A day's bill against what we saw, from the store to the sentence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.differences import DifferenceKind, Share
from spendtop.domain.money import ZERO, Usd
from spendtop.services.ledger.differences import explain, sentence
from spendtop.services.ledger.entries import take_costs
from spendtop.store.engine import Store
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, request


def test_eighty_cents_through_an_unknown_key_are_found_and_named(
    store: Store, collecting: Callable[..., Collecting], clock: SettableClock
) -> None:
    day = clock() // DAY
    openai = {"provider": "openai", "model": "gpt-4o-2024-08-06"}
    collecting().record(*(request(number, clock(), 354_000_000, **openai) for number in range(100)))
    billed = [("key_ours", "gpt-4o-2024-08-06, input", "20.1"), ("key_ours", "gpt-4o-2024-08-06, output", "15.3")]
    parts = tuple(
        CostPart(day=day, amount=Decimal(amount), project="proj_web", api_key=key, line_item=item)
        for key, item, amount in [*billed, ("key_9a", "gpt-4o-2024-08-06, output", "0.80")]
    )
    with store.writing() as connection:
        take_costs(connection, "openai", Costs(first_day=day, last_day=day, parts=parts), clock())
    with store.reading() as connection:
        found = explain(connection, "openai", "openai", day)
        assert explain(connection, "openai", "openai", day - 1) is None
    assert found is not None
    assert (found.billed, found.ours, found.difference) == (Usd.of("36.2"), Usd.of("35.4"), Usd.of("0.8"))
    (share,) = found.shares
    assert (share.kind, share.amount) == (DifferenceKind.UNSEEN, Usd.of("0.80"))
    assert sentence(share) == "API key key_9a of project proj_web (gpt-4o-2024-08-06): never passed through us"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (Share(kind=DifferenceKind.UNSEEN, amount=ZERO, project="p"), "project p: never passed through us"),
        (
            Share(kind=DifferenceKind.UNSEEN, amount=ZERO, models=("a", "b", "c", "d", "e")),
            "traffic without a key or project (a, b, c and 2 more): never passed through us",
        ),
        (Share(kind=DifferenceKind.UNPRICED, amount=ZERO, models=("a",), requests=1), "1 request of a without a price"),
        (Share(kind=DifferenceKind.UNPRICED, amount=ZERO, requests=1_400), "1,400 requests without a price"),
        (
            Share(kind=DifferenceKind.BOUNDARY, amount=Usd(1), models=("a",)),
            "a within minutes of midnight UTC, from a neighbour day",
        ),
        (
            Share(kind=DifferenceKind.BOUNDARY, amount=Usd(-1)),
            "requests within minutes of midnight UTC, on a neighbour day's bill",
        ),
        (Share(kind=DifferenceKind.PRICE, amount=Usd(-1), models=("a",)), "a billed below our price"),
        (Share(kind=DifferenceKind.PRICE, amount=Usd(1)), "requests billed above our price"),
        (Share(kind=DifferenceKind.OTHER, amount=ZERO, line_item="web\x1b[2J"), "web"),
        (Share(kind=DifferenceKind.OTHER, amount=ZERO), "a part without a name: billed beside a model's tokens"),
        (Share(kind=DifferenceKind.REST, amount=Usd(1), models=("a",)), "a: billed for more than we saw"),
        (Share(kind=DifferenceKind.REST, amount=Usd(-1), models=("a",)), "a: seen, but not billed"),
        (Share(kind=DifferenceKind.REST, amount=Usd(1)), "not explained"),
    ],
)
def test_each_share_is_a_sentence(share: Share, said: str) -> None:
    assert sentence(share).startswith(said)
    assert "\x1b" not in sentence(share)
