"""Client push: what a posted request says, and what is wrong with one that cannot be taken."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_iso
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import (
    BodyState,
    Cost,
    Reporter,
    Request,
    ServiceLevel,
    Status,
    TimeSource,
    Usage,
    is_assumed,
)
from spendtop.domain.sources.records import INGEST
from spendtop.domain.usage import MOST_TOKENS
from spendtop.sources.receivers import Invalid, NotJson, Pushed, Unreadable
from spendtop.sources.receivers.ingest import MOST_ITEMS, IngestReceiver, TimeRule
from spendtop.sources.receivers.ingest_fields import LONGEST_LATENCY, MOST_PROPERTIES, READERS

NOW = 1_795_183_387_250_000  # 2026-11-20T14:03:07.25Z
MINIMAL: dict[str, Any] = {"tracking_token": "app-1", "model": "gpt-4o", "prompt_tokens": 12, "completion_tokens": 5}
FULL: dict[str, Any] = {
    **MINIMAL,
    "total_tokens": 17,
    "timestamp": "2026-11-20T14:03:00Z",
    "request_id": "r-1",
    "response_id": "chatcmpl-1",
    "provider": "azure",
    "user_id": "alice",
    "session_id": "s-1",
    "session_path": "/plan/write",
    "properties": {"team": "blue", "none": None},
    "cost_usd": 0.00215,
    "cached_tokens": 8,
    "cache_write_tokens": 2,
    "reasoning_tokens": 3,
    "latency_ms": 812.5,
    "status": "cancelled",
    "request_body": {"messages": [{"role": "user", "content": "hi"}]},
    "response_body": ["any", 1, None],
}
NOT_COUNTS = [-1, 1.5, "12", True, [], {}, 2**63, MOST_TOKENS + 1, 10**30, "NaN"]
COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
CANARY = "c4n4ry"


def parse(document: object, key: str | None = None, **options: Any) -> Pushed:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return IngestReceiver().parse(raw, NOW, TimeRule(**{"max_age": 35 * DAY, **options}), key)


def request_of(document: object = MINIMAL, key: str | None = None, **options: Any) -> Request:
    (item,) = parse(document, key, **options).items
    assert isinstance(item, Request), item
    return item


def problems_of(**fields: Any) -> dict[str, str]:
    (item,) = parse({**MINIMAL, **fields}).items
    assert isinstance(item, Invalid), item
    return item.fields


def problems_in(raw: str) -> dict[str, str]:
    """Of an item whose further fields are written so."""
    (item,) = parse(f'{{"tracking_token":"app-1","model":"gpt-4o",{raw}}}'.encode()).items
    assert isinstance(item, Invalid), item
    return item.fields


def test_the_least_that_a_client_sends() -> None:
    request = request_of()
    assert request == Request(
        source=INGEST,
        external_id=request.external_id,
        received_at=NOW,
        occurred_at=NOW,
        time_source=TimeSource.RECEIVED,
        model="gpt-4o",
        usage=Usage(prompt=12, completion=5),
        token="app-1",
    )


def test_everything_that_a_client_can_send() -> None:
    request = request_of(FULL)
    assert request == Request(
        source=INGEST,
        external_id="r-1",
        received_at=NOW,
        occurred_at=1_795_183_380 * SECOND,
        time_source=TimeSource.CLIENT,
        response_id="chatcmpl-1",
        provider="azure",
        model="gpt-4o",
        status=Status.CANCELLED,
        usage=Usage(prompt=12, completion=5, cache_read=8, cache_write=2, reasoning=3),
        cost=Cost(reported=Usd(2_150_000), reported_by=Reporter.CLIENT),
        user_id="alice",
        session_id="s-1",
        session_path="/plan/write",
        token="app-1",
        properties={"team": "blue"},
        latency_ms=812,
        request_body=b'{"messages":[{"role":"user","content":"hi"}]}',
        response_body=b'["any",1,null]',
        body_state=BodyState.STORED,
        content=request.content,
    )


def test_null_is_the_same_as_missing() -> None:
    request = request_of({**dict.fromkeys(FULL), **MINIMAL, "usage": None, "request_id": "r"})
    assert request == request_of({**MINIMAL, "request_id": "r"})


def test_unknown_fields_are_ignored() -> None:
    assert request_of({**FULL, "schema": 99, "extra": {"a": [1]}}) == request_of(FULL)


def test_a_provider_that_is_not_named_is_left_open() -> None:
    assert request_of().provider is None


def test_names_are_stored_as_both_databases_take_them() -> None:
    assert request_of({**MINIMAL, "user_id": "a\0b", "model": "e\u0301"}).user_id == "a␀b"
    assert request_of({**MINIMAL, "model": "e\u0301"}).model == "é"


class TestTokens:
    """Flat counts and providers' usage objects."""

    @pytest.mark.parametrize(
        ("usage", "expected"),
        [
            (
                {
                    "prompt_tokens": 100,
                    "completion_tokens": 50,
                    "total_tokens": 150,
                    "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 20},
                },
                Usage(prompt=100, completion=50, cache_read=40, reasoning=20),
            ),
            (
                {
                    "input_tokens": 100,
                    "output_tokens": 50,
                    "input_tokens_details": {"cached_tokens": 40},
                    "output_tokens_details": {"reasoning_tokens": 20},
                },
                Usage(prompt=100, completion=50, cache_read=40, reasoning=20),
            ),
            (
                {
                    "input_tokens": 10,
                    "output_tokens": 50,
                    "cache_read_input_tokens": 80,
                    "cache_creation_input_tokens": 10,
                    "service_tier": "standard",
                },
                Usage(prompt=100, completion=50, cache_read=80, cache_write=10),
            ),
            ({"prompt_tokens": None, "input_tokens": 7, "output_tokens": 1}, Usage(prompt=7, completion=1)),
        ],
    )
    def test_usage_objects_are_taken_as_they_are(self, usage: dict[str, Any], expected: Usage) -> None:
        assert request_of({"tracking_token": "t", "model": "m", "usage": usage}).usage == expected

    def test_flat_counts_win_over_the_usage_object(self) -> None:
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
        assert request_of({**MINIMAL, "usage": usage}).usage == Usage(prompt=12, completion=5, cache_read=1)

    @pytest.mark.parametrize(
        ("counts", "expected"),
        [
            ({"prompt_tokens": 10, "total_tokens": 15}, Usage(prompt=10, completion=5)),
            ({"completion_tokens": 5, "total_tokens": 15}, Usage(prompt=10, completion=5)),
            ({"total_tokens": 15}, Usage(prompt=15)),
            ({"prompt_tokens": 15}, Usage(prompt=15)),
            ({"prompt_tokens": 15.0}, Usage(prompt=15)),
            (
                {"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 3, "total_tokens": 18},
                Usage(prompt=10, completion=8, reasoning=3),
            ),
            ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 18}, Usage(prompt=10, completion=5)),
        ],
    )
    def test_the_total_tells_what_is_missing(self, counts: dict[str, Any], expected: Usage) -> None:
        assert request_of({"tracking_token": "t", "model": "m", **counts}).usage == expected

    def test_without_counts_the_response_tells(self) -> None:
        body = {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}
        assert request_of({"tracking_token": "t", "model": "m", "response_body": body}).usage.total == 7

    @pytest.mark.parametrize("field", COUNTS)
    @pytest.mark.parametrize("value", NOT_COUNTS)
    def test_what_is_no_count_is_named(self, field: str, value: object) -> None:
        assert list(problems_of(**{field: value})) == [field]

    @pytest.mark.parametrize("value", NOT_COUNTS)
    def test_what_is_no_count_inside_a_usage_object_is_named(self, value: object) -> None:
        usage = {"input_tokens": value, "output_tokens": 1, "input_tokens_details": {"cached_tokens": value}}
        assert problems_of(usage=usage).keys() == {"usage.input_tokens", "usage.input_tokens_details.cached_tokens"}

    @pytest.mark.parametrize("value", ["", 5, [], True])
    def test_usage_and_its_details_are_objects(self, value: object) -> None:
        assert problems_of(usage=value).keys() == {"usage"}
        assert problems_of(usage={"prompt_tokens_details": value}).keys() == {"usage.prompt_tokens_details"}

    @pytest.mark.parametrize(
        ("counts", "fields"),
        [
            ({"total_tokens": 16}, {"total_tokens"}),
            ({"cached_tokens": 13}, {"cached_tokens"}),
            ({"cached_tokens": 7, "cache_write_tokens": 6}, {"cached_tokens", "cache_write_tokens"}),
            ({"reasoning_tokens": 6}, {"reasoning_tokens"}),
        ],
    )
    def test_parts_that_exceed_the_whole_are_refused(self, counts: dict[str, Any], fields: set[str]) -> None:
        assert problems_of(**counts).keys() == fields

    def test_a_wrong_whole_is_named_without_its_parts(self) -> None:
        assert problems_of(prompt_tokens=-1, cached_tokens=5).keys() == {"prompt_tokens"}

    @pytest.mark.parametrize("fields", [{}, {"usage": {}}, {"usage": {"prompt_tokens": None}}, {"response_body": {}}])
    def test_a_request_needs_counts_or_a_cost(self, fields: dict[str, Any]) -> None:
        (item,) = parse({"tracking_token": "t", "model": "m", **fields}).items
        assert isinstance(item, Invalid)
        assert item.fields.keys() == {"prompt_tokens"}
        assert request_of({"tracking_token": "t", "model": "m", "cost_usd": 1, **fields}).usage == Usage()

    @pytest.mark.parametrize("status", ["error", "cancelled"])
    def test_a_failed_request_need_not_have_used_anything(self, status: str) -> None:
        assert request_of({"tracking_token": "t", "model": "m", "status": status}).usage == Usage()


