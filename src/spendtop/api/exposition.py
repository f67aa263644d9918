"""The figures of /metrics as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from spendtop.domain.limits.measure import LimitedValue
from spendtop.store.reads.alerts.attention import Attention
from spendtop.store.reads.limits.uses import LimitUse
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.grown_costs import GrownCost
from spendtop.store.reads.spending.sums import Breakdown
from spendtop.store.reads.store_figures import Measures

if TYPE_CHECKING:
    from prometheus_client import Metric

OTHERS = "(other)"
NAMELESS = "(none)"


class Figures(Struct, frozen=True, kw_only=True):
    """All that is published."""

    version: str
    counters: Mapping[str, int]
    measures: Measures
    attention: Attention
    today: Mapping[str, Breakdown]
    """Today's spend by model, provider and source."""
    grown: Mapping[str, tuple[GrownCost, ...]]
    """What was ever spent, by model, provider and source."""
    under_plan: Spend
    """Today's calls under a plan: the cost is what they would have cost."""
    limits: tuple[LimitUse, ...]
    writes_waiting: int | None


def exposed(figures: Figures, accept: str) -> tuple[bytes, str]:
    """The text and its content type: OpenMetrics where `accept` names it, else the text format 0.0.4."""
    from prometheus_client import exposition
    from prometheus_client.openmetrics import exposition as openmetrics

    collector = _Collector(figures)
    if "application/openmetrics-text" in accept:
        text: bytes = openmetrics.generate_latest(collector)  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return exposition.generate_latest(collector), exposition.CONTENT_TYPE_PLAIN_0_0_4


class _Collector:
    """Gives the library what it writes out; no registry takes part."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        figures = self._figures
        yield _gauge("spendtop_info", "The version that runs.", ("version",), [((figures.version,), 1)])
        yield _events(figures.counters)
        yield from _store(figures.measures, figures.attention)
        if figures.writes_waiting is not None:
            yield _gauge(
                "spendtop_writes_waiting", "Writes that wait for their turn.", (), [((), figures.writes_waiting)]
            )
        for dimension, breakdown in figures.today.items():
            yield from _spend(dimension, breakdown)
        yield from _grown(figures.grown)
        yield _gauge(
            "spendtop_api_equivalent_usd",
            "What today's calls under a plan would have cost, in US dollars: it is no spend.",
            (),
            [((), float(figures.under_plan.cost.dollars))],
        )
        yield from _limits(figures.limits)


def _events(counters: Mapping[str, int]) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily

    family = CounterMetricFamily("spendtop_events", "What the listener counted since its start.", labels=("event",))
    for name, count in counters.items():
        family.add_metric((name,), count)
    return family


def _store(measures: Measures, attention: Attention) -> Iterator[Metric]:
    last = measures.last_request_at
    figures: Mapping[str, tuple[str, float | None]] = {
        "requests_stored": ("Requests that the store keeps.", measures.requests),
        "active_tokens": ("Tracking tokens that may push.", measures.active_tokens),
        "last_request_timestamp_seconds": (
            "When the latest request happened, in Unix seconds.",
            None if last is None else last / 1_000_000,
        ),
        "alerts_open": ("Alerts that are not resolved.", attention.open_alerts),
        "deliveries_waiting": ("Messages that are not sent yet.", attention.waiting_deliveries),
        "deliveries_dead": ("Messages that could not be sent.", attention.dead_deliveries),
        "quarantined": ("Events that were not understood.", attention.unrecognized),
    }
    for name, (text, value) in figures.items():
        if value is not None:
            yield _gauge(f"spendtop_{name}", text, (), [((), value)])


def _spend(dimension: str, breakdown: Breakdown) -> Iterator[Metric]:
    spends = [(row.key.raw, row.spend) for row in breakdown.rows]
    if breakdown.other_keys:
        spends.append((OTHERS, breakdown.others))
    name = f"spendtop_{dimension}"
    yield _gauge(
        f"{name}_spend_today_usd",
        f"Known cost of today's requests by {dimension}, in US dollars.",
        (dimension,),
        [((key,), float(known.dollars)) for key, spend in spends if (known := spend.known_cost) is not None],
    )
    yield _gauge(
        f"{name}_requests_today",
        f"Today's requests by {dimension}.",
        (dimension,),
        [((key,), spend.requests) for key, spend in spends],
    )
    yield _gauge(
        f"{name}_unpriced_today",
        f"Today's requests whose cost is not known, or only in part, by {dimension}.",
        (dimension,),
        [((key,), spend.unpriced) for key, spend in spends],
    )
    yield _gauge(
        f"{name}_failed_today",
        f"Today's requests that ended with an error and without any usage by {dimension}.",
        (dimension,),
        [((key,), spend.failed) for key, spend in spends],
    )


def _grown(grown: Mapping[str, tuple[GrownCost, ...]]) -> Iterator[Metric]:
    """Of each sample one label says whose it is; the others are empty, which is as if they were not there."""
    from prometheus_client.metrics_core import CounterMetricFamily

    raised = CounterMetricFamily(
        "spendtop_cost_usd",
        "What known costs ever rose by, in US dollars, by model, by provider or by source: sum by one of them.",
        labels=tuple(grown),
    )
    lowered = CounterMetricFamily(
        "spendtop_cost_lowered_usd",
        "What corrections lowered costs by, in US dollars: spendtop_cost_usd less this is what was spent.",
        labels=tuple(grown),
    )
    for dimension, costs in grown.items():
        for cost in costs:
            whose = tuple((cost.key.raw or NAMELESS) if label == dimension else "" for label in grown)
            raised.add_metric(whose, float(cost.raised.dollars))
            lowered.add_metric(whose, float(cost.lowered.dollars))
    yield raised
    yield lowered


def _limits(uses: Iterable[LimitUse]) -> Iterator[Metric]:
    labels = ("limit", "entity", "window")
    named = [((use.limit.name, use.name.raw, use.limit.window.text), use) for use in uses]
    of = {measure: [each for each in named if each[1].limit.measure is measure] for measure in LimitedValue}
    yield _gauge(
        "spendtop_limit_used_ratio",
        "Use of a limit; 1 is all of it.",
        labels,
        [(who, use.fraction) for who, use in named],
    )
    yield _gauge(
        "spendtop_limit_used_usd",
        "Use of a limit in US dollars.",
        labels,
        [(who, float(use.used.dollars)) for who, use in of[LimitedValue.SPEND]],
    )
    yield _gauge(
        "spendtop_limit_used_api_equivalent_usd",
        "Use of a limit on usage under plans: what it would have cost in US dollars, which is no spend.",
        labels,
        [(who, float(use.used.dollars)) for who, use in of[LimitedValue.API_EQUIVALENT]],
    )
    yield _gauge(
        "spendtop_limit_usd",
        "A limit's amount in US dollars.",
        labels,
        [(who, float(use.limit.amount.dollars)) for who, use in named],
    )


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
