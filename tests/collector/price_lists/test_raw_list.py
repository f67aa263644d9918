from __future__ import annotations

import json
from decimal import Decimal

import pytest

from spendtop.collector.price_lists import raw_list
from spendtop.collector.price_lists.raw_list import NoPriceList, read_list
from spendtop.domain.pricing.published_list import bundled_list
from tests.collector.price_lists.publisher import a_list


def test_a_list_is_read_as_the_package_reads_it() -> None:
    snapshot = read_list(a_list(["acme-large"], 2.5))
    provider, model = snapshot.find_provider_model("acme-large", None, "acme", None)
    assert (provider.id, str(model.get_prices(None))) == ("acme", "$2.5/input MTok, $4/output MTok")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "is no whole JSON"),
        (a_list()[:-5], "is no whole JSON"),
        (b"\xff\xfe\x00", "is no whole JSON"),
        (b"<!doctype html>", "is no whole JSON"),
        (b"[" * 100_000, "is no whole JSON"),
        (b'{"providers": []}', "is no list of providers"),
        (b"[1, 2]", "cannot be read"),
        (b'[{"id": "acme"}]', "cannot be read"),
        (a_list(input_mtok="many"), "cannot be read"),  # type: ignore[arg-type]
        (a_list(models=[{"id": "a", "match": {"regex": "("}, "prices": {}}]), "cannot be read"),  # type: ignore[list-item]
        (a_list(model_match={"regex": "("}), "cannot be read"),
        (a_list(models=[{"id": "a", "match": None, "prices": {}}]), "cannot be read"),  # type: ignore[list-item]
        (a_list(input_mtok=float("nan")), "cannot be read"),
        (a_list(input_mtok=-1), "has prices below zero, or a model without any"),
        (
            a_list(input_mtok={"base": 1, "tiers": [{"start": 9, "price": -1}]}),  # type: ignore[arg-type]
            "has prices below zero, or a model without any",
        ),
    ],
)
def test_what_is_no_list_says_what_it_is(raw: bytes, what: str) -> None:
    with pytest.raises(NoPriceList, match=f"^{what}$"):
        read_list(raw)


def test_the_programs_own_prices_would_be_taken() -> None:
    """What the package brings is what is published on the day of its release."""
    for provider in bundled_list().snapshot.providers:
        for model in provider.models:
            assert raw_list._has_prices(model), model


def test_units_that_the_package_has_not_heard_of_are_left_out() -> None:
    prices = {"input_mtok": 1, "holograms_kcount": 2}
    raw = a_list([]).replace(
        b'"models": []',
        b'"models": [%s]' % json.dumps({"id": "a", "match": {"equals": "a"}, "prices": prices}).encode(),
    )
    assert vars(read_list(raw).providers[0].models[0].prices) == {"input_mtok": Decimal(1)}
