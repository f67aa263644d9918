"""What people read of one request, the same on every face."""

from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.money import ZERO, Usd
from spendtop.domain.requests.request import Basis, Cost, Reporter, ServiceLevel, Status, TimeSource, Usage
from spendtop.services.exchange.lines import Wording, cost_line, request_lines
from spendtop.store.reads.requests.detail import RequestDetail
from spendtop.store.reads.rows import RequestRow

USED = Usage(prompt=1_000, completion=10)
TEN, EIGHTY = Usd.of("0.10"), Usd.of("0.80")
PLAIN = Wording(instant=str, tokens=str, milliseconds=str)


def detail(cost: Cost, usage: Usage = USED, **facts: Any) -> RequestDetail:
    more = {name: facts.pop(name) for name in ("twin_source", "contradiction") if name in facts}
    row = RequestRow(
        id=117_637_120_000_000_000,
        source="helicone",
        sources=("helicone",),
        external_ids={"helicone": "h-1"},
        properties={},
        occurred_at=0,
        received_at=0,
        time_source=TimeSource.API,
        usage=usage,
        cost=cost,
        **facts,
    )
    return RequestDetail(row, None, None, (), **more)


def reported(by: Reporter | None, **more: Any) -> Cost:
    return Cost(amount=EIGHTY, basis=Basis.REPORTED, reported=EIGHTY, reported_by=by, **more)


def computed(**more: Any) -> Cost:
    return Cost(amount=TEN, basis=Basis.COMPUTED, computed=TEN, **more)


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        (reported(Reporter.PROVIDER), "$0.80 reported by the provider (no price known to compare)"),
        (reported(Reporter.GATEWAY, computed=TEN), "$0.80 reported by the gateway (computed $0.10)"),
        (reported(Reporter.CLIENT, computed=TEN), "$0.80 reported by the client (computed $0.10)"),
        (reported(None, computed=TEN), "$0.80 reported by helicone (computed $0.10)"),
        (
            reported(Reporter.GATEWAY, computed=TEN, doubtful=True),
            "$0.80 reported by the gateway, computed $0.10: one of them is wrong",
        ),
        (computed(), "$0.10 computed from what it used"),
        (
            computed(reported=Usd(0), reported_by=Reporter.INSTRUMENTATION),
            "$0.10 computed from what it used ($0.00 reported by the instrumentation, not trusted)",
        ),
        (
            computed(unpriced_units={"web_searches": 2, "input_audio_seconds": 90}),
            "$0.10 + 2 web searches and 90 s of audio input unpriced, computed from what it used",
        ),
        (Cost(), "unpriced: no price is known for this model"),
    ],
)
def test_a_cost_says_where_it_comes_from_and_what_is_not_in_it(cost: Cost, line: str) -> None:
    assert cost_line(detail(cost)) == line


def test_an_unknown_cost_says_why() -> None:
    assert cost_line(detail(Cost(), Usage())) == "unpriced: what it used is not known"
    why = "1,000 cache read tokens are more than 900 prompt tokens"
    assert cost_line(detail(Cost(), contradiction=why)) == f"unknown: contradictory counts, {why}"


def test_a_call_that_failed_before_anything_was_used_says_why_it_is_free() -> None:
    failed = Cost(amount=ZERO, basis=Basis.COMPUTED, computed=ZERO)
    assert cost_line(detail(failed, Usage(), status=Status.ERROR)) == "$0.00 as it failed before anything was used"


def test_what_is_in_no_total_says_so() -> None:
    assert cost_line(detail(computed(), counted=False)).startswith("($0.10) computed")
    assert cost_line(detail(computed(), counted=False)).endswith(", shadow token: in no total")


def test_a_level_without_a_price_of_its_own_says_which_one_was_taken() -> None:
    def level(**facts: Any) -> str | None:
        return dict(request_lines(detail(**facts), PLAIN))["service level"]

    assert level(cost=computed()) is None
    assert level(cost=computed(), service_level=ServiceLevel.BATCH) == "batch"
    assumed = computed(level_assumed=True)
    assert level(cost=assumed, service_level=ServiceLevel.BATCH) == "batch (standard price assumed)"


def test_a_probable_twin_is_named_with_what_to_do() -> None:
    def twin(**facts: Any) -> str | None:
        return dict(request_lines(detail(computed(), **facts), PLAIN))["probable twin of"]

    assert twin() is None
    advice = "make the token of one of them `--shadow`"
    assert twin(probable_twin_of=12, twin_source="litellm") == f"probably the same call as 12 of litellm; {advice}"
    assert twin(probable_twin_of=12) == f"probably the same call as 12; {advice}"


def test_other_units_than_tokens_have_lines_of_their_own() -> None:
    usage = Usage(prompt=1_000, completion=10, units={"web_searches": 2, "input_audio_seconds": 12.5})
    lines = dict(request_lines(detail(computed(unpriced_units={"web_searches": 2}), usage), PLAIN))
    assert (lines["quantity of web_searches"], lines["quantity of input_audio_seconds"]) == ("2", "12.5")
    assert lines["unpriced web_searches"] == "2"
    assert lines["reported by"] is None
