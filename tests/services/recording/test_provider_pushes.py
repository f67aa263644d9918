"""One call that its provider pushes, and its client, a gateway and an application report as well, is one."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.requests.request import BodyState, Request, Status, Usage, Waiting
from spendtop.domain.sources.records import ANTHROPIC_PUSH, HELICONE, INGEST, LITELLM, OPENROUTER_PUSH, OTLP, Source
from spendtop.services.recording.preparation import WAITING, Note, Preparer
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.transaction import Recording
from spendtop.sources.receivers import Invalid, Item
from spendtop.sources.receivers.otlp.anthropic_push import HELD_FOR
from spendtop.sources.receivers.otlp.receiver import JSON, OtlpReceiver
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.reads.requests.identities import known_as
from spendtop.store.tables import BodyTable, RequestTable, RevisionTable
from tests.conftest import SettableClock
from tests.provider_pushes import ARRIVAL, items, push, requests, split
from tests.services.conftest import PRICER, Collecting, clear, request, rows, sums, totals

OCCURRED = 1_795_860_000_000_000
STEPS: dict[Source, str] = {
    ANTHROPIC_PUSH: "msg_01A",
    OPENROUTER_PUSH: "gen-1795860030-InventedAbCdEfGhIjKl",
}


def told(name: str, response_id: str | None = None) -> Request:
    """What a push says of one call."""
    return next(each for each in requests(OtlpReceiver(), push(name)) if response_id in (None, each.response_id))


def report(source: Source, response_id: str, model: str, **fields: Any) -> Request:
    values: dict[str, Any] = {"model": model, "response_id": response_id, "external_id": f"{source.space}-1", **fields}
    return request(1, OCCURRED, None, source=source, received_at=ARRIVAL, **values)


def recorded(store: Store, clock: SettableClock, reports: tuple[Request, ...]) -> list[Any]:
    """The requests that are stored once these were recorded, each in a transaction of its own."""
    clear(store)
    preparer = Preparer(PRICER, None, keep_bodies=True)
    recording: Recording = Collecting(store, clock).recording
    for each in reports:
        with store.writing() as connection:
            recording.record(connection, [preparer.prepare(each)])
    assert totals(store) == sums(store)
    return [from_row(row) for row in rows(store, RequestTable)]


@pytest.mark.parametrize("pushed", [ANTHROPIC_PUSH, OPENROUTER_PUSH], ids=str)
def test_push_client_gateway_and_application_are_one_in_any_order(
    store: Store, clock: SettableClock, pushed: Source
) -> None:
    by_provider = told("messages" if pushed is ANTHROPIC_PUSH else "generation", STEPS[pushed])
    by_client = told("sdk_span_of_same_request")
    if pushed is OPENROUTER_PUSH:
        by_client = report(OTLP, STEPS[pushed], by_provider.model or "", session_id="conv-42")
    gateway, application = (
        report(source, STEPS[pushed], by_provider.model or "", **fields)
        for source, fields in ((HELICONE, {"user_id": "alice"}), (INGEST, {"properties": {"step": "checkout"}}))
    )
    for order in permutations((by_provider, by_client, gateway, application)):
        (one,) = recorded(store, clock, order)
        assert set(one.external_ids) == {pushed.name, OTLP.name, HELICONE.name, INGEST.name}
        assert one.request.usage.prompt == by_provider.usage.prompt
        assert one.request.session_id == by_provider.session_id or one.request.session_id == "conv-42"
        assert one.request.properties.items() >= (by_provider.properties or {}).items() - {
            ("service.name", "claude-platform")
        }


def test_what_the_client_says_and_what_the_api_says_are_both_kept(store: Store, clock: SettableClock) -> None:
    pair = told("messages", "msg_01A"), told("sdk_span_of_same_request")
    for order in permutations(pair):
        (one,) = recorded(store, clock, order)
        properties = one.request.properties or {}
        assert one.request.session_id == "conv-42"
        assert properties["anthropic.workspace.id"] == "wrkspc_01AliceTeam"
        assert properties["service.name"] == "shop-api"


def test_a_failure_is_joined_by_the_id_of_the_request(store: Store, clock: SettableClock) -> None:
    failed = next(each for each in requests(OtlpReceiver(), push("messages")) if each.status is Status.ERROR)
    content = push("sdk_span_of_same_request")
    span = content["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    kept = ("gen_ai.operation.name", "gen_ai.request.model", "gen_ai.provider.name", "server.address")
    span["attributes"] = [each for each in span["attributes"] if each["key"] in kept]
    span["attributes"].append({"key": "anthropic.request.id", "value": {"stringValue": "req_011C"}})
    span["status"] = {"code": 2}
    (by_client,) = requests(OtlpReceiver(), content)
    for order in permutations((failed, by_client)):
        (one,) = recorded(store, clock, order)
        assert set(one.external_ids) == {ANTHROPIC_PUSH.name, OTLP.name}
        assert one.request.http_status == 429


def test_the_provider_is_believed_before_litellm_and_after_helicone() -> None:
    assert HELICONE.trust < ANTHROPIC_PUSH.trust < OPENROUTER_PUSH.trust < LITELLM.trust


def test_everything_that_is_pushed_is_recorded_once_in_any_order(store: Store, clock: SettableClock) -> None:
    posts = [
        post for name in ("messages", "session", "sdk_span_of_same_request", "generation") for post in split(push(name))
    ]
    wanted: dict[str, tuple[int | None, int | None]] = {
        "msg_01A": (3200, 250),
        "request:req_011C": (None, None),
        "msg_01F": (5600, 900),
        "msg_01S1": (4500, 90),
        "msg_01S2": (5260, 310),
        STEPS[OPENROUTER_PUSH]: (2489, 569),
    }
    for seed in range(4):
        sequence = posts + posts[:3]
        random.Random(seed).shuffle(sequence)
        receiver = OtlpReceiver()
        found = [each for post in sequence for each in requests(receiver, post)]
        records = recorded(store, clock, tuple(found))
        counts = [(each.request.external_id, each.request.usage) for each in records]
        assert {name: (usage.prompt, usage.completion) for name, usage in counts} == wanted
        assert len(records) == len(wanted)


def test_a_run_that_waited_in_vain_joins_its_late_request(store: Store, clock: SettableClock) -> None:
    receiver = OtlpReceiver()
    run, tool, around = split(push("messages"))[:3]
    assert requests(receiver, run) == []
    late = ARRIVAL + HELD_FOR
    found = [*requests(receiver, tool, late), *requests(receiver, around, late + 1)]
    (one,) = recorded(store, clock, tuple(found))
    assert (one.request.response_id, one.request.usage.prompt) == ("msg_01A", 3200)


def named(source: Source, name: str, *others: tuple[Source, str], **fields: Any) -> Request:
    """What a source says under this id, with what else it knows the call as."""
    usage = Usage(prompt=3200, completion=250)
    values = {"external_id": name, "other_ids": others, "model": "claude-opus-4-6", "usage": usage}
    return request(1, OCCURRED, None, source=source, received_at=ARRIVAL, **{**values, **fields})


BODY = {"request_body": b'{"a": 1}', "body_state": BodyState.STORED}
ONE_CALL = (
    named(ANTHROPIC_PUSH, "request:req_1", (OTLP, "request:req_1"), (OTLP, "req_1")),
    named(HELICONE, "h1", response_id="msg_1", user_id="alice", **BODY),
    named(OTLP, "msg_1", (ANTHROPIC_PUSH, "request:req_1"), (OTLP, "request:req_1"), response_id="msg_1"),
    named(INGEST, "i1", response_id="msg_1", token="app"),
)
"""The first one has the id of the request alone, as a push of a failure has, and the third one both."""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(order=st.permutations(ONE_CALL), size=st.integers(1, 4))
def test_two_requests_are_one_once_a_third_report_proves_it(
    store: Store, clock: SettableClock, order: list[Request], size: int
) -> None:
    clear(store)
    preparer = Preparer(PRICER, None, keep_bodies=True)
    recording = Collecting(store, clock).recording
    for start in (0, size, 2 * size, 3 * size, 0):
        with store.writing() as connection:
            outcomes = recording.record(connection, [preparer.prepare(each) for each in order[start : start + size]])
        assert totals(store) == sums(store)
        assert {each.id for each in outcomes} <= {row.id for row in rows(store, RequestTable)}
    (one,) = (from_row(row) for row in rows(store, RequestTable))
    assert one.external_ids == {each.source.name: each.external_id for each in ONE_CALL}
    assert (one.request.user_id, one.request.token, one.probable_twin_of) == ("alice", "app", None)
    assert [row.request_id for row in rows(store, BodyTable)] == [one.id]
    assert {row.request_id for row in rows(store, RevisionTable)} <= {one.id}


def test_ids_of_a_request_that_became_another_one_lead_there(store: Store, clock: SettableClock) -> None:
    by_request, gateway, client, _ = ONE_CALL
    later = named(OTLP, "req_1", user_id="bob")
    (one,) = recorded(store, clock, (gateway, by_request, client, later))
    assert one.request.user_id == "alice"
    with store.reading() as connection:
        assert known_as(connection, "req_1") == [one.id]
    assert totals(store)["all", "", OCCURRED // HOUR * HOUR][0] == 1


def test_a_third_report_joins_nothing_that_one_gateway_tells_apart(store: Store, clock: SettableClock) -> None:
    _, gateway, client, _ = ONE_CALL
    again = named(HELICONE, "h2", response_id="msg_1")
    for order in permutations((gateway, again, client)):
        assert len(recorded(store, clock, order)) == 3


def test_a_run_that_waits_outlives_a_stop_and_counts_by_time_or_with_its_late_request(
    store: Store, clock: SettableClock
) -> None:
    run, tool, around = split(push("messages"))[:3]
    for comes_late in (False, True):
        clear(store)
        recording, preparer = Collecting(store, clock).recording, Preparer(PRICER, None, keep_bodies=True)

        def record(found: Sequence[Item], recording: Recording = recording, preparer: Preparer = preparer) -> None:
            with store.writing() as connection:
                recording.record(
                    connection, [preparer.prepare(each) for each in found if not isinstance(each, Invalid)]
                )

        def waiting() -> dict[str, str]:
            with store.reading() as connection:
                return facts.beginning(connection, WAITING)

        record(items(OtlpReceiver(), run))
        assert rows(store, RequestTable) == []
        started_again = OtlpReceiver()
        started_again.recall(waiting(), ARRIVAL + MINUTE)
        assert started_again.overdue(ARRIVAL + HELD_FOR - 1) == []
        if comes_late:
            record(items(started_again, tool, ARRIVAL + MINUTE))
            record(items(started_again, around, ARRIVAL + MINUTE))
        else:
            record(started_again.overdue(ARRIVAL + HELD_FOR))
        assert waiting() == {}
        (one,) = (from_row(row) for row in rows(store, RequestTable))
        assert one.request.usage.total is not None
        assert totals(store) == sums(store)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_run_that_waits_keeps_its_token_and_where_bodies_are_kept_its_masked_messages(keeps: bool) -> None:
    run, *_ = split(push("messages"))
    secret = "sk-ant-api03-0123456789abcdefghij"
    said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": f"It is {secret}."}]}])
    (span,) = run["resourceSpans"][0]["scopeSpans"][0]["spans"]
    span["attributes"].append({"key": "gen_ai.output.messages", "value": {"stringValue": said}})
    (waits,) = OtlpReceiver().parse(json.dumps(run).encode(), JSON, ARRIVAL, "app").items
    assert isinstance(waits, Waiting)
    note = Preparer(PRICER, Redactor([]).redact, keep_bodies=keeps).prepare(waits)
    assert isinstance(note, Note)
    assert secret not in str(note.value)
    started_again = OtlpReceiver()
    started_again.recall({waits.name: str(note.value)}, ARRIVAL + MINUTE)
    released = started_again.overdue(ARRIVAL + HELD_FOR)[-1]
    assert isinstance(released, Request)
    assert (released.token, b"It is" in (released.response_body or b"")) == ("app", keeps)


def test_what_another_collector_recorded_waits_no_more() -> None:
    run, *_ = split(push("messages"))
    receiver = OtlpReceiver()
    items(receiver, run)
    receiver.recall({}, ARRIVAL + MINUTE)
    assert receiver.overdue(ARRIVAL + HELD_FOR) == []
