from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from spendtop.api.exposition import OTHERS, Figures, exposed
from spendtop.domain.limits.limit import Limit, LimitState
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import parse_window
from spendtop.store.reads.alerts.attention import Attention
from spendtop.store.reads.limits.uses import LimitUse
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.grown_costs import GrownCost
from spendtop.store.reads.spending.sums import Breakdown, KeySpend
from spendtop.store.reads.store_figures import Measures

PROMETHEUS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
LIMIT = Limit(name="daily", window=parse_window("day"), amount=Usd.of(10))
PLAN = Limit(name="plan", window=parse_window("day"), amount=Usd.of(10), measure=LimitedValue.API_EQUIVALENT)


def spend(dollars: int, requests: int = 1, unpriced: int = 0) -> Spend:
    return Spend(requests, Usd.of(dollars), unpriced, 0, 0, 0)


def breakdown(*keys: str, others: int = 0) -> Breakdown:
    return Breakdown(tuple(KeySpend(Untrusted(key), spend(2, 3, 1)) for key in keys), spend(others), others)


def figures(**changes: Any) -> Figures:
    values: dict[str, Any] = {
        "version": "1.2",
        "counters": {"ingest_success": 7, "failed": 0},
        "measures": Measures(12, 2, 1_795_000_000_500_000),
        "attention": Attention(1, 2, 3, 4, 5, 6, 7),
        "today": {"model": breakdown("gpt-4o")},
        "grown": {"model": (GrownCost(Untrusted("gpt-4o"), Usd.of(9), Usd.of(2)),), "source": ()},
        "under_plan": spend(7),
        "limits": (
            LimitUse(LIMIT, Untrusted("alice"), Untrusted("alice"), None, None, Usd.of(4), 0, LimitState.OK, 0.4),
            LimitUse(PLAN, Untrusted(""), Untrusted(""), None, None, Usd.of(5), 0, LimitState.OK, 0.5),
        ),
        "writes_waiting": 9,
    }
    return Figures(**{**values, **changes})


def samples(families: Iterable[Metric]) -> dict[tuple[str, tuple[str, ...]], float]:
    return {(each.name, tuple(each.labels.values())): each.value for family in families for each in family.samples}


def read(published: Figures, accept: str) -> dict[tuple[str, tuple[str, ...]], float]:
    text = exposed(published, accept)[0].decode()
    parse = parse_openmetrics if "openmetrics" in accept else parse_text
    return samples(parse(text))


def test_the_format_is_the_one_that_was_asked_for() -> None:
    assert exposed(figures(), "text/plain")[1] == "text/plain; version=0.0.4; charset=utf-8"
    text, content_type = exposed(figures(), PROMETHEUS)
    assert content_type.startswith("application/openmetrics-text; version=1")
    assert text.endswith(b"# EOF\n")


def test_every_figure_is_named_described_and_typed() -> None:
    found = read(figures(), "text/plain")
    assert found == read(figures(), PROMETHEUS)
    assert found == {
        ("spendtop_info", ("1.2",)): 1,
        ("spendtop_events_total", ("ingest_success",)): 7,
        ("spendtop_events_total", ("failed",)): 0,
        ("spendtop_requests_stored", ()): 12,
        ("spendtop_active_tokens", ()): 2,
        ("spendtop_last_request_timestamp_seconds", ()): 1_795_000_000.5,
        ("spendtop_alerts_open", ()): 5,
        ("spendtop_deliveries_waiting", ()): 4,
        ("spendtop_deliveries_dead", ()): 3,
        ("spendtop_quarantined", ()): 1,
        ("spendtop_writes_waiting", ()): 9,
        ("spendtop_model_spend_today_usd", ("gpt-4o",)): 2,
        ("spendtop_model_requests_today", ("gpt-4o",)): 3,
        ("spendtop_model_unpriced_today", ("gpt-4o",)): 1,
        ("spendtop_model_failed_today", ("gpt-4o",)): 0,
        ("spendtop_cost_usd_total", ("gpt-4o", "")): 9,
        ("spendtop_cost_lowered_usd_total", ("gpt-4o", "")): 2,
        ("spendtop_api_equivalent_usd", ()): 7,
        ("spendtop_limit_used_ratio", ("alice", "daily", "day")): 0.4,
        ("spendtop_limit_used_usd", ("alice", "daily", "day")): 4,
        ("spendtop_limit_usd", ("alice", "daily", "day")): 10,
        ("spendtop_limit_used_ratio", ("", "plan", "day")): 0.5,
        ("spendtop_limit_used_api_equivalent_usd", ("", "plan", "day")): 5,
        ("spendtop_limit_usd", ("", "plan", "day")): 10,
    }
    text = exposed(figures(), "text/plain")[0].decode()
    names = {name.removesuffix("_total") for name, _ in found}
    for kind in ("HELP", "TYPE"):
        described = {
            line.split()[2].removesuffix("_total") for line in text.splitlines() if line.startswith(f"# {kind}")
        }
        assert described == names


def test_what_is_not_known_is_left_out() -> None:
    found = read(figures(measures=Measures(0, 0, None), writes_waiting=None), "text/plain")
    assert not {name for name, _ in found} & {"spendtop_last_request_timestamp_seconds", "spendtop_writes_waiting"}


def test_what_is_beyond_the_largest_keys_is_one_sum() -> None:
    found = read(figures(today={"model": breakdown("gpt-4o", others=5)}), "text/plain")
    assert found["spendtop_model_spend_today_usd", (OTHERS,)] == 5


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_label_is_read_as_it_was_whatever_is_in_it(label: str) -> None:
    published = figures(today={"model": breakdown(label)}, limits=(), counters={})
    for accept in ("text/plain", PROMETHEUS):
        assert read(published, accept)["spendtop_model_spend_today_usd", (label,)] == 2
