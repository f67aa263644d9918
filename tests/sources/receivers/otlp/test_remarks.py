"""Spans that are no requests are told, so that nobody looks for them in vain."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from spendtop.domain.sources.remarks import Remark, RemarkKind
from spendtop.sources.receivers.otlp.receiver import JSON, OtlpReceiver
from tests.otlp_posts import ARRIVAL, by, call, export, in_json, span
from tests.otlp_receiving import pushed

TOLD: dict[str, Any] = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5}
AGENT = {**TOLD, "gen_ai.operation.name": "invoke_agent"}
WRONG = {"gen_ai.usage.input_tokens": -77_001}


def remarks(*spans: dict[str, Any], **more: Any) -> list[tuple[RemarkKind, str, int]]:
    return [(each.kind, each.name, each.count) for each in pushed(*spans, **more).remarks]


def test_wrappers_without_a_call_are_counted_with_a_name() -> None:
    chain = by("langchain", span(3, {**TOLD, "openinference.span.kind": "CHAIN"}, name="ask"))
    assert remarks(span(1, AGENT, name="agent"), span(2, AGENT, name="agent"), chain) == [
        (RemarkKind.NOT_TAKEN, "invoke_agent span 'agent'", 2),
        (RemarkKind.NOT_TAKEN, "CHAIN span 'ask' by langchain", 1),
    ]
    assert remarks(span(1, TOLD, name="mine")) == [(RemarkKind.NOT_TAKEN, "unknown span 'mine'", 1)]


def test_wrappers_whose_calls_were_taken_are_not() -> None:
    spans = [span(1, AGENT), span(2, {"gen_ai.operation.name": "agent_step"}, parent=1), call(3, parent=2)]
    assert remarks(*spans) == remarks(*spans[::-1]) == []
    receiver = OtlpReceiver()
    assert [remarks(each, receiver=receiver) for each in spans[::-1]] == [[], [], []]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"gen_ai.request.model": "gpt-4o"},
        {"gen_ai.usage.input_tokens": 5},
        {**TOLD, "gen_ai.usage.input_tokens": 0},
        {**TOLD, **WRONG},
        {"http.route": "/"},
    ],
)
def test_spans_without_model_or_tokens_are_passed_over(attributes: dict[str, Any]) -> None:
    assert remarks(span(1, {**attributes, "openinference.span.kind": "CHAIN"})) == []


def test_calls_of_coding_agents_are_told() -> None:
    (told,) = pushed(span(1, {"model": "claude", "input_tokens": 5}, name="claude_code.llm_request")).remarks
    assert (told.kind, told.name) == (RemarkKind.NOT_TAKEN, "unknown span 'claude_code.llm_request'")
    assert "coding agent" in told.reason


def test_refused_spans_are_named_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    receiver = OtlpReceiver()
    post = in_json(export(call(1, WRONG, name="chat"), call(2, WRONG, name="chat")))
    with caplog.at_level(logging.WARNING):
        (told,) = receiver.parse(post, JSON, ARRIVAL).remarks
        assert receiver.parse(post, JSON, ARRIVAL).remarks == (told,)
    assert told == Remark(RemarkKind.REFUSED, "span 'chat' of demo", told.reason, 2)
    assert told.reason.startswith("gen_ai.usage.input_tokens has to be")
    (record,) = caplog.records
    assert record.getMessage() == f"otlp: span 'chat' of demo was refused: {told.reason}"
    assert "77" not in record.getMessage()


def test_a_refused_span_around_a_call_that_was_taken_is_not_told() -> None:
    assert remarks(call(1, WRONG), call(2, parent=1)) == []


def test_names_are_bounded_and_harmless() -> None:
    ((_, name, _),) = remarks(span(1, AGENT, name="a\n\x1b[31m" + "b" * 500))
    assert len(name) <= 160
    assert name.isprintable()


def test_counts_that_nobody_reads_are_told() -> None:
    strange = {"gen_ai.usage.weird_units": 7}
    assert remarks(call(1, strange), call(2, strange)) == [(RemarkKind.UNREAD, "gen_ai.usage.weird_units", 2)]


def test_many_names_are_counted_together() -> None:
    told = remarks(*(span(number, AGENT, name=f"agent {number}") for number in range(1, 151)))
    assert len(told) == 101
    assert told[-1] == (RemarkKind.NOT_TAKEN, "others", 50)
