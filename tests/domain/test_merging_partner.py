from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.clock import HOUR
from spendtop.domain.merging import StoredRequest, bare_model, partner
from spendtop.domain.request import Request, TimeSource
from spendtop.domain.sources import HELICONE, HELICONE_API, INGEST, Source

AT = 1_795_000_000_000_000
WEBHOOK, INGEST = HELICONE, INGEST


def report(source: Source, **fields: Any) -> Request:
    values: dict[str, Any] = {
        "source": source,
        "external_id": f"{source}-id",
        "received_at": AT,
        "occurred_at": AT,
        "time_source": TimeSource.CLIENT,
        "model": "gpt-4o",
        "response_id": "chatcmpl-1",
    }
    return Request(**{**values, **fields})


def record(*sources: Source, number: int = 1, **fields: Any) -> StoredRequest:
    """A stored request that these sources reported."""
    ids = {source.name: f"{source}-{number}" for source in sources}
    return StoredRequest(id=number, request=report(sources[0], **fields), external_ids=ids)


def test_the_one_candidate_of_another_source_is_joined() -> None:
    known = record(WEBHOOK)
    assert partner(report(INGEST), [known]) is known
    assert partner(report(WEBHOOK), [record(INGEST)]) is not None
    assert partner(report(INGEST), []) is None


@pytest.mark.parametrize(
    ("joined", "source"),
    [
        ((INGEST,), INGEST),
        ((WEBHOOK, INGEST), INGEST),
        ((WEBHOOK,), HELICONE_API),
        ((HELICONE_API,), WEBHOOK),
    ],
)
def test_a_source_joins_a_request_once(joined: tuple[Source, ...], source: Source) -> None:
    assert partner(report(source), [record(*joined)]) is None


def test_of_several_candidates_none_is_joined_unless_only_one_qualifies() -> None:
    first, second = record(WEBHOOK, number=1), record(WEBHOOK, number=2)
    assert partner(report(INGEST), [first, second]) is None
    taken = record(WEBHOOK, INGEST, number=3)
    assert partner(report(INGEST), [taken, second]) is second


@pytest.mark.parametrize(("apart", "joins"), [(0, True), (HOUR, True), (-HOUR, True), (HOUR + 1, False)])
def test_both_happened_within_an_hour(apart: int, joins: bool) -> None:
    assert (partner(report(INGEST, occurred_at=AT + apart), [record(WEBHOOK)]) is not None) is joins


@pytest.mark.parametrize(
    ("one", "other", "joins"),
    [
        ("openai/gpt-4o-2024-08-06", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        (None, "gpt-4o", False),
        ("gpt-4o", None, False),
        (None, None, False),
    ],
)
def test_both_are_of_the_same_model(one: str | None, other: str | None, joins: bool) -> None:
    assert (partner(report(INGEST, model=one), [record(WEBHOOK, model=other)]) is not None) is joins


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("openrouter/anthropic/claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet"),
        ("gpt-4-0613", "gpt-4"),
        ("eu.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet"),
        ("mistral-large-2411@001", "mistral-large"),
        ("gemini-1.5-pro-002", "gemini-1.5-pro"),
        ("gpt-4-1106-preview", "gpt-4-1106-preview"),
        ("llama-3.1-70b", "llama-3.1-70b"),
        ("o1-mini", "o1-mini"),
        ("", ""),
    ],
)
def test_a_bare_model_has_no_provider_in_front_and_no_release_behind(name: str, bare: str) -> None:
    assert bare_model(name) == bare
