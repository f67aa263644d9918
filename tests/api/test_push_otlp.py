"""`POST /v1/traces`: encodings, answers in the post's own format, and what is recorded."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import permutations
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from sqlalchemy import select

from spendtop.api.context import Done
from spendtop.api.counters import Count
from spendtop.domain.clock import Clock
from spendtop.domain.errors import CannotWrite
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Event, Request
from spendtop.domain.requests.request import TestEvent as ProviderTest
from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import PushHealth
from spendtop.domain.sources.records import ANTHROPIC_PUSH, OPENROUTER_PUSH, OTLP
from spendtop.domain.windows import Calendar
from spendtop.services import checkpoints, tokens
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.receivers.otlp import receiver as module
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.otlp_posts import ARRIVAL, by, call, captured, export, in_json, in_protobuf, span
from tests.provider_pushes import in_protobuf as in_protobuf_of
from tests.provider_pushes import push, split

KEY = "a-key-of-thirty-two-characters-00"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
CAPTURED = captured("openllmetry_openai")
WRONG = {"gen_ai.usage.input_tokens": -77_001}


class CountingRecorder(FakeRecorder):
    """Also knows how many requests each submission held."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def submit(self, events: Sequence[Event], done: Done, patience: float = 60.0) -> None:
        self.sizes.append(len(events))
        super().submit(events, done, patience)


@pytest.fixture
def recorder() -> CountingRecorder:
    return CountingRecorder()


@pytest.fixture
async def live(readable_store: Store, recorder: CountingRecorder) -> AsyncIterator[Live]:
    clock: Clock = lambda: ARRIVAL  # noqa: E731
    async with listening(readable_store, clock, recorder, settings_of({"ingest_keys": {"apps": KEY}})) as served:
        yield served
    recorder.writer.shutdown()


async def post(live: Live, raw: bytes, content_type: str = PROTOBUF, **headers: str) -> httpx.Response:
    given = {"X-Ingest-Key": KEY, "Content-Type": content_type, **headers}
    return await live.client.post("/v1/traces", content=raw, headers=given)


def recorded(recorder: FakeRecorder) -> list[Request]:
    return [event for event in recorder.events if isinstance(event, Request)]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_success_is_told_in_the_format_of_the_post(live: Live, recorder: FakeRecorder) -> None:
    answer = await post(live, CAPTURED)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, PROTOBUF, b"")
    answer = await post(live, in_json(export(call())), f"{JSON}; charset=utf-8")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, JSON, b"{}")
    assert [request.source for request in recorded(recorder)] == [OTLP] * 2
    assert live.context.counters[Count.INGEST_SUCCESS] == 2


async def test_two_instrumentations_of_one_call_are_one_request(live: Live, recorder: FakeRecorder) -> None:
    for name in ("openllmetry_openai", "openinference_openai"):
        assert (await post(live, captured(name))).status_code == 200
    assert [request.external_id for request in recorded(recorder)] == ["chatcmpl-1"] * 2
    counters = live.context.counters
    assert (counters[Count.INGEST_SUCCESS], counters[Count.INGEST_DUPLICATE]) == (1, 1)


@pytest.mark.parametrize("order", list(permutations(["openllmetry", "openinference", "official"])))
async def test_a_call_that_several_instrumentations_saw_is_stored_and_counted_once(
    readable_store: Store, order: tuple[str, ...]
) -> None:
    names = {
        "openllmetry": "openllmetry_openai",
        "openinference": "openinference_openai",
        "official": "official_openai_v2",
    }
    async with really_recording(readable_store) as live:
        for name in order:
            assert (await post(live, captured(names[name]))).status_code == 200
    with readable_store.reading() as connection:
        (row,) = connection.execute(select(table_of(RequestTable))).all()
    assert (row.cost_nano, row.user_id, row.session_id, row.cached_tokens) == (180_000, "alice", "s1", 400)


async def test_posts_without_calls_succeed_and_record_nothing(live: Live, recorder: CountingRecorder) -> None:
    for raw in (b"", in_protobuf(export(span(1, {"http.route": "/"})))):
        answer = await post(live, raw)
        assert (answer.status_code, answer.content) == (200, b"")
    assert (await post(live, b"{}", JSON)).content == b"{}"
    assert recorder.sizes == []