ANTHROPIC = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 1000,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1000},
    "output_tokens": 100,
    "server_tool_use": {"web_search_requests": 5},
    "service_tier": "batch",
    "inference_geo": "us",
    "odd_units": 3,
}


class TestQuantities:
    """What is billed beside the counts, and on which terms."""

    def test_a_usage_object_tells_units_level_and_place(self) -> None:
        request = request_of({"tracking_token": "t", "model": "claude-opus-4-6", "usage": ANTHROPIC})
        assert request.usage.quantities == {
            "input_tokens": 1012,
            "output_tokens": 100,
            "cache_write_tokens": 1000,
            "cache_write_1h_tokens": 1000,
            "web_searches": 5,
        }
        assert (request.service_level, request.inference_geo) == (ServiceLevel.BATCH, "us")
        assert request.unread_usage == ("odd_units",)
        assert request.usage_object == ANTHROPIC

    @pytest.mark.parametrize(
        ("fields", "units"),
        [
            ({"usage": {"type": "duration", "seconds": 90}}, {"input_audio_seconds": 90}),
            ({"usage": {"billed_units": {"search_units": 2}}}, {"rerank_searches": 2}),
            ({"usage": {"characters": 400}}, {"input_characters": 400}),
            ({"response_body": {"created": 1, "data": [{"url": "https://example.com/1"}]}}, {"output_images": 1}),
        ],
    )
    def test_units_without_tokens_are_taken(self, fields: dict[str, Any], units: dict[str, float]) -> None:
        assert request_of({"tracking_token": "t", "model": "m", **fields}).usage == Usage(units=units)

    def test_the_providers_own_cost_is_enough(self) -> None:
        request = request_of({"tracking_token": "t", "model": "m", "usage": {"cost": 0.00123}})
        assert request.cost == Cost(reported=Usd(1_230_000), reported_by=Reporter.PROVIDER)

    def test_the_providers_own_cost_comes_before_the_clients(self) -> None:
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5}
        assert request_of({**MINIMAL, "usage": usage, "cost_usd": 9}).cost == Cost(
            reported=Usd(500_000_000), reported_by=Reporter.PROVIDER
        )

    ANSWER: ClassVar[dict[str, Any]] = {
        "model": "gpt-5-mini-2025-08-07",
        "service_tier": "flex",
        "output": [{"type": "web_search_call", "action": {"type": "search", "query": "secret"}}],
        "usage": {"input_tokens": 9000, "input_tokens_details": {"cached_tokens": 8000}, "output_tokens": 500},
    }

    def test_beside_flat_counts_the_response_tells_the_rest(self) -> None:
        counts = {"prompt_tokens": 9000, "completion_tokens": 500}
        request = request_of({"tracking_token": "t", "model": "prod-chat", **counts, "response_body": self.ANSWER})
        assert request.usage == Usage(prompt=9000, completion=500, cache_read=8000, units={"web_searches": 1})
        assert (request.service_level, request.served_model) == (ServiceLevel.FLEX, "gpt-5-mini-2025-08-07")
        assert b"secret" not in json.dumps(request.usage_object).encode()

    def test_parts_of_other_sums_are_left_out(self) -> None:
        request = request_of({**MINIMAL, "response_body": self.ANSWER})
        assert request.usage == Usage(prompt=12, completion=5, units={"web_searches": 1})

    def test_a_usage_object_comes_before_that_of_the_response(self) -> None:
        usage = {"input_tokens": 7, "output_tokens": 1}
        request = request_of({"tracking_token": "t", "model": "m", "usage": usage, "response_body": self.ANSWER})
        assert request.usage == Usage(prompt=7, completion=1, units={"web_searches": 1})

    def test_a_model_by_another_of_its_names_is_not_told_twice(self) -> None:
        assert request_of({**MINIMAL, "model": "gpt-5-mini", "response_body": self.ANSWER}).served_model is None

    def test_the_level_asked_for_counts_where_the_answer_says_none(self) -> None:
        assert request_of({**MINIMAL, "request_body": {"service_tier": "flex"}}).service_level is ServiceLevel.FLEX
        assert request_of({**MINIMAL, "request_body": {"service_tier": "auto"}}).service_level is None


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"prompt_tokens": 12, "completion_tokens": 5, "user_id": "u"}, "c911b76bf5b65e158581e60c45e38e0a"),
        ({"total_tokens": 12}, "919e526ac524af1bc1fb2f978ebc513c"),
        (
            {
                "usage": {
                    "prompt_tokens": 1000,
                    "completion_tokens": 100,
                    "total_tokens": 1100,
                    "prompt_tokens_details": {"cached_tokens": 400},
                    "completion_tokens_details": {"reasoning_tokens": 60},
                }
            },
            "c58ed412b0b5b670f3d444c029a78a16",
        ),
        (
            {"response_body": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}},
            "78a13dcd306752881118e6f936499e8b",
        ),
        (
            {"prompt_tokens": 7, "response_body": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}},
            "27f5f4f3278ea8785ba9e1a220172ad0",
        ),
    ],
)
def test_an_identity_outlives_the_version_that_made_it(fields: dict[str, Any], identity: str) -> None:
    at = 1_796_000_000
    item = {"tracking_token": "t", "model": "gpt-4o", "timestamp": at - 10, **fields}
    (request,) = IngestReceiver().parse(json.dumps(item).encode(), at * SECOND, TimeRule(35 * DAY)).items
    assert isinstance(request, Request)
    assert request.external_id == f"content:{identity}"


