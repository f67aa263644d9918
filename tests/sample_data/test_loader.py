"""The loader gives domain records, webhooks to sign, and the captured ones."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from spendtop.collector.demo.sample_files import WEBHOOKS, sample_file
from spendtop.collector.demo.sample_month import unpack
from spendtop.collector.demo.sample_stream import Arrival, arrivals
from spendtop.collector.demo.sample_traffic import (
    SECRET,
    as_new,
    coming_lines,
    live_bodies,
    webhook_captures,
)
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.requests.request import Request, Status
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM, OTLP
from spendtop.domain.usage import usage_of_response
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.store import bodies, schema
from spendtop.store.engine import Store
from tests.sample_data.conftest import END

_SUMMED = "SELECT sum(requests), sum(cost_nano) FROM total WHERE dimension = 'all'"
NOW = 1_800_000_000 * SECOND


@pytest.fixture(scope="module")
def coming() -> list[Arrival]:
    stream = arrivals(END)
    return [next(stream) for _ in coming_lines()]


def number(month: sqlite3.Connection, where: str, what: str = "count(*)") -> int:
    (found,) = month.execute(f"SELECT {what} FROM request WHERE {where}").fetchone()
    return int(found)


def test_the_month_ends_at_the_last_full_hour(tmp_path: Path) -> None:
    now = NOW + 17 * MINUTE
    unpack(tmp_path / "month.db", now)
    store = Store(f"sqlite:///{tmp_path / 'month.db'}")
    schema.upgrade(store)
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT id / 64, occurred_at, received_at FROM request").all()
        buckets = (
            connection.exec_driver_sql("SELECT DISTINCT bucket FROM total WHERE dimension = 'all'").scalars().all()
        )
        summed = connection.exec_driver_sql(_SUMMED).one()
        counted = connection.exec_driver_sql("SELECT count(*), sum(cost_nano) FROM request WHERE counted").one()
    store.close()
    assert tuple(summed) == tuple(counted)
    end = now // HOUR * HOUR
    assert 45_000 < len(rows) < 55_000
    assert all(end - 30 * DAY <= occurred_at < end for _, occurred_at, _ in rows)
    assert all(abs(arrived - received_at) <= 2 * MINUTE for arrived, _, received_at in rows)
    assert max(buckets) == end - HOUR and all(bucket % HOUR == 0 for bucket in buckets)


def test_no_time_of_the_month_stays_where_it_was_made(tmp_path: Path) -> None:
    later = END + 1000 * DAY
    unpack(tmp_path / "month.db", later)
    connection = sqlite3.connect(tmp_path / "month.db")
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    looked_at = 0
    for table in tables:
        for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
            if kind not in ("BIGINT", "INTEGER"):
                continue
            found = connection.execute(f'SELECT max(abs("{column}")) FROM "{table}"').fetchone()[0] or 0
            if found > END - 400 * DAY:
                looked_at += 1
                small = f'SELECT min("{column}") FROM "{table}" WHERE abs("{column}") > {END // 2}'
                least = connection.execute(small).fetchone()[0]
                assert least >= later - 31 * DAY, f"{table}.{column}"
    connection.close()
    assert looked_at >= 10


def test_bodies_of_the_last_hours_are_there_and_few_before(month: sqlite3.Connection) -> None:
    recent, old = f"occurred_at > {END - 12 * HOUR}", f"occurred_at < {END - 12 * HOUR}"
    sent = "source != 'ingest'"
    assert number(month, f"{recent} AND {sent} AND body_state != 'stored'") == 0
    share = number(month, f"{old} AND body_state = 'stored'") / number(month, old)
    assert 0.005 < share < 0.02
    kept = month.execute("SELECT data FROM body").fetchall()
    assert len(kept) == number(month, "body_state = 'stored'")
    request, response = bodies.decode(kept[0][0])
    assert request and response


def test_bodies_are_sized_like_real_ones(coming: list[Arrival]) -> None:
    sizes = sorted(len(each.request.request_body or b"") + len(each.request.response_body or b"") for each in coming)
    sizes = [size for size in sizes if size]
    assert sizes[0] < 700 and sizes[-1] > 10_000
    assert 2_000 < sizes[len(sizes) // 2] < 4_500


def test_usage_of_the_bodies_is_the_usage_of_the_record(coming: list[Arrival]) -> None:
    requests = [each.request for each in coming]
    answered = [each for each in requests if each.response_body and each.response_id and not each.cached]
    assert len(answered) > 250
    for request in answered:
        usage = usage_of_response(msgspec.json.decode(request.response_body or b""))
        assert replace(usage, units=None) == request.usage


def test_a_webhook_says_what_becomes_known_of_its_request(coming: list[Arrival]) -> None:
    told = [each for each in coming if each.webhook is not None]
    assert len(told) > 200
    for at, request, webhook in told:
        said = HeliconeReceiver().parse(webhook or b"", at)
        assert isinstance(said, Request)
        names = ("external_id", "user_id", "model", "latency_ms")
        assert [getattr(said, name) for name in names] == [getattr(request, name) for name in names]
        assert said.cost.reported == request.cost.reported or request.cost.reported is None
        assert (said.status is Status.ERROR) == (request.status is Status.ERROR)


def test_what_only_a_webhook_told_has_no_session_and_is_not_verified(month: sqlite3.Connection) -> None:
    assert number(month, f"source = '{HELICONE}'") > 200
    known = "verified OR session_id IS NOT NULL OR token IS NOT NULL OR properties IS NOT NULL"
    assert number(month, f"source = '{HELICONE}' AND ({known})") == 0
    assert number(month, f"source = '{HELICONE_API}' AND NOT verified") == 0


def test_every_live_body_is_another_request_each_time() -> None:
    lines = live_bodies()
    assert len(lines) == 60
    for number_, body in enumerate(lines):
        request_id = f"00000000-0000-4000-8000-{number_:012d}"
        old, new = msgspec.json.decode(body), msgspec.json.decode(as_new(body, request_id, NOW))
        assert list(new) == list(old)
        assert new["request_id"] == request_id
        assert request_id in new["request_response_url"] and old["request_id"] not in new["request_response_url"]
        assert new["response_body"].get("created", NOW // SECOND) == NOW // SECOND
        assert new["metadata"] == old["metadata"]
        assert new["response_body"].get("id") != old["response_body"].get("id") or "id" not in old["response_body"]


def test_two_new_requests_of_one_live_body_have_different_response_ids() -> None:
    body = next(body for body in live_bodies() if b'"chatcmpl-' in body)
    ids = {
        msgspec.json.decode(as_new(body, f"{n:08d}-0000-4000-8000-000000000000", NOW))["response_body"]["id"]
        for n in range(20)
    }
    assert len(ids) == 20


def test_live_bodies_hold_what_webhooks_hold() -> None:
    events = [msgspec.json.decode(body) for body in live_bodies()]
    keys = ["request_id", "request_body", "response_body", "user_id", "request_response_url", "model", "provider"]
    for event in events:
        assert [key for key in event if key != "metadata"] == [key for key in keys if key in event]
        assert list(event["metadata"]) == ["cost", "promptTokens", "completionTokens", "totalTokens", "latencyMs"]
    assert sum("user_id" not in event for event in events) >= 5
    assert sum("error" in event["response_body"] for event in events) >= 3
    assert sum(event["model"] == "acme-private-7b" and not event["metadata"]["cost"] for event in events) >= 3
    assert {event["provider"] for event in events} == {"OPENAI", "ANTHROPIC", "GOOGLE", "CUSTOM"}


def test_captures_carry_valid_signatures_over_their_raw_bytes() -> None:
    captures = webhook_captures()
    assert len({capture.scenario for capture in captures}) == 12
    for capture in captures:
        signature = hmac.new(SECRET.encode(), capture.raw, hashlib.sha256).hexdigest()
        assert signature == capture.signature == dict(capture.headers)["Helicone-Signature"]


def test_secret_is_the_one_written_beside_the_captures() -> None:
    assert msgspec.json.decode(sample_file(WEBHOOKS).read_bytes())["hmac_secret_utf8"] == SECRET


def distinct(month: sqlite3.Connection, column: str) -> set[str | int | None]:
    return {row[0] for row in month.execute(f"SELECT DISTINCT {column} FROM request")}


def test_the_month_shows_what_its_description_promises(month: sqlite3.Connection) -> None:
    assert distinct(month, "status") == {status.value for status in Status}
    assert {429, 500, 502, 504} <= distinct(month, "http_status")
    assert distinct(month, "provider") == {"openai", "anthropic", "google", None}
    assert distinct(month, "source") == {str(each) for each in (HELICONE, HELICONE_API, INGEST, LITELLM, OTLP)}
    assert len(distinct(month, "model")) == 9
    assert len(distinct(month, "user_id")) >= 15
    assert {"web", "ci-42", "lab", "billing-prod", "chat-mirror", None} == distinct(month, "token")
    assert number(month, "user_id IS NULL") > 100
    assert number(month, "status = 'error' AND cost_nano > 0") > 100
    assert number(month, "cached") > 100
    for column in ("cached_tokens", "cache_write_tokens", "reasoning_tokens"):
        assert number(month, f"{column} > 0") > 500
    assert number(month, "NOT counted") == number(month, "token = 'chat-mirror'") > 100


def test_nights_and_weekends_are_quiet(month: sqlite3.Connection) -> None:
    def count(first_day: int, days: int, first_hour: int, hours: int) -> int:
        end = END - first_day * DAY - first_hour * HOUR
        spans = [f"occurred_at BETWEEN {end - day * DAY - hours * HOUR} AND {end - day * DAY}" for day in range(days)]
        return number(month, " OR ".join(spans))

    # The month ends on a Friday at 14:00: 13 h back is one o'clock at night.
    assert count(0, 1, 0, 5) > 5 * count(0, 1, 12, 2)
    assert count(7, 4, 0, 5) > 2 * count(12, 2, 0, 5)


def test_a_gap_was_filled_and_somebody_has_seen_yesterdays_alerts(month: sqlite3.Connection) -> None:
    (gap,) = month.execute("SELECT source, requests, until - since FROM gap").fetchall()
    assert gap["source"] == str(HELICONE) and gap["requests"] > 10
    alerts = month.execute(
        "SELECT rule, acked_by, opened_at, acked_at FROM alert WHERE acked_at IS NOT NULL"
    ).fetchall()
    assert {alert["rule"] for alert in alerts} == {"limit/24 hours", "limit/each user"}
    assert (
        month.execute("SELECT count(*) FROM alert WHERE state = 'exceeded' AND rule != 'limit/one request'").fetchone()[
            0
        ]
        == 0
    )
    assert all(alert["opened_at"] <= alert["acked_at"] for alert in alerts)


def test_one_evening_a_session_runs_away(month: sqlite3.Connection) -> None:
    (loop,) = month.execute(
        "SELECT count(DISTINCT session_id) AS sessions, count(*) AS calls, min(occurred_at), max(occurred_at)"
        " FROM request WHERE session_path = '/lab/agent/step'"
    ).fetchall()
    assert loop["sessions"] == 1 and loop["calls"] > 120
    assert loop[3] - loop[2] < HOUR


def test_one_user_grows_week_by_week(month: sqlite3.Connection) -> None:
    happened = month.execute("SELECT occurred_at FROM request WHERE user_id = 'grace'")
    weeks = Counter((END - row[0]) // (7 * DAY) for row in happened)
    assert weeks[0] > weeks[1] > weeks[2] > weeks[3]
    assert weeks[0] > 2 * weeks[3]


def test_the_private_model_has_no_reported_cost(month: sqlite3.Connection) -> None:
    private = "model = 'acme-private-7b' AND status = 'ok'"
    assert number(month, private) > 100
    assert number(month, f"{private} AND (reported_cost_nano IS NOT NULL OR coalesce(prompt_tokens, 0) = 0)") == 0
