"""Which columns fit where, and the words in them."""

from __future__ import annotations

import pytest

from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, ServiceLevel, Status
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery, page
from spendtop.store.reads.rows import RequestRow
from spendtop.tui.glyphs import UNICODE
from spendtop.tui.palette import PLAIN
from spendtop.tui.widgets.columns import Ink, Sized, fitted, row_line
from spendtop.tui.widgets.request_table import LAYOUTS, WITH_DAY, cost_word, signs, status_word
from tests.conftest import SettableClock
from tests.tui.conftest import Till, a_request

INK = Ink(PLAIN, UNICODE, Calendar())


@pytest.mark.parametrize("width", [38, 45, 56, 66, 75, 100, 136, 220])
@pytest.mark.parametrize("with_day", [False, True])
def test_the_seven_never_disappear_and_the_width_is_kept(width: int, with_day: bool) -> None:
    columns = fitted(WITH_DAY if with_day else LAYOUTS, width)
    titles = titles_of(columns)
    assert titles >= {"TIME", "USER", "MODEL", "COST", "ST", "LAT"}
    assert titles & {"IN", "TOK"}
    if width >= 56:
        assert sum(size + 1 for _, size in columns) - 1 <= width


def test_wider_terminals_show_more() -> None:
    assert titles_of(fitted(LAYOUTS, 135)) >= {"CACHE", "TOKEN", "SESSION", "PATH", "TTFT"}
    assert titles_of(fitted(LAYOUTS, 160)) >= {"PROVIDER", "SOURCE"}
    widest = fitted(LAYOUTS, 195)
    assert titles_of(widest) >= {"REASON", "PROPERTIES"}
    assert max(width for _, width in widest) < 40


def test_wide_rows_tell_how_the_time_went_who_bills_and_who_reported_it(
    store: Store, till: Till, clock: SettableClock
) -> None:
    till.record(a_request(0, clock(), ttft_ms=310, properties={"env": "prod\x1b[31m"}))
    with store.reading() as connection:
        (row,) = page(connection, RequestQuery(), FilterContext(clock(), Calendar()), None, 1).rows
    words = drawn(row, 195).split()
    assert {"0.3s", "openai", "helicone"} <= set(words)
    assert words[-1].startswith("env=prod") and "\x1b" not in words[-1]


def test_who_which_model_and_which_session_are_cut_in_their_middle(
    store: Store, till: Till, clock: SettableClock
) -> None:
    names = {
        "user_id": "support-team-eu",
        "model": "vendor-model-with-a-name-xl",
        "session_id": "ticket-of-today-11017",
    }
    till.record(a_request(0, clock(), **names))
    with store.reading() as connection:
        (row,) = page(connection, RequestQuery(), FilterContext(clock(), Calendar()), None, 1).rows
    assert drawn(row, 92).split()[1:3] == ["suppo…m-eu", "vendor-m…name-xl"] and " tick…017 " in drawn(row, 92)


def test_words_for_every_state(store: Store, till: Till, clock: SettableClock) -> None:
    from msgspec.structs import replace

    base = a_request(0, clock())
    till.record(
        base,
        replace(base, external_id="a", status=Status.ERROR, http_status=None, cost=Cost(reported=Usd(0))),
        replace(base, external_id="b", status=Status.CANCELLED, http_status=499),
        replace(base, external_id="c", cost=Cost()),
        replace(base, external_id="d", cached=True),
        replace(base, external_id="e", counted=False),
        replace(base, external_id="f", output_final=False),
        replace(base, external_id="g", output_final=False, counted=False),
    )
    with store.reading() as connection:
        rows = page(connection, RequestQuery(), FilterContext(clock(), Calendar()), None, 10).rows
    known = {row.external_ids["helicone"]: row for row in rows}
    assert [status_word(known[name]) for name in ("external-0", "a", "b")] == ["200", "!err", "~499"]
    assert cost_word(known["external-0"]) == "$0.0075"
    assert cost_word(known["c"]) == "unpriced"
    assert cost_word(known["d"]) == "cached"
    assert cost_word(known["e"]) == "($0.0075)"
    assert cost_word(known["f"]) == ">=$0.0075"
    assert cost_word(known["g"]) == "(>=$0.0075)"
    assert ">=410 1.8k >=$0.0075" in " ".join(drawn(known["f"], 140).split())
    assert " >=$0 " in drawn(known["f"], 40)
    assert drawn(known["external-0"], 67) == "14:03:07 alice     gpt-4.1          2.1k   410   $0.0075  200  1.9s"


def test_signs_behind_the_cost_tell_what_is_partial_doubtful_or_a_twin(
    store: Store, till: Till, clock: SettableClock
) -> None:
    from msgspec.structs import replace

    till.record(a_request(0, clock()))
    with store.reading() as connection:
        (row,) = page(connection, RequestQuery(), FilterContext(clock(), Calendar()), None, 1).rows
    partial = replace(row, cost=replace(row.cost, unpriced_units={"web_searches": 2}), service_level=ServiceLevel.BATCH)
    doubtful = replace(row, cost=replace(row.cost, doubtful=True), service_level=ServiceLevel.STANDARD)
    assert [signs(each) for each in (row, partial, doubtful)] == ["", "+", "?"]
    assert signs(replace(partial, probable_twin_of=7)) == "+="
    assert drawn(partial, 67) == "14:03:07 alice     gpt-4.1 (batch)  2.1k   410  $0.0075+  200  1.9s"
    assert drawn(doubtful, 67) == "14:03:07 alice     gpt-4.1          2.1k   410  $0.0075?  200  1.9s"
    unpriced = replace(row, cost=Cost(), probable_twin_of=7)
    assert "unpriced= " in drawn(unpriced, 67)
    large = replace(partial, cost=replace(partial.cost, amount=Usd.of("12345.67")), probable_twin_of=7)
    for width, amount in ((67, "$12,345+="), (38, "$12k+=")):
        assert f" {amount} " in drawn(large, width)


def titles_of(columns: Sized[RequestRow]) -> set[str]:
    return {column.title for column, _ in columns}


def drawn(row: RequestRow, width: int) -> str:
    """The row as text."""
    return "".join(text for text, _ in row_line(row, fitted(LAYOUTS, width), INK, width))
