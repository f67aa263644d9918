"""One request as lines to read."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from msgspec.structs import replace

from spendtop.domain.bodies.conversation import parse_conversation
from spendtop.domain.money import Usd
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import Basis, BodyState, Cost, Request, ServiceLevel, Usage
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.requests.detail import RequestDetail, detail
from spendtop.store.reads.requests.lists import newest_id
from spendtop.tui.glyphs import UNICODE
from spendtop.tui.palette import PLAIN
from spendtop.tui.requests.transcript import Pane, PaneFormat, lines_of
from spendtop.tui.widgets.json_lines import wrap
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request, chat

PAGE = PaneFormat(60, True, PLAIN, UNICODE, Calendar())


@pytest.fixture
def stored(store: Store, till: Till) -> object:
    """Records requests and reads the last one back."""

    def record(*requests: Request) -> RequestDetail:
        till.record(*requests)
        with store.reading() as connection:
            found = detail(connection, newest_id(connection))
        assert found is not None
        return found

    return record


def shown(found: RequestDetail, pane: Pane, page: PaneFormat = PAGE) -> str:
    """The pane as text."""
    lines = lines_of(found, parse_conversation(found.request_body, found.response_body), pane, page)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_the_chat_names_roles_and_keeps_paragraphs(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    found = stored(a_request(0, clock(), request_body=chat("First.\n\nSecond " + "word " * 30)))
    text = shown(found, Pane.CHAT)
    assert "── user ──" in text and "── assistant ──" in text and " of in ──" in text and " of out ──" in text
    assert "First.\n\nSecond" in text
    assert max(map(len, text.split("\n"))) <= 60 + 30


def test_names_of_properties_are_cut_in_their_middle_and_none_is_beyond_the_edge(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    properties = {f"deployment-region-{n}": f"eu-{'x' * 90}-{n}" for n in range(3)}
    text = shown(stored(a_request(0, clock(), properties=properties)), Pane.CHAT)
    assert max(map(len, text.split("\n"))) <= 60
    for n in range(3):
        assert re.search(rf"^deploymen…region-{n} eu-x+…x+-{n}$", text, re.MULTILINE)


def test_a_message_says_its_size_and_its_share_and_folded_only_its_first_line(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    said = [{"role": "system", "content": "x" * 300}, {"role": "user", "content": "yy\n" + "y" * 97}]
    found = stored(a_request(0, clock(), request_body=json.dumps({"messages": said}).encode()))
    text = shown(found, Pane.CHAT, PaneFormat(60, True, PLAIN, UNICODE, Calendar(), folded=True, figures=False))
    first, _, second, line, *_ = text.split("\n")
    assert first.endswith(" 300 B, 75% of in ──") and second.endswith(" 100 B, 25% of in ──")
    assert line == "yy" and "cost " not in text


def test_tool_calls_are_named(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    call = {"id": "1", "type": "function", "function": {"name": "lookup_order", "arguments": '{"order_id": 5512}'}}
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [call]}}]}).encode()
    text = shown(stored(a_request(0, clock(), response_body=body)), Pane.CHAT)
    assert "tool call lookup_order" in text
    assert '"order_id": 5512' in text


def test_the_cost_says_who_reported_it_and_what_it_would_be(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    assert "$0.0075 reported by helicone" in shown(stored(a_request(0, clock())), Pane.CHAT)
    unknown = stored(a_request(1, clock(), cost=Cost(), external_id="u"))
    assert shown(unknown, Pane.CHAT).startswith("cost unpriced: no price is known for this model\n")


def test_the_summary_says_what_is_unpriced_the_level_and_the_twin(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    found = stored(a_request(0, clock()))
    cost = Cost(
        amount=Usd.of("0.0031"),
        basis=Basis.COMPUTED,
        level_assumed=True,
        unpriced_units={"web_searches": 2, "input_audio_seconds": 90},
    )
    row = msgspec.structs.replace(found.row, cost=cost, service_level=ServiceLevel.BATCH, probable_twin_of=77)
    lines = shown(replace(found, row=row, twin_source="litellm"), Pane.CHAT).splitlines()
    assert max(map(len, lines[:6])) <= PAGE.width
    text = " ".join(line.strip() for line in lines)
    assert "cost $0.0031 + 2 web searches and 90 s of audio input unpriced, computed from what it used" in text
    assert "level batch (standard price assumed)" in text
    assert "probably the same call as 77 of litellm; make the token of one of them `--shadow`" in text


def test_counts_that_contradict_each_other_say_so(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    found = stored(a_request(0, clock(), cost=Cost(), usage=Usage(prompt=900, completion=1, cache_read=1_000)))
    text = " ".join(shown(found, Pane.CHAT).split())
    why = "1,000 cache read tokens are more than 900 prompt tokens"
    assert f"cost unknown: contradictory counts, {why}" in text


def test_meta_shows_what_the_provider_itself_said(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    assert "as the provider said it" not in shown(stored(a_request(0, clock())), Pane.META)
    found = stored(a_request(1, clock(), external_id="u", provider_usage=pack({"prompt_tokens": 7, "n": {"a": 1}})))
    text = shown(found, Pane.META)
    assert "usage as the provider said it" in text
    assert '  "prompt_tokens": 7,\n  "n": {\n    "a": 1\n  }' in text


def test_meta_shows_every_field_ids_and_corrections(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    first = a_request(0, clock(), properties={"env": "prod"}, response_id="chatcmpl-1")
    second = a_request(0, clock(), source=HELICONE_API, cost=Cost(reported=Usd.of("0.02")))
    text = shown(stored(first, second), Pane.META)
    for word in ("external-0", "chatcmpl-1", "property env", "prod", "2 104", "1 792", "first token", "verified"):
        assert word in text


def test_meta_names_the_list_that_priced_and_how_old_it_is(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    text = shown(stored(a_request(0, clock(), cost=Cost(), model="gpt-4.1-of-own")), Pane.META)
    assert "genai-prices" not in text
    found = stored(a_request(1, clock(), external_id="fetched"))
    cost = Cost(
        amount=Usd(7), basis=Basis.COMPUTED, computed=Usd(7), price_version="genai-prices 2026-11-18 sha256:ab12cd34"
    )
    found = replace(found, row=msgspec.structs.replace(found.row, cost=cost))
    words = " ".join(shown(found, Pane.META).split())
    assert "genai-prices 2026-11-18 sha256:ab12cd34, fetched 2 days before the request" in words


def test_meta_shows_what_a_source_said_against_itself(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    text = shown(stored(a_request(0, clock()), a_request(0, clock(), model="gpt-4.1-nano")), Pane.META)
    assert "gpt-4.1 stays, gpt-4.1-nano was not taken" in text


def test_raw_bodies_are_indented_and_a_missing_one_says_why(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    found = stored(a_request(0, clock(), response_body=None, request_body=None, body_state=BodyState.NOT_SENT))
    assert shown(found, Pane.RESPONSE) == "The source sent no prompt and response."
    assert "The source sent no prompt and response." in shown(found, Pane.CHAT)
    found = stored(a_request(1, clock(), external_id="with"))
    assert '  "model": "gpt-4.1",' in shown(found, Pane.REQUEST)


def test_a_huge_body_is_cut_and_says_how_much_is_left(stored, clock: SettableClock) -> None:  # type: ignore[no-untyped-def]
    text = shown(stored(a_request(0, clock(), request_body=chat("x" * 1_000_000))), Pane.CHAT)
    assert len(text) < 30_000
    assert "more characters" in text


@pytest.mark.parametrize("width", [5, 20, 60])
def test_wrapping_loses_nothing_but_spaces(width: int) -> None:
    line = "You summarise 日本語 tickets-in at most " + "unbroken" * 8
    pieces = wrap(line, width)
    assert "".join(pieces).replace(" ", "") == line.replace(" ", "")
