"""The demo's pushes: tokens of every kind, and bodies that our own receiver understands."""

from __future__ import annotations

import random

from spendtop.collector.demo.sample_traffic import a_push, body_of, make_tokens, marked_pushes, past_pushes
from spendtop.domain.clock import HOUR
from spendtop.domain.request import Request
from spendtop.domain.sources import INGEST, LITELLM, OTLP
from spendtop.services import tokens
from spendtop.sources.receivers.ingest import IngestReceiver
from spendtop.sources.settings import IngestSettings
from tests.collector.conftest import Bench


def test_there_is_a_token_in_use_a_shadow_and_one_that_is_off(bench: Bench) -> None:
    with bench.store.writing() as connection:
        make_tokens(connection, bench.clock())
        made = {token.token: (token.active, token.shadow) for token in tokens.tokens(connection)}
    assert made == {"billing-prod": (True, False), "chat-mirror": (True, True), "crawler": (False, False)}


def test_the_past_has_pushes_of_every_source_and_none_of_the_future(bench: Bench) -> None:
    now = bench.clock()
    past = list(past_pushes(now, random.Random(7)))
    assert {push.source for push in past} == {INGEST, LITELLM, OTLP}
    assert all(push.occurred_at < push.received_at < now for push in past)
    assert all(push.received_at < now - 2 * HOUR for push in past if push.token == "crawler")
    assert {push.token for push in past if not push.counted} == {"chat-mirror"}


def test_lists_have_something_of_every_mark(bench: Bench) -> None:
    bench.start()
    bench.record(*marked_pushes(bench.clock(), random.Random(7)))
    rows = bench.rows("SELECT unpriced_units, doubtful, probable_twin_of IS NOT NULL, service_level FROM request")
    assert [row[0] for row in rows if row[0]] == ['{"storage_searches":2}']
    assert sum(row[1] for row in rows) == 1
    assert sum(row[2] for row in rows) == 2
    assert [row[3] for row in rows if row[3]] == ["batch"]


def test_a_posted_push_says_the_same_as_a_recorded_one(bench: Bench) -> None:
    now, chance = bench.clock(), random.Random(7)
    pushes = [push for push in (a_push(now, chance) for _ in range(60)) if push.source is INGEST]
    for push in pushes:
        (item,) = IngestReceiver().parse(body_of(push), now, IngestSettings(), None).items
        assert isinstance(item, Request)
        for name in ("token", "provider", "model", "usage", "user_id", "latency_ms", "occurred_at"):
            assert getattr(item, name) == getattr(push, name), name
    assert pushes