def test_content_outlives_the_version_that_made_it() -> None:
    item = {**MINIMAL, "model": "gpt-4o", "prompt_tokens": 7, "completion_tokens": None, "request_id": "r"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    assert request_of({**item, "usage": usage}).content == bytes.fromhex("e4dcba13fbd1d704416309bed5e9b264")


class TestMoney:
    """`cost_usd`."""

    @pytest.mark.parametrize(
        ("written", "nano"),
        [
            ("0", 0),
            ("1", 1_000_000_000),
            ("0.1", 100_000_000),
            ("1e-9", 1),
            ("0.000000123", 123),
            ("123456.123456789", 123_456_123_456_789),
            ("1000000", 10**15),
            ("-0.0", 0),
        ],
    )
    def test_a_cost_is_the_decimal_that_was_written(self, written: str, nano: int) -> None:
        raw = f'{{"tracking_token":"t","model":"m","cost_usd":{written}}}'.encode()
        assert request_of(raw).cost == Cost(reported=Usd(nano), reported_by=Reporter.CLIENT)

    @pytest.mark.parametrize(
        "written", ["-1", "-1e-12", "1000000.01", "1e30", '"12.3"', "true", "{}", "[1]", "9" * 400]
    )
    def test_what_is_no_amount_is_named(self, written: str) -> None:
        assert problems_in(f'"prompt_tokens":1,"cost_usd":{written}').keys() == {"cost_usd"}


class TestNumbersThatAreNotFinite:
    """NaN and its like are not JSON, but the sender learns which field it was."""

    @pytest.mark.parametrize("field", [*COUNTS, "cost_usd", "latency_ms", "timestamp", "model", "status", "request_id"])
    @pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
    def test_the_field_is_named(self, field: str, written: str) -> None:
        assert problems_in(f'"cost_usd":1,"{field}":{written}').keys() == {field}

    @pytest.mark.parametrize(
        ("raw", "field"),
        [
            ('"usage":{"prompt_tokens":NaN}', "usage.prompt_tokens"),
            ('"usage":{"prompt_tokens_details":{"cached_tokens":NaN}}', "usage.prompt_tokens_details.cached_tokens"),
            ('"total_tokens":1,"properties":{"team":NaN}', "properties.team"),
            ('"total_tokens":1,"request_body":{"temperature":[NaN]}', "request_body"),
            ('"total_tokens":1,"response_body":1e999', "response_body"),
        ],
    )
    def test_it_is_named_inside_objects(self, raw: str, field: str) -> None:
        assert problems_in(raw).keys() == {field}

    def test_other_items_of_the_batch_are_taken(self) -> None:
        good = json.dumps({**FULL, "cost_usd": 0.1}).encode()
        first, second = parse(b'[{"tracking_token":"t","model":"m","cost_usd":NaN},' + good + b"]").items
        assert isinstance(first, Invalid)
        assert second == request_of({**FULL, "cost_usd": 0.1})

    @pytest.mark.parametrize(
        "raw",
        [b'{"a":NaN,"b":"\\ud800"}', b'{"a":NaN', b'{"a":NaN} {}', b'\xef\xbb\xbf{"a":NaN}', b'{"a":NaN,"b":"\xff"}'],
    )
    def test_nothing_else_may_be_wrong(self, raw: bytes) -> None:
        with pytest.raises(NotJson):
            parse(raw)


class TestText:
    """Names and ids."""

    @pytest.mark.parametrize("field", ["tracking_token", "request_id", "response_id"])
    @pytest.mark.parametrize("value", ["", "x" * 129, 12, 1.5, True, [], {}, "a\x1b[2J", "a\nb", "a\u202eb"])
    def test_an_id_is_1_to_128_printable_characters(self, field: str, value: object) -> None:
        assert problems_of(**{field: value}).keys() == {field}
        assert request_of({**MINIMAL, field: "x" * 128})

    @pytest.mark.parametrize("field", ["model", "provider", "user_id", "session_id", "session_path"])
    @pytest.mark.parametrize("value", ["", "x" * 257, 12, True, [], {}])
    def test_a_name_is_1_to_256_characters(self, field: str, value: object) -> None:
        assert problems_of(**{field: value}).keys() == {field}
        assert getattr(request_of({**MINIMAL, field: "x" * 256}), field) == "x" * 256

    def test_properties_are_texts_by_name(self) -> None:
        wrong = problems_of(properties={"team": 5, "": "x", "ok": "yes", "tall": "", "on": True})
        assert wrong.keys() == {"properties.team", "properties.", "properties.tall", "properties.on"}
        assert problems_of(properties=["team"]).keys() == {"properties"}
        assert problems_of(properties={str(n): "x" for n in range(MOST_PROPERTIES + 1)}).keys() == {"properties"}

    def test_a_property_is_named_in_a_harmless_form(self) -> None:
        assert list(problems_of(properties={"\x1b[2J": 5})) == ["properties.␛[2J"]

    @pytest.mark.parametrize("value", ["", "OK", "failed", 200, True, []])
    def test_the_status_is_one_of_three(self, value: object) -> None:
        assert problems_of(status=value) == {"status": "has to be one of ok, error, cancelled"}

    @pytest.mark.parametrize("value", [-1, "812", True, [], LONGEST_LATENCY + 1])
    def test_the_latency_is_a_number_of_milliseconds(self, value: object) -> None:
        assert problems_of(latency_ms=value).keys() == {"latency_ms"}


class TestTime:
    """`timestamp`."""

    @pytest.mark.parametrize(
        "written",
        [
            "2026-11-20T14:00:00Z",
            "2026-11-20t14:00:00z",
            "2026-11-20 15:00:00+01:00",
            "2026-11-20T14:00:00.000Z",
            "2026-11-20T14:00:00.0000000-00:00",
            1_795_183_200,
            1_795_183_200.0,
        ],
    )
    def test_it_is_rfc_3339_or_unix_seconds(self, written: object) -> None:
        request = request_of({**MINIMAL, "timestamp": written})
        assert (request.occurred_at, request.time_source) == (1_795_183_200 * SECOND, TimeSource.CLIENT)

    def test_fractions_of_a_second_are_kept(self) -> None:
        assert request_of({**MINIMAL, "timestamp": "2026-11-20T14:00:00.123456Z"}).occurred_at % SECOND == 123_456
        assert request_of({**MINIMAL, "timestamp": "2026-11-20T14:00:00.5Z"}).occurred_at % SECOND == 500_000
        assert request_of({**MINIMAL, "timestamp": 1_795_183_200.25}).occurred_at % SECOND == 250_000

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "now",
            "2026-11-20",
            "1795183200",
            "2026-11-20T14:00:00+0100",
            "2026-11-20T14:00:60Z",
            "2026-13-20T14:00:00Z",
            "2026-11-20T14:00:00+25:00",
            "２０２６-11-20T14:00:00Z",
            -1,
            1_795_183_200_000,
            10**30,
            True,
            [],
            {},
        ],
    )
    def test_what_is_no_time_is_named(self, written: object) -> None:
        assert problems_of(timestamp=written).keys() == {"timestamp"}

    @pytest.mark.parametrize(
        "written",
        [
            to_iso(NOW - 36 * DAY),
            to_iso(NOW + 10 * MINUTE),
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2026-11-20T14:03:00",
            0,
        ],
    )
    def test_what_is_old_ahead_or_without_zone_is_pointed_to_the_import(self, written: object) -> None:
        problems = problems_of(timestamp=written)
        assert problems.keys() == {"timestamp"}
        assert "`spendtop import`" in problems["timestamp"]

    def test_the_limits_belong_to_what_is_taken(self) -> None:
        for at in (NOW - 35 * DAY, NOW + 5 * MINUTE):
            assert request_of({**MINIMAL, "timestamp": to_iso(at)}).occurred_at == at
        for at in (NOW - 35 * DAY - 1, NOW + 5 * MINUTE + 1):
            assert problems_of(timestamp=to_iso(at))

    @pytest.mark.parametrize(
        ("timestamp", "suspect"),
        [
            (to_iso(NOW - HOUR), False),
            (to_iso(NOW - HOUR).removesuffix("Z"), True),
            (to_iso(NOW - 100 * DAY), True),
            (to_iso(NOW - 100 * DAY).removesuffix("Z"), True),
        ],
    )
    def test_older_clients_times_are_taken_with_a_doubt(self, timestamp: str, suspect: bool) -> None:
        request = request_of({**MINIMAL, "timestamp": timestamp}, taken_until=400 * DAY, takes_zoneless=True)
        assert request.time_suspect is suspect
        assert to_iso(request.occurred_at).removesuffix("Z") == timestamp.removesuffix("Z")

    def test_what_retention_forgets_is_not_taken_at_all(self) -> None:
        stamped = {**MINIMAL, "timestamp": to_iso(NOW - 401 * DAY)}
        (item,) = parse(stamped, taken_until=400 * DAY, takes_zoneless=True).items
        assert isinstance(item, Invalid)
        assert item.fields["timestamp"].startswith("lies more than 400d back")

    def test_the_age_is_configured(self) -> None:
        stamped = {**MINIMAL, "timestamp": to_iso(NOW - 2 * HOUR)}
        (item,) = parse(stamped, max_age=HOUR).items
        assert isinstance(item, Invalid)
        assert item.fields["timestamp"].startswith("lies more than 1h back")
        assert request_of({**MINIMAL, "timestamp": to_iso(NOW - 300 * DAY)}, max_age=400 * DAY)


