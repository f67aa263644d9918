from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.limits.limit import Each, Limit, LimitState, family_of
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Billing, Request, TimeSource
from spendtop.domain.sources.records import AGENTS, INGEST, OTLP
from spendtop.domain.windows import parse_window

DOLLAR = 1_000_000_000


def limit(
    window: str = "day",
    usd: int = 100,
    warn: tuple[float, ...] = (0.5, 0.8),
    each: Each | None = None,
    where: str = "",
    reserve: str | None = None,
    name: str = "l",
) -> Limit:
    return Limit(
        name=name,
        window=parse_window(window),
        amount=Usd(usd * DOLLAR),
        warn=warn,
        each=each,
        where=parse_filter(where) if where else None,
        where_text=where,
        reserve=reserve,
    )


@pytest.mark.parametrize(
    ("used", "state"),
    [
        (50 * DOLLAR - 1, LimitState.OK),
        (50 * DOLLAR, LimitState.APPROACHING),
        (100 * DOLLAR - 1, LimitState.APPROACHING),
        (100 * DOLLAR, LimitState.EXCEEDED),
    ],
)
def test_a_limit_stands_at_its_thresholds_exactly(used: int, state: LimitState) -> None:
    assert limit().state(Usd(used)) is state


def test_a_single_request_is_exceeded_only_above_the_amount() -> None:
    assert limit("request").state(Usd(100 * DOLLAR)) is LimitState.OK
    assert limit("request").state(Usd(100 * DOLLAR + 1)) is LimitState.EXCEEDED


def test_without_warnings_nothing_approaches() -> None:
    assert limit(warn=()).state(Usd(100 * DOLLAR - 1)) is LimitState.OK


@given(st.integers(1, 99), st.integers(1, 10_000))
def test_a_threshold_is_exactly_the_written_fraction(percent: int, usd: int) -> None:
    assert limit(usd=usd).threshold(percent / 100) == Usd(percent * usd * DOLLAR // 100)
    reached = limit(usd=usd, warn=(percent / 100,))
    assert reached.state(Usd(percent * usd * DOLLAR // 100)) is LimitState.APPROACHING
    assert reached.state(Usd(percent * usd * DOLLAR // 100 - 1)) is LimitState.OK


@pytest.mark.parametrize("each", [each for each in Each if each is not Each.AGENT])
def test_each_names_the_field_that_a_request_counts_for(each: Each) -> None:
    fields = {Each.USER: "user_id", Each.TOKEN: "token", Each.SESSION: "session_id"}
    values: dict[str, Any] = {fields.get(each, "model"): "it"}
    plain = Request(
        source=INGEST, external_id="1", received_at=0, occurred_at=0, time_source=TimeSource.CLIENT, **values
    )
    models = (Each.MODEL, Each.MODEL_FAMILY)
    named = models if each in models else (each,)
    assert [one.value_of(plain) for one in Each] == ["it" if one in named else None for one in Each]


def test_an_agent_is_the_one_of_a_user_wherever_its_call_is_told() -> None:
    read = Request(
        source=AGENTS[0],
        external_id="1",
        received_at=0,
        occurred_at=0,
        time_source=TimeSource.CLIENT,
        user_id="mira",
        billing=Billing.UNKNOWN,
    )
    pushed = replace(read, source=OTLP, properties={"agent": "claude-code"})
    assert Each.AGENT.value_of(read) == Each.AGENT.value_of(pushed) == "claude-code mira"
    assert Each.AGENT.value_of(replace(read, billing=None)) is None


@pytest.mark.parametrize(
    ("model", "of"),
    [("openai/gpt-4o-2024-08-06", "gpt-4o"), ("gpt-4o", "gpt-4o"), (None, None), ("", None), (" ", None)],
)
def test_a_request_counts_for_the_family_of_its_model(model: str | None, of: str | None) -> None:
    assert family_of(model) == of


def test_limits_share_totals_where_they_count_the_same_and_never_else() -> None:
    assert limit().dimension == limit("1h", 5, name="other").dimension == "all"
    assert limit(each=Each.SESSION).dimension == "session"
    own = [
        limit(where="user:a"),
        limit(where="user:b"),
        limit(where="user:a", each=Each.MODEL),
        limit(reserve="gpt-4o"),
        limit(reserve="o3"),
        limit(reserve="gpt-4o", where="user:a"),
        limit(each=Each.MODEL_FAMILY),
        limit(each=Each.MODEL_FAMILY, where="user:a"),
        limit(each=Each.MODEL_FAMILY, reserve="o3"),
    ]
    dimensions = [one.dimension for one in own]
    assert len(set(dimensions)) == len(own)
    assert all(dimension.startswith("limit/") for dimension in dimensions)
    assert limit(where="user:a", window="1h", name="again").dimension == own[0].dimension


def test_use_is_a_share_of_the_amount() -> None:
    assert limit().fraction(Usd(25 * DOLLAR)) == 0.25