@asynccontextmanager
async def really_recording(store: Store) -> AsyncIterator[Live]:
    """A listener in front of a recorder that prices by the published list."""
    recorder = Recorder(
        store, Preparer(Pricer({}, None, PublishedPrices()), None, keep_bodies=True), LimitBook((), Calendar(), {})
    )
    recorder.start()
    try:
        async with listening(store, lambda: ARRIVAL, recorder, settings_of({"ingest_keys": {"apps": KEY}})) as live:
            yield live
    finally:
        recorder.stop()


INNER = by(
    "com.anthropic.sdk.python",
    call(2, {"gen_ai.provider.name": "anthropic", "gen_ai.response.model": "claude-sonnet-4-20250514"}, parent=1),
    "2.14.0",
)
OUTER = by(
    "openinference.instrumentation.anthropic",
    span(
        1,
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "anthropic",
            "llm.model_name": "claude-sonnet-4-20250514",
            "llm.token_count.prompt": 1000,
            "llm.token_count.completion": 100,
            "user.id": "alice",
            "session.id": "s1",
            "input.value": '{"messages":[{"role":"user","content":"hi"}]}',
            "output.value": '{"content":[{"type":"text","text":"ho"}]}',
        },
    ),
)


@pytest.mark.parametrize("posts", [[[INNER], [OUTER]], [[OUTER], [INNER]], [[INNER, OUTER]], [[OUTER, INNER]]])
async def test_spans_of_one_call_are_one_request_in_whichever_posts_they_come(
    readable_store: Store, posts: list[list[dict[str, Any]]]
) -> None:
    async with really_recording(readable_store) as live:
        for spans in [*posts, *posts]:
            assert (await post(live, in_protobuf(export(*spans)))).status_code == 200
    with readable_store.reading() as connection:
        (row,) = connection.execute(select(table_of(RequestTable))).all()
        bodies = connection.execute(select(table_of(BodyTable))).all()
    assert (row.prompt_tokens, row.completion_tokens, row.cost_nano) == (1000, 100, 4_500_000)
    assert (row.user_id, row.session_id, row.body_state, len(bodies)) == ("alice", "s1", "stored", 1)