def test_all_that_is_wrong_is_told_at_once() -> None:
    (item,) = parse({"prompt_tokens": -1, "status": "x", "timestamp": "now", "user_id": ""}).items
    assert isinstance(item, Invalid)
    assert item.fields.keys() == {"tracking_token", "model", "prompt_tokens", "status", "timestamp", "user_id"}


class TestIdentity:
    """What makes two posts the same request."""

    STAMPED: ClassVar[dict[str, Any]] = {**MINIMAL, "timestamp": "2026-11-20T14:00:00Z", "user_id": "alice"}

    def test_the_clients_id_comes_first(self) -> None:
        assert request_of({**MINIMAL, "request_id": "r-9"}, key="k").external_id == "r-9"

    def test_the_idempotency_key_comes_second(self) -> None:
        assert request_of(self.STAMPED, key="k").external_id == "idempotency-key:k"
        items = parse([MINIMAL, {**MINIMAL, "request_id": "r"}, MINIMAL], key="k").items
        ids = [item.external_id for item in items if isinstance(item, Request)]
        assert ids == ["idempotency-key:k/0", "r", "idempotency-key:k/2"]

    @pytest.mark.parametrize("key", ["", "x" * 129, "a\x1bb"])
    def test_an_idempotency_key_is_1_to_128_printable_characters(self, key: str) -> None:
        with pytest.raises(Unreadable) as failure:
            parse(MINIMAL, key)
        assert failure.value.code == "bad_idempotency_key"

    def test_what_it_says_comes_third_where_it_says_when(self) -> None:
        first = request_of(self.STAMPED)
        assert is_assumed(first)
        again = {**self.STAMPED, "timestamp": "2026-11-20T15:00:00+01:00", "prompt_tokens": 12.0, "session_id": "s"}
        assert request_of(again).external_id == first.external_id

    @pytest.mark.parametrize(
        "other",
        [
            {"model": "o3"},
            {"user_id": "bob"},
            {"user_id": None},
            {"prompt_tokens": 13},
            {"timestamp": 1_795_183_201},
            {"response_id": "another-answer"},
        ],
    )
    def test_other_content_is_another_request(self, other: dict[str, Any]) -> None:
        assert request_of({**self.STAMPED, **other}).external_id != request_of(self.STAMPED).external_id

    def test_without_id_and_time_every_post_counts(self) -> None:
        first, second = request_of(), request_of()
        assert first.external_id != second.external_id
        assert not is_assumed(first)

    def test_only_an_id_of_the_client_can_conflict(self) -> None:
        assert request_of(self.STAMPED).content is None
        assert request_of().content is None
        assert request_of(FULL).content is not None
        assert request_of(MINIMAL, key="k").content is not None

    def test_the_same_content_however_it_is_written(self) -> None:
        backwards = dict(reversed(FULL.items()))
        body = {"a": 1, "b": [2]}
        variants: list[object] = [
            {**FULL, "request_body": body},
            {**backwards, "request_body": dict(reversed(body.items())), "usage": None, "unknown": 1},
            {**FULL, "request_body": body, "prompt_tokens": 12.0, "timestamp": "2026-11-20T15:03:00.0+01:00"},
            {**FULL, "request_body": body, "cost_usd": 2.15e-3, "properties": {"team": "blue"}},
        ]
        assert len({request_of(variant).content for variant in variants}) == 1

    @pytest.mark.parametrize("field", sorted(FULL.keys() - {"total_tokens", "timestamp", "properties", "status"}))
    def test_any_other_field_is_other_content(self, field: str) -> None:
        value = FULL[field]
        other = value * 2 if isinstance(value, float) else value - 1 if isinstance(value, int) else "another"
        without_total = {**FULL, "total_tokens": None}
        assert request_of({**without_total, field: other}).content != request_of(without_total).content

    def test_the_time_of_arrival_is_no_content(self) -> None:
        raw = json.dumps({**MINIMAL, "request_id": "r"}).encode()
        early, late = (IngestReceiver().parse(raw, at, TimeRule(35 * DAY)).items[0] for at in (NOW, NOW + HOUR))
        assert isinstance(early, Request) and isinstance(late, Request)
        assert early.content == late.content

    def test_a_tracking_token_is_the_scope(self) -> None:
        assert request_of(FULL).scope == "app-1"


