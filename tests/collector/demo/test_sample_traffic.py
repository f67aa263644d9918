"""The demo's pushes: tokens of every kind, and bodies that our own receiver understands."""

from __future__ import annotations

import random

from spendtop.collector.demo.sample_traffic import body_of, coming_lines, make_tokens, marked_pushes, request_of
from spendtop.domain.clock import DAY
from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import INGEST
from spendtop.services import tokens
from spendtop.sources.receivers.ingest import IngestReceiver, TimeRule
from tests.collector.conftest import Bench


def test_there_is_a_token_in_use_a_shadow_and_one_that_is_off(bench: Bench) -> None:
    with bench.store.writing() as connection:
        make_tokens(connection, bench.clock())
        made = {token.token: (token.active, token.shadow) for token in tokens.tokens(connection)}
    assert made == {"billing-prod": (True, False), "chat-mirror": (True, True), "crawler": (False, False)}


def test_lists_have_something_of_every_mark(bench: Bench) -> None:
    bench.start()
    bench.record(*marked_pushes(bench.clock(), random.Random(7)))
    rows = bench.rows("SELECT unpriced_units, doubtful, probable_twin_of IS NOT NULL, service_level FROM request")
    assert [row[0] for row in rows if row[0]] == ['{"storage_searches":2}']
    assert sum(row[1] for row in rows) == 1
    assert sum(row[2] for row in rows) == 2
    assert [row[3] for row in rows if row[3]] == ["batch"]


def test_a_posted_push_says_the_same_as_a_recorded_one(bench: Bench) -> None:
    now = bench.clock()
    pushes = [push for push in (request_of(line, now) for line in coming_lines()) if push.source is INGEST]
    for push in pushes:
        (item,) = IngestReceiver().parse(body_of(push), push.received_at, TimeRule(35 * DAY)).items
        assert isinstance(item, Request)
        for name in ("token", "provider", "model", "user_id", "session_id", "latency_ms", "occurred_at"):
            assert getattr(item, name) == getattr(push, name), name
        assert (item.usage.prompt, item.usage.completion) == (push.usage.prompt, push.usage.completion)
    assert len({push.token for push in pushes}) == 2
