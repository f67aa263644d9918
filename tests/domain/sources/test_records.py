"""What a source is."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spendtop.domain.sources.records import (
    AGENTS,
    HELICONE,
    HELICONE_API,
    IMPORTED,
    INGEST,
    LITELLM,
    OTLP,
    SOURCES,
    by_trust,
    pushed_sources,
    source_named,
)


def test_trust_is_a_rank_of_its_own_with_a_reason() -> None:
    ranks = [source.trust for source in SOURCES.values()]
    assert len(set(ranks)) == len(ranks)
    assert all(source.trusted_because.endswith(".") for source in SOURCES.values())
    promised = [HELICONE_API, HELICONE, LITELLM, OTLP, INGEST]
    assert [source for source in by_trust() if source in promised] == promised


def test_clients_post_where_they_always_did() -> None:
    paths = {path for source in pushed_sources() for path in source.paths}
    assert {"/webhook", "/ingest", "/log", "/litellm", "/v1/traces"} <= paths


def test_ranks_leave_room_for_sources_to_come() -> None:
    ranks = [source.trust for source in by_trust()]
    assert all(below - above > 1 for above, below in pairwise(ranks))


def test_a_name_is_checked() -> None:
    assert source_named("otlp") is OTLP
    with pytest.raises(ValueError, match="no source 'otpl'"):
        source_named("otpl")


def test_what_is_asked_comes_again_and_what_is_pushed_comes_once() -> None:
    assert [source for source in SOURCES.values() if source.comes_again] == [
        HELICONE_API,
        *AGENTS,
        *IMPORTED,
    ]
