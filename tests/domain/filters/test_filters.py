"""The filter language: what it means, what it refuses and where it points."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.clock import to_micros
from spendtop.domain.filters.filters import (
    EVERYTHING,
    FIELDS,
    And,
    AnyText,
    Comparison,
    FieldKind,
    FilterContext,
    FilterError,
    Not,
    Op,
    Or,
    Pattern,
    PatternKind,
    Subject,
    fields_of,
    matches,
    parse_filter,
    quoted,
)
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.domain.windows import Calendar


def utc(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


NOW = utc("2026-11-20T14:30")
BERLIN = FilterContext(NOW, Calendar("Europe/Berlin"))
UTC_CONTEXT = FilterContext(NOW, Calendar())
ALICE = Subject(
    user="Alice",
    model="gpt-4o-mini",
    token="ci-42",
    session="pr-88",
    path="/etl/load/users",
    provider="OPENAI",
    sources=("helicone", "otlp"),
    id="77",
    external_ids=("a1b2-c3",),
    properties={"env": "prod"},
    status=Status.OK,
    http_status=200,
    cost=Usd.of("0.05"),
    prompt_tokens=8_000,
    completion_tokens=2_000,
    total_tokens=10_000,
    latency_ms=5_200,
    level="batch",
    occurred_at=utc("2026-11-20T14:05"),
    verified=True,
)
NOBODY = Subject(unpriced=True, status=Status.ERROR, http_status=429, occurred_at=utc("2026-11-19T23:30"))


def passes(text: str, subject: Subject = ALICE, context: FilterContext = UTC_CONTEXT) -> bool:
    return matches(parse_filter(text), subject, context)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("~u alice", "user:alice"),
        ("~m o3", "model:o3"),
        ("~k ci-42", "token:ci-42"),
        ("~s pr-88", "session:pr-88"),
        ("~p /etl/**", "path:/etl/**"),
        ("~prop env=prod", "prop.env:prod"),
        ("~prop env:prod", "prop.env=prod"),
        ("~src webhook", "source:helicone"),
        ("~st >=400", "status>=400"),
        ("~cost >0.05", "cost > $0.05"),
        ("~tok >10k", "tok:>10000"),
        ("~in <=1.5M", "in<=1500000"),
        ("~out 7", "out=7"),
        ("~lat >5s", "lat>5000ms"),
        ("~t -30m", "time:-30m"),
        ("~e", "error:yes"),
        ("~e", "error:"),
        ("~unpriced", "unpriced:true"),
        ("~twin", "twin:true"),
        ("~partial ~failed", "partial: failed:yes"),
        ("~doubtful ~level batch", "doubtful: level:batch"),
        ("~cached | ~verified ~e", "cached: | verified: & error:"),
        ("!~e -~cached", "!error: -cached:"),
        ("(~unpriced ~u alice)", "(unpriced: user:alice)"),
        ("~user alice ~M o3", "user:alice & m:o3"),
        ("!~u alice", "-user:alice"),
        ("~u alice | ~m o3 ~e", "user:alice | (model:o3 & error:yes)"),
    ],
)
def test_both_spellings_are_one_tree(short: str, long: str) -> None:
    assert parse_filter(short) == parse_filter(long)


def test_trees_are_made_of_plain_nodes() -> None:
    text = 'user:alice -cost>0.05 | (al* & !"b c" | /^x.y/)'
    assert parse_filter(text) == Or(
        (
            And(
                (
                    Comparison("user", Op.EQ, Pattern(PatternKind.EXACT, "alice")),
                    Not(Comparison("cost", Op.GT, Usd(50_000_000))),
                )
            ),
            Or(
                (
                    And(
                        (
                            AnyText(Pattern(PatternKind.PREFIX, "al")),
                            Not(AnyText(Pattern(PatternKind.CONTAINS, "b c"))),
                        )
                    ),
                    AnyText(Pattern(PatternKind.REGEX, "^x.y")),
                )
            ),
        )
    )
    assert parse_filter("  ") == EVERYTHING


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ali",
        "ALICE",
        "gpt",
        "pr-88",
        "load",
        "a1b2",
        "/etl",
        "/^pr-8+$/",
        '"gpt-4o"',
        "user:alice",
        "model:gpt-4o*",
        "model:*MINI",
        "model:gpt*mini",
        "model:*4o*",
        "user:*",
        "-prop.team:*",
        "path:/etl/**/users",
        "~pr openai",
        "source:otlp",
        "id:77",
        "id:a1b2*",
        "prop.env:PROD",
        "status:ok",
        "status:200",
        "status<400",
        "cost:0.05",
        "cost<=0.05",
        "tok>=10k",
        "in:8k",
        "out<2001",
        "lat>5s lat<5.3s",
        "verified:yes cached:no",
        "!~e !~unpriced !~cached ~verified !~partial !~failed !~doubtful !~twin !~imported",
        "level:batch",
        "bob | alice",
        "(bob | alice) gpt",
        "!(bob & alice)",
        "!!alice",
        "- bob",
    ],
)
def test_a_request_passes(text: str) -> None:
    assert passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "bob",
        "ci-42",
        "user:ali",
        "model:gpt-4o",
        'model:"gpt-4o*"',
        "model:gpt*nano",
        "path:/etl",
        "source:helicone-api",
        "status:error",
        "status>=400",
        "cost>0.05",
        "cost<0.05",
        "lat<5s",
        "~e",
        "alice bob",
        "alice & !gpt",
        "prop.team:*",
        "/^lice/",
        '"alice gpt"',
    ],
)
def test_a_request_does_not_pass(text: str) -> None:
    assert not passes(text)


@pytest.mark.parametrize("text", ["cost>0", "cost<=0", "tok>=0", "lat<1h", "user:*", "model:gpt*", "alice"])
def test_what_is_not_known_compares_with_nothing_and_passes_the_negation(text: str) -> None:
    assert not passes(text, NOBODY)
    assert passes(f"!({text})", NOBODY)


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("t:14:00..14:10", "2026-11-20T14:00", "2026-11-20T14:10"),
        ("t:14:00", "2026-11-20T14:00", "2026-11-20T14:01"),
        ("t:14:00:05", "2026-11-20T14:00:05", "2026-11-20T14:00:06"),
        ("t:23:50..00:10", "2026-11-19T23:50", "2026-11-20T00:10"),
        ("t:-30m..", "2026-11-20T14:00", None),
        ("t:-2h..-1h", "2026-11-20T12:30", "2026-11-20T13:30"),
        ("t:-30m", "2026-11-20T14:00", None),
        ("t:today", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("t:yesterday", "2026-11-19T00:00", "2026-11-20T00:00"),
        ("t:week", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("t:month", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("t:yesterday..week", "2026-11-19T00:00", "2026-11-23T00:00"),
        ("t:2026-11-01..2026-11-03", "2026-11-01T00:00", "2026-11-04T00:00"),
        ("t:2026-11-01", "2026-11-01T00:00", "2026-11-02T00:00"),
        ("t:2026-11-01T10:00..", "2026-11-01T10:00", None),
        ("t:2026-11-01T10:00+02:00", "2026-11-01T08:00", "2026-11-01T08:01"),
        ("t>=2026-11-01 ", "2026-11-01T00:00", None),
        ("t>2026-11-01", "2026-11-02T00:00", None),
        ("t:..2026-11-01", None, "2026-11-02T00:00"),
        ("t<2026-11-01", None, "2026-11-01T00:00"),
        ("t<=2026-11-01", None, "2026-11-02T00:00"),
    ],
)
def test_times_are_spans_with_their_start_and_without_their_end(text: str, first: str | None, end: str | None) -> None:
    def at(micros: int) -> bool:
        return passes(text, Subject(occurred_at=micros))

    if first is None:
        assert at(0)
    else:
        assert at(utc(first))
        assert not at(utc(first) - 1)
    if end is None:
        assert at(NOW + 10**12)
    else:
        assert at(utc(end) - 1)
        assert not at(utc(end))


def test_times_are_local() -> None:
    assert passes("t:15:00..15:10", context=BERLIN)
    assert passes("t:today", NOBODY, FilterContext(NOW, Calendar("Europe/Berlin")))
    assert passes("t:yesterday", NOBODY, FilterContext(NOW, Calendar("Europe/Berlin", day_starts="04:00")))


@pytest.mark.parametrize(
    ("text", "position", "suggestion"),
    [
        ("usr:alice", 0, "user"),
        ("alice modl:o3", 6, "model"),
        ("~modl o3", 0, "~model"),
        ("~cache <20%", 0, "~cached"),
        ("~zzz secret", 0, None),
        ("~xyzzy", 0, None),
        ("prp.env:x", 0, "prop.NAME"),
        ("prop:x", 0, "prop.NAME"),
        ("source:otel", 7, "otlp"),
        ('source:"otel"', 7, "otlp"),
        ("source:xyzzy", 7, None),
        ("~src otlp2*", 5, "otlp"),
        ("level:batched", 6, "batch"),
        ("status:eror", 7, None),
        ("cost>abc", 5, None),
        ("cost>1e5", 5, None),
        ("cost>99999999999k", 5, None),
        ("in>1.5", 3, None),
        ("lat>5x", 4, None),
        ("status:4xx", 7, None),
        ("status>ok", 6, None),
        ("model>o3", 5, None),
        ("t:25:00", 2, None),
        ("t:..", 2, None),
        ("t:9999-01-01", 2, None),
        ("error:maybe", 6, None),
        ("error=", 6, None),
        ('error:"', 6, None),
        ("error:(a)", 6, None),
        ("user:", 5, None),
        ("~u ", 3, None),
        ("~prop env", 6, None),
        (">5", 0, None),
        ("!", 1, None),
        ("a |", 3, None),
        ("a & & b", 4, None),
        ("(a", 0, None),
        ("a)", 1, None),
        ("()", 1, None),
        ('"abc', 0, None),
        ('user:"abc', 5, None),
        ("x /(/", 2, None),
        ("/(a+)+$/", 0, None),
        ("/((a|b))*c/", 0, None),
        ("/.*.*.*.*x/", 0, None),
        ("(" * 60 + "a" + ")" * 60, 50, None),
        ("a" * 1001, 1000, None),
    ],
)
def test_an_error_points_to_its_place(text: str, position: int, suggestion: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert (caught.value.position, caught.value.suggestion) == (position, suggestion)
    assert caught.value.message
    assert suggestion is None or f"'{suggestion}'" in str(caught.value)


@pytest.mark.parametrize("expression", ["gpt-4(o|-turbo)?", "^a.*b", r"\(x\)?\d+", "[(+*]+", "(?:ab)+", "a{2,3}"])
def test_harmless_expressions_are_allowed(expression: str) -> None:
    assert parse_filter(f"/{expression}/") == AnyText(Pattern(PatternKind.REGEX, expression))


def test_no_allowed_expression_searches_for_ever() -> None:
    worst = parse_filter("/.*a.*b/")
    began = time.process_time()
    matches(worst, Subject(user="a" * 256), UTC_CONTEXT)
    assert time.process_time() - began < 10


def test_addresses_need_no_quotes_and_escapes_work_inside_quotes() -> None:
    assert parse_filter("http://x.y") == AnyText(Pattern(PatternKind.CONTAINS, "http://x.y"))
    assert parse_filter(r'"a\"b\\c"') == AnyText(Pattern(PatternKind.CONTAINS, r'a"b\c'))


@given(st.text(max_size=60))
def test_any_text_can_be_quoted(text: str) -> None:
    literal = Comparison("model", Op.EQ, Pattern(PatternKind.EXACT, text))
    assert parse_filter(f"model:{quoted(text)} t:today") == And((literal, parse_filter("t:today")))


def test_the_fields_of_a_filter_are_named() -> None:
    found = fields_of(parse_filter("~u alice (-model:o3 | prop.env:prod) !bob t:today"))
    assert found == {"user", "model", "prop.env", "text", "time"}
    assert fields_of(EVERYTHING) == set()


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_the_example_of_every_field_is_valid_and_about_it(field: object) -> None:
    known = FIELDS[getattr(field, "name")]  # noqa: B009
    (name,) = fields_of(parse_filter(known.example))
    assert name.partition(".")[0] == known.name


def test_short_forms_are_unique() -> None:
    shorts = [field.short for field in FIELDS.values()]
    assert len(set(shorts)) == len(shorts)


@pytest.mark.parametrize(
    ("pattern", "like"),
    [
        ("user:a_b%", r"a\_b\%"),
        ("user:a*", "a%"),
        ("user:*a", "%a"),
        ("user:*a*", "%a%"),
        ("user:a*b**c", "a%b%c"),
        ("user:*", "%"),
        (r"user:a\b", r"a\\b"),
    ],
)
def test_patterns_have_a_like_form(pattern: str, like: str) -> None:
    tree = parse_filter(pattern)
    assert isinstance(tree, Comparison)
    assert isinstance(tree.value, Pattern)
    assert tree.value.like == like


def test_a_regular_expression_has_no_like_form() -> None:
    with pytest.raises(ValueError):
        _ = Pattern(PatternKind.REGEX, "a").like


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_globs_match_as_their_regular_expression_would(glob: str, value: str) -> None:
    tree = parse_filter(f"user:x{glob}")
    expression = re.escape("x" + glob).replace(r"\*", ".*")
    assert matches(tree, Subject(user="x" + value), UTC_CONTEXT) is bool(re.fullmatch(expression, "x" + value))


@given(st.text("~:<>=!-&|()\"/\\ .*tupcose0159kmd$'", max_size=30) | st.text(max_size=30))
def test_every_text_is_a_filter_or_a_filter_error(text: str) -> None:
    try:
        tree = parse_filter(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
    else:
        matches(tree, ALICE, BERLIN)


def test_every_kind_is_used() -> None:
    assert {field.kind for field in FIELDS.values()} == set(FieldKind)


@pytest.mark.parametrize(
    ("elsewhere", "here"),
    [
        ("cost_usd>0.05", "cost>0.05"),
        ("total_tokens>10k", "tok>10k"),
        ("tokens>10k", "tok>10k"),
        ("prompt_tokens>1 completion_tokens<9", "in>1 out<9"),
        ("latency_ms>5000", "lat>5s"),
        ("user_id:alice session_id:s-1", "user:alice session:s-1"),
        ("http_status>=400", "status>=400"),
        ("occurred_at:yesterday", "time:yesterday"),
        ("timestamp:yesterday", "t:yesterday"),
        ("service_level:batch", "level:batch"),
        ("prop:env=prod", "prop.env:prod"),
        ("prop:env:prod", "prop.env:prod"),
        ("properties.env:prod", "~prop env=prod"),
        ("~user_id alice", "~u alice"),
        ("token_name:web", "token:web"),
    ],
)
def test_a_field_has_the_names_of_api_exports_and_views_as_well(elsewhere: str, here: str) -> None:
    assert parse_filter(elsewhere) == parse_filter(here)


@pytest.mark.parametrize("text", ["source:webhook", "~src poll", "source:helicone*", "source:OTLP", "level:Batch"])
def test_values_of_closed_fields_are_known_by_pattern_and_whatever_their_case(text: str) -> None:
    assert fields_of(parse_filter(text)) <= {"source", "level"}


def test_an_unknown_value_of_a_closed_field_is_said_with_those_that_exist() -> None:
    with pytest.raises(FilterError, match="there is no source 'xyzzy'; it is one of webhook, poll, helicone-api"):
        parse_filter("source:xyzzy")
    with pytest.raises(FilterError, match="did you mean 'error'"):
        parse_filter("status:eror")