async def test_a_parent_without_anything_to_add_changes_nothing(readable_store: Store) -> None:
    more = {"user.id": "alice", "gen_ai.usage.cost": 0.5, "gen_ai.usage.reasoning_tokens": 7}
    async with really_recording(readable_store) as live:
        await post(live, in_protobuf(export(call(2, more, parent=1))))
        await post(live, in_json(export(call(1, {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.cost": 9.0}))), JSON)
    with readable_store.reading() as connection:
        (row,) = connection.execute(select(table_of(RequestTable))).all()
    assert (row.prompt_tokens, row.reasoning_tokens, row.cost_nano, row.user_id) == (1000, 7, 500_000_000, "alice")


async def test_a_batch_is_one_submission(live: Live, recorder: CountingRecorder) -> None:
    spans = [call(number, {"gen_ai.response.id": f"r-{number}"}) for number in range(1, 513)]
    assert (await post(live, in_protobuf(export(*spans)))).status_code == 200
    assert recorder.sizes == [512]


async def test_spans_that_cannot_be_taken_are_told_and_the_others_recorded(live: Live, recorder: FakeRecorder) -> None:
    content = export(call(1), call(2, WRONG), call(3, WRONG), call(4, {"gen_ai.usage.reasoning_tokens": 0.5}))
    answer = await post(live, in_protobuf(content))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, answer.headers["content-type"], partial.rejected_spans) == (200, PROTOBUF, 3)
    assert partial.error_message.count("gen_ai.usage.input_tokens") == 1
    assert "gen_ai.usage.reasoning_tokens" in partial.error_message
    in_text = await post(live, in_json(content), JSON)
    assert in_text.json() == {"partialSuccess": {"rejectedSpans": "3", "errorMessage": partial.error_message}}
    assert "77" not in in_text.text
    assert len(recorder.events) == 2
    assert live.context.counters.take_refused() == {(OTLP, Count.INGEST_INVALID): 6}


async def test_a_post_without_a_good_call_is_answered_likewise(live: Live, recorder: FakeRecorder) -> None:
    answer = await post(live, in_json(export(call(1, WRONG))), JSON)
    assert (answer.status_code, answer.json()["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert recorder.events == []


@pytest.mark.parametrize(
    ("raw", "content_type", "code"),
    [
        (b"\xff", PROTOBUF, "malformed"),
        (b"{}", PROTOBUF, "malformed"),
        (b"", JSON, "not_json"),
        (b"{", JSON, "not_json"),
        (b"{} {}", JSON, "not_json"),
        (b'{"a":' + b"[" * 100_000, JSON, "not_json"),
        (b"[]", JSON, "malformed"),
        (b'{"resourceSpans":"secret"}', JSON, "malformed"),
        (CAPTURED, JSON, "not_json"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    live: Live, recorder: FakeRecorder, raw: bytes, content_type: str, code: str
) -> None:
    answer = await post(live, raw, content_type)
    assert code_of(answer) == (400, code)
    assert "secret" not in answer.text
    assert recorder.events == []


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/grpc", "application/x-protobuf, x"])
async def test_other_types_are_refused(live: Live, content_type: str) -> None:
    assert code_of(await post(live, CAPTURED, content_type)) == (415, "unsupported_type")


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd", ""])
async def test_other_codings_are_refused(live: Live, coding: str) -> None:
    assert code_of(await post(live, CAPTURED, **{"Content-Encoding": coding})) == (415, "unsupported_encoding")


async def test_gzip_is_unpacked(live: Live, recorder: FakeRecorder) -> None:
    for coding in ("gzip", "GZIP"):
        assert (await post(live, gzip.compress(CAPTURED), **{"Content-Encoding": coding})).status_code == 200
    assert (await post(live, CAPTURED, **{"Content-Encoding": "identity"})).status_code == 200
    packed = gzip.compress(in_json(export(call())))
    assert (await post(live, packed, JSON, **{"Content-Encoding": "gzip"})).content == b"{}"
    assert len(recorder.events) == 4


@pytest.mark.parametrize("path", OTLP.paths)
async def test_every_path_of_it_takes_gzip_and_says_what_it_cannot_read(live: Live, path: str) -> None:
    packed = {"X-Ingest-Key": KEY, "Content-Type": JSON, "Content-Encoding": "gzip"}
    assert (await live.client.post(path, content=gzip.compress(b"{}"), headers=packed)).status_code == 200
    assert code_of(await live.client.post(path, content=b"{}", headers=packed)) == (400, "bad_gzip")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        CAPTURED,
        gzip.compress(CAPTURED, mtime=0)[:-1],
        gzip.compress(CAPTURED, mtime=0)[:40],
        gzip.compress(CAPTURED, mtime=0) + b"more",
        gzip.compress(CAPTURED, mtime=0) * 2,
        gzip.compress(CAPTURED, mtime=0)[:-8] + bytes(8),
        zlib.compress(CAPTURED),
    ],
)
async def test_broken_gzip_is_refused(live: Live, recorder: FakeRecorder, raw: bytes) -> None:
    assert code_of(await post(live, raw, **{"Content-Encoding": "gzip"})) == (400, "bad_gzip")
    assert recorder.events == []


async def test_a_bomb_is_refused_before_it_is_unpacked(
    live: Live, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = gzip.compress(bytes(100_000))
    monkeypatch.setattr(module, "LARGEST_UNPACKED", 100_000)
    assert code_of(await post(live, exact, **{"Content-Encoding": "gzip"})) == (400, "malformed")
    bomb = gzip.compress(bytes(50_000_000), 1)
    tracemalloc.start()
    answer = await post(live, bomb, **{"Content-Encoding": "gzip"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (code_of(answer), peak < 5_000_000) == ((413, "too_large"), True)
    assert live.context.counters[Count.INGEST_TOO_LARGE] == 1


async def test_bodies_above_the_limit_are_refused(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.OtlpReceiver, "largest", 1_000)
    assert code_of(await post(live, CAPTURED)) == (413, "too_large")


async def test_more_calls_than_one_commit_takes_are_refused(
    live: Live, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendtop.sources.receivers.otlp.receiver.MOST_CALLS", 1)
    answer = await post(live, in_protobuf(export(call(1), call(2))))
    assert (code_of(answer), recorder.events) == ((413, "too_many_items"), [])
    assert live.context.counters[Count.INGEST_TOO_LARGE] == 1


@pytest.mark.parametrize(
    "headers", [{"X-Ingest-Key": "wrong"}, {"X-Ingest-Key": ""}, {"Authorization": f"Bearer {KEY}"}]
)
async def test_it_takes_exactly_one_ingest_key(live: Live, recorder: FakeRecorder, headers: dict[str, str]) -> None:
    assert (await post(live, CAPTURED, **headers)).status_code == 401
    assert recorder.events == []


async def test_the_key_is_also_taken_as_a_bearer(live: Live) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": PROTOBUF}
    assert (await live.client.post("/v1/traces", content=CAPTURED, headers=headers)).status_code == 200


async def test_a_post_can_be_put_under_a_tracking_token(
    live: Live, recorder: FakeRecorder, readable_store: Store
) -> None:
    with readable_store.writing() as connection:
        tokens.create(connection, "shop", ARRIVAL, value="shop-1")
        tokens.create(connection, "seen elsewhere", ARRIVAL, value="shadow-1", shadow=True)
        switched_off = tokens.create(connection, "old", ARRIVAL, value="old-1")
        tokens.set_active(connection, switched_off.id, False)
    for token, counted in (("shop-1", True), ("shadow-1", False)):
        recorder.events.clear()
        assert (await post(live, CAPTURED, **{"X-Tracking-Token": token})).status_code == 200
        assert [(each.token, each.counted) for each in recorded(recorder)] == [(token, counted)]
    recorder.events.clear()
    for token, code in (("old-1", "disabled_token"), ("nobody", "unknown_token")):
        assert code_of(await post(live, CAPTURED, **{"X-Tracking-Token": token})) == (403, code)
    run, *_ = split(push("messages"))
    for content in (json.dumps(run).encode(), b"{}"):  # the one would wait, the other holds nothing
        answer = await post(live, content, JSON, **{"X-Tracking-Token": "nobody"})
        assert code_of(answer) == (403, "unknown_token")
    assert recorder.events == []


async def test_a_run_that_waited_stays_under_the_tracking_token_that_it_came_with(
    live: Live, recorder: FakeRecorder, readable_store: Store
) -> None:
    with readable_store.writing() as connection:
        tokens.create(connection, "other", ARRIVAL, value="other-1")
        tokens.create(connection, "seen elsewhere", ARRIVAL, value="shadow-1", shadow=True)
    run, *_ = split(push("messages"))
    around = copy.deepcopy(run)
    (inside,), (outside,) = (each["resourceSpans"][0]["scopeSpans"][0]["spans"] for each in (run, around))
    outside |= {"name": "caller", "attributes": [], "spanId": inside["parentSpanId"], "parentSpanId": ""}
    for trace, (own, label) in enumerate({"shadow-1": ("shadow-1", False), "": (None, True)}.items(), start=1):
        inside["traceId"] = outside["traceId"] = f"{trace:032x}"
        under = {"X-Tracking-Token": own} if own else {}
        assert (await post(live, json.dumps(run).encode(), JSON, **under)).status_code == 200
        assert recorded(recorder) == []
        answer = await post(live, json.dumps(around).encode(), JSON, **{"X-Tracking-Token": "other-1"})
        assert answer.status_code == 200
        assert [(each.token, each.counted) for each in recorded(recorder)] == [label]
        recorder.events.clear()


async def test_a_store_that_stays_away_is_told_with_retry_after(live: Live, recorder: FakeRecorder) -> None:
    recorder.failure = CannotWrite("The store cannot be written: database is locked.")
    answer = await post(live, CAPTURED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_who_posts_too_often_is_told_when_to_come_again(
    readable_store: Store, recorder: CountingRecorder
) -> None:
    limited = settings_of({"ingest_keys": {"apps": KEY}, "ingest_rate_limit": {"rpm": 60, "burst": 1}})
    async with listening(readable_store, lambda: ARRIVAL, recorder, limited) as live:
        assert (await post(live, CAPTURED)).status_code == 200
        answer = await post(live, CAPTURED)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0


async def test_others_are_answered_while_a_large_post_is_read(live: Live, recorder: FakeRecorder) -> None:
    content = in_json(export(*(call(number, {"input.value": "x" * 20_000}) for number in range(1, 400))))
    large = asyncio.ensure_future(post(live, content, JSON))
    assert (await live.client.get("/ping")).text == "pong"
    assert ((await large).status_code, len(recorder.events)) == (200, 399)


@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.NoCompression])
async def test_the_official_exporter_is_understood(
    live: Live, recorder: CountingRecorder, compression: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{live.port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-ingest-key={KEY}")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
    }

    def run() -> bool:
        provider = TracerProvider(resource=Resource.create({"service.name": "shop"}), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(compression=compression)))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}):
            for number in range(3):
                with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=attributes) as chat:
                    chat.set_attribute("gen_ai.response.id", f"r-{number}")
        flushed = provider.force_flush()
        provider.shutdown()
        return flushed

    assert await asyncio.to_thread(run)
    found = recorded(recorder)
    assert [request.external_id for request in found] == ["r-0", "r-1", "r-2"]
    assert {(each.model, each.usage.total, (each.properties or {})["service.name"]) for each in found} == {
        ("gpt-4o-mini", 15, "shop")
    }


@pytest.mark.parametrize("name", ["messages", "session", "test"])
async def test_what_anthropic_pushes_is_answered_with_an_empty_message(
    live: Live, recorder: CountingRecorder, name: str
) -> None:
    key = {"Authorization": f"Bearer {KEY}", "Content-Type": PROTOBUF}
    for headers in ({}, {"Content-Encoding": "gzip"}):
        raw = in_protobuf_of(name)
        sent = gzip.compress(raw) if headers else raw
        answer = await live.client.post("/v1/traces", content=sent, headers={**key, **headers})
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    assert {each.source for each in recorder.events if isinstance(each, Request | ProviderTest)} == {ANTHROPIC_PUSH}


@pytest.mark.parametrize("name", ["generation", "privacy_mode", "error", "test_generation"])
async def test_what_openrouter_pushes_is_answered_without_any_refusal(
    live: Live, recorder: CountingRecorder, name: str
) -> None:
    answer = await post(live, in_json(push(name)), JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    assert [getattr(each, "source", None) for each in recorder.events] == [OPENROUTER_PUSH]


async def test_a_try_of_the_connection_needs_the_key_and_is_told_as_a_test(
    live: Live, recorder: CountingRecorder
) -> None:
    tried = {"X-Test-Connection": "true", "Content-Type": JSON}
    assert (await live.client.post("/v1/traces", content=b"", headers=tried)).status_code == 401
    answer = await post(live, b"", JSON, **{"X-Test-Connection": "true"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert live.context.counters[Count.INGEST_TEST] == len(recorder.events) == 1


@pytest.mark.parametrize("path", ["/v1/traces", "/webhook", "/ingest", "/litellm", "/v1/logs", "/v1/metrics", "/log"])
@pytest.mark.parametrize("spelled", ["{}/", "/{}", "{}//", "{}"])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_nobody_who_posts_is_ever_redirected(live: Live, path: str, spelled: str, method: str) -> None:
    target = spelled.format(path).encode()
    head = b"%b %b HTTP/1.1\r\nHost: spend.example.org\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    status = (await live.exchange(head % (method.encode(), target))).split(b" ")[1]
    assert not status.startswith(b"3")
    if method == "POST":
        assert status in (b"401", b"403")


async def test_of_a_sample_nothing_is_counted(readable_store: Store, recorder: CountingRecorder) -> None:
    with readable_store.writing() as connection:
        cursor = push_health.packed(PushHealth(sampled=True))
        checkpoints.succeeded(connection, OPENROUTER_PUSH.name, 1, cursor=cursor)
    async with listening(
        readable_store, lambda: ARRIVAL, recorder, settings_of({"ingest_keys": {"apps": KEY}})
    ) as live:
        for content in (push("generation"), push("messages")):
            assert (await post(live, in_json(content), JSON)).status_code == 200
    recorder.writer.shutdown()
    counted = {(each.source, each.counted) for each in recorder.events if isinstance(each, Request)}
    assert counted == {(OPENROUTER_PUSH, False), (ANTHROPIC_PUSH, True)}
