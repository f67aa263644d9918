"""Pushes of many requests at once against posts of one each: clients', OpenTelemetry's and LiteLLM's."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spendtop.services import tokens
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from tests.benchmarks.exchanging import as_fast_as_answered, connected, post
from tests.benchmarks.measuring import Figure, in_turn, ratio, say
from tests.benchmarks.processes import INGEST_KEY, Running, collector
from tests.benchmarks.workshop import Workshop

BATCH = 512
KEYED = f"X-Ingest-Key: {INGEST_KEY}\r\n"
_BATCHES = 4
_CONNECTIONS = 64
_TOKEN = "benchmarks"
_FIXTURES = Path(__file__).parents[1] / "fixtures"

Post = Callable[[int], bytes]
"""A request with so many new items, as it is sent."""


def pushes(workshop: Workshop) -> list[Figure]:
    """Items per second in batches of 512 one after the other, against 512 posts of one on one connection."""
    folder = workshop.own("pushes")
    store = _with_token(folder / "pushes.db")
    with collector(folder, store) as running:
        figures = [figure for name, made in POSTS.items() for figure in _compared(workshop, running, name, made)]
    return figures


def _compared(workshop: Workshop, running: Running, name: str, made: Post) -> list[Figure]:
    rates = in_turn(
        {
            "batches": partial(_rate, running, made, items=BATCH, posts=_BATCHES, connections=1),
            "single": partial(_rate, running, made, items=1, posts=BATCH, connections=1),
            "single c=64": partial(_rate, running, made, items=1, posts=BATCH * 2, connections=_CONNECTIONS),
        },
        workshop.rounds,
    )
    for each, found in rates.items():
        say(f"  {name + ', ' + each:<34} {median(found):8.0f} items/s")
    crowd = f"{ratio(rates['batches'], rates['single c=64']):.2f} x against 64 connections"
    value = ratio(rates["batches"], rates["single"])
    return [Figure(f"{name}: batches of {BATCH} against single posts", value, 5, at_most=False, detail=crowd)]


def _rate(running: Running, made: Post, *, items: int, posts: int, connections: int) -> float:
    """Items per second."""
    messages = [made(items) for _ in range(posts)]
    with connected(running.port, connections) as opened:
        start = time.perf_counter()
        exchanged = as_fast_as_answered(opened, messages)
        passed = time.perf_counter() - start
    assert exchanged.failed == 0, f"{exchanged.failed} of {posts} posts failed"
    return items * posts / passed


def _with_token(path: Path) -> Path:
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    with store.writing() as connection:
        tokens.create(connection, _TOKEN, time.time_ns() // 1000, value=_TOKEN)
    store.close()
    return path


def _usage(items: int) -> bytes:
    """What the snippet of a tracking token pushes."""
    details = {"prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 20}}
    made = [
        {
            "tracking_token": _TOKEN,
            "provider": "openai",
            "model": "gpt-4o-mini",
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, **details},
            "request_id": f"req_{uuid.uuid4().hex}",
            "response_id": f"chatcmpl-{uuid.uuid4().hex}",
            "user_id": f"user-{number % 50}",
            "latency_ms": 900,
        }
        for number in range(items)
    ]
    return post("/ingest", msgspec.json.encode(made if items > 1 else made[0]), "application/json", KEYED)


def _spans(items: int) -> bytes:
    """The captured span again, as that of other calls."""
    export = ExportTraceServiceRequest.FromString((_FIXTURES / "otlp_openllmetry_openai.pb").read_bytes())
    spans = export.resource_spans[0].scope_spans[0].spans
    for _ in range(items - 1):
        spans.add().CopyFrom(spans[0])
    now = time.time_ns()
    for span in spans:
        new = uuid.uuid4()
        span.trace_id, span.span_id = new.bytes, new.bytes[:8]
        span.start_time_unix_nano, span.end_time_unix_nano = now - 900_000_000, now
        for attribute in span.attributes:
            if attribute.key == "gen_ai.response.id":
                attribute.value.string_value = f"chatcmpl-{new.hex}"
    return post("/v1/traces", export.SerializeToString(), "application/x-protobuf", KEYED)


def _events(items: int) -> bytes:
    """The captured event again, as that of other calls."""
    captured: Sequence[dict[str, Any]] = msgspec.json.decode((_FIXTURES / "litellm_sdk_batch.json").read_bytes())
    made, now = [], time.time()
    for _ in range(items):
        event = deepcopy(captured[0])
        event["litellm_call_id"] = str(uuid.uuid4())
        event["id"] = event["response"]["id"] = f"chatcmpl-{event['litellm_call_id']}"
        event |= {"startTime": now - 0.9, "endTime": now, "completionStartTime": now}
        made.append(event)
    return post("/litellm", msgspec.json.encode(made), "application/json", KEYED)


POSTS: Mapping[str, Post] = {"/ingest": _usage, "/v1/traces": _spans, "/litellm": _events}
