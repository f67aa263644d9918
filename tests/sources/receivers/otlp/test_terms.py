"""What most spans of a program have in common is remembered, and says the same as when it is read anew."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.sources.receivers.otlp.forms import form_of
from spendtop.sources.receivers.otlp.names import NAMES
from spendtop.sources.receivers.otlp.spans import TraceSpan
from spendtop.sources.receivers.otlp.terms import terms_of

SPAN = TraceSpan(
    trace_id="a" * 32,
    span_id="b" * 16,
    parent_id="",
    name="chat",
    kind=3,
    scope_name="",
    scope_version="",
    start=0,
    end=0,
    has_failed=False,
    has_succeeded=True,
    message="",
    attributes={},
    events=(),
    resource={},
)
TELLING = (*NAMES.model, *NAMES.provider, *NAMES.address, *NAMES.service_level, *NAMES.speed, *NAMES.inference_geo)
WRITTEN = ("ai.operationId", "ai.usage.tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.user")
VALUES = st.sampled_from(["gpt-4o", "claude-opus-4-6", "anthropic", "aws.bedrock", "flex", "priority", "fast", "us"])
ATTRIBUTES = st.dictionaries(
    st.sampled_from([*TELLING, *WRITTEN]), VALUES | st.none() | st.integers(0, 9) | st.just("x" * 300), max_size=8
)


@settings(max_examples=60)
@given(ATTRIBUTES, st.sampled_from(["", "ai", "openlit", "strands.telemetry.tracer"]), st.booleans())
def test_terms_are_the_same_read_anew(attributes: dict[str, Any], scope: str, is_converse: bool) -> None:
    span = replace(SPAN, scope_name=scope, name="bedrock.converse" if is_converse else "chat", attributes=attributes)
    form = form_of(attributes)
    anew = terms_of(span, attributes, replace(form, is_remembered=False), {}, {})
    assert terms_of(span, attributes, form, {}, {}) == terms_of(span, attributes, form, {}, {}) == anew


def test_names_of_any_length_are_read_and_only_short_ones_remembered() -> None:
    long = [f"gen_ai.usage.{'x' * 900}{number}" for number in range(10)]
    assert form_of(long).unread == tuple(long) and form_of(long) is not form_of(long)
    assert form_of(long[:1]) is form_of(long[:1])
