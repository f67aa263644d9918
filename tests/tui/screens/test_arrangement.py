"""The menu of orders."""

from __future__ import annotations

import pytest

from spendtop.tui.screens.arrangement import order_keys


@pytest.mark.parametrize(
    ("orders", "keys"),
    [
        (["time", "user", "model", "tokens", "cost", "status", "latency"], "tumocsl"),
        (["requests", "cost", "tokens", "$/min", "first", "last"], "rctmfl"),
        (["kind", "quota", "queue"], "iue"),
    ],
)
def test_every_order_has_a_letter_of_its_own_that_means_nothing_else(orders: list[str], keys: str) -> None:
    assert order_keys(orders) == dict(zip(keys, orders, strict=True))