class TestPosts:
    """The post as a whole."""

    def test_an_object_is_one_item_and_an_array_a_batch(self) -> None:
        assert not parse(MINIMAL).is_batch
        assert parse([MINIMAL]).is_batch
        assert len(parse([MINIMAL] * MOST_ITEMS).items) == MOST_ITEMS

    def test_items_are_judged_one_by_one_in_their_order(self) -> None:
        items = parse([MINIMAL, 5, {**MINIMAL, "cost_usd": "1"}, None, [], MINIMAL]).items
        assert [isinstance(item, Request) for item in items] == [True, False, False, False, False, True]
        assert next(item.fields for item in items if isinstance(item, Invalid)) == {"item": "has to be an object"}

    @pytest.mark.parametrize(
        ("raw", "code"),
        [
            (b"[]", "empty_batch"),
            (b"5", "not_an_object"),
            (b'"text"', "not_an_object"),
            (b"null", "not_an_object"),
            (b"NaN", "not_an_object"),
            (b"[" + b"{}," * MOST_ITEMS + b"{}]", "too_many_items"),
        ],
    )
    def test_what_holds_no_items_is_refused_as_a_whole(self, raw: bytes, code: str) -> None:
        with pytest.raises(Unreadable) as failure:
            parse(raw)
        assert failure.value.code == code

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b" ",
            b"{",
            b"no",
            b"{} {}",
            b"\xef\xbb\xbf{}",
            b'{"model":"\xff"}',
            b'{"model":"\\ud800"}',
            b'{"model":"\xed\xa0\x80"}',
            b'{"prompt_tokens":' + b"9" * 5000 + b"}",
            b"[" * 100_000,
            b"[" * 100_000 + b"]" * 100_000,
            b'{"request_body":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
            b'{"a":NaN,"b":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            "{}".encode("utf-16"),
        ],
    )
    def test_what_is_no_json_is_told_so(self, raw: bytes) -> None:
        with pytest.raises(NotJson):
            parse(raw)

    def test_of_doubled_keys_the_last_wins(self) -> None:
        assert request_of(b'{"tracking_token":"t","model":"a","model":"b","total_tokens":1}').model == "b"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(CANARY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
VALUES = JSON | st.sampled_from([FULL[name] for name in FULL]) | st.dictionaries(st.sampled_from(COUNTS), JSON)
ITEMS = st.dictionaries(st.sampled_from(sorted(READERS)), VALUES) | JSON


def understood(raw: bytes) -> str:
    """All that the receiver says about a post."""
    try:
        pushed = parse(raw)
    except (NotJson, Unreadable) as failure:
        return str(failure)
    return " ".join(
        f"{item.code} {message}"
        for item in pushed.items
        if isinstance(item, Invalid)
        for message in item.fields.values()
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_understood_or_refused(raw: bytes) -> None:
    understood(raw)


@settings(max_examples=400, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=3))
def test_no_message_holds_what_was_submitted(items: list[object]) -> None:
    assert CANARY not in understood(json.dumps(items).encode())


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(READERS)), VALUES))
def test_what_is_taken_can_be_stored(fields: dict[str, object]) -> None:
    (item,) = parse({**MINIMAL, **fields}).items
    if isinstance(item, Request):
        assert msgspec.json.encode(item)
        assert item.occurred_at < 2**62
        assert all(0 <= tokens < 2**62 for tokens in msgspec.structs.astuple(item.usage) if tokens is not None)
