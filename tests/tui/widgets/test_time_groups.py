"""Groups of a list by time: where one begins, what it adds up to, and whether that is all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from spendtop.domain.clock import DAY, HOUR, SECOND
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Cost
from spendtop.domain.windows import Calendar
from spendtop.store.reads.requests.lists import RequestPage
from spendtop.store.reads.rows import RequestRow
from spendtop.tui.listing import PAGE, Listing
from spendtop.tui.widgets.time_groups import Step, step_for, time_groups

BERLIN = Calendar("Europe/Berlin")
NOON = 1_790_000_000_000_000 // DAY * DAY + 12 * HOUR

PRICED = Cost(amount=Usd.of("1.50"))


@dataclass(frozen=True)
class Row:
    """What a group knows of a request."""

    id: int
    occurred_at: int
    cost: Cost = PRICED
    counted: bool = True
    is_plan: bool = False
    output_final: bool = True


def listing(*rows: Row, more: bool = False, from_end: bool = False) -> Listing:
    """Rows as they are read, in pages."""
    listed = Listing(from_end)
    pages = [rows[first : first + PAGE] for first in range(0, len(rows), PAGE)]
    for number, page in enumerate(pages):
        is_last = number == len(pages) - 1
        read = tuple(cast(RequestRow, row) for row in page)
        listed.put({number: RequestPage(read, None if is_last and not more else str(number + 1))})
    return listed


def words(listed: Listing, step: Step = Step.MINUTE, starts: bool = True, ends: bool = True) -> dict[int, str]:
    """What stands over which row."""
    groups = time_groups(listed, step, BERLIN, starts_whole=starts, ends_whole=ends)
    return {first: " ".join((group.day, group.clock, *group.words)) for first, group in groups.items()}


def every(seconds: int, number: int) -> list[Row]:
    """Rows from noon backwards."""
    return [Row(each, NOON - each * seconds * SECOND) for each in range(number)]


def test_a_minute_has_one_line_with_what_its_requests_add_up_to() -> None:
    rows = [Row(0, NOON), Row(1, NOON - SECOND), Row(2, NOON - 2 * SECOND, Cost()), Row(3, NOON - 3 * SECOND)]
    rows[3] = Row(3, NOON - 3 * SECOND, counted=False)
    day = BERLIN.local(NOON).strftime("%m-%d")
    assert words(listing(*rows)) == {
        0: f"{day} 14:00 1 request $1.50",
        1: f"{day} 13:59 2 requests $1.50 +1? 1 not counted",
    }
    turned = words(listing(*rows, from_end=True))
    assert list(turned) == [0, 3] and turned[3].endswith("14:00 1 request $1.50")


def test_usage_under_a_plan_stands_beside_the_spend_and_a_lower_bound_is_one() -> None:
    under_plan = Row(1, NOON - 1, Cost(basis=Basis.PLAN, computed=Usd.of("0.40")), counted=False, is_plan=True)
    rows = [Row(0, NOON - 1, output_final=False), under_plan, Row(2, NOON - 2, counted=False)]
    ((_, line),) = words(listing(*rows)).items()
    assert line.endswith("13:59 1 request >=$1.50 1 under a plan ~$0.400 1 not counted")


def test_what_may_not_be_all_of_a_minute_says_so() -> None:
    rows = every(10, 14)
    at_ends = words(listing(*rows, more=True), starts=False, ends=False)
    assert {first: text.split(" ", 2)[2] for first, text in at_ends.items()} == {
        0: ">=1 request >=$1.50",
        1: "6 requests $9.00",
        7: "6 requests $9.00",
        13: ">=1 request >=$1.50",
    }


def test_a_group_whose_beginning_was_let_go_has_no_line() -> None:
    listed = listing(*every(1, 14 * PAGE))
    firsts = words(listed)
    assert firsts, "some pages are in memory"
    let_go = [number for number in range(14) if listed.lacks(number)]
    assert let_go, "and some are not"
    behind = (let_go[-1] + 1) * PAGE
    assert behind not in firsts, "what stands over it is not known"


def test_the_step_suits_how_close_to_each_other_requests_are() -> None:
    assert step_for(listing(*every(10, 50))) is Step.MINUTE
    assert step_for(listing(*every(300, 50))) is Step.HOUR
    assert step_for(listing(*every(10_000, 50))) is Step.DAY
    assert step_for(listing(*every(100_000, 50))) is None
    assert step_for(listing()) is Step.MINUTE
    hours = words(listing(*every(300, 50)), Step.HOUR)
    assert [text.split()[1] for text in hours.values()][:2] == ["14:00", "13:00"]
    days = words(listing(*every(10_000, 50)), Step.DAY)
    assert all(text.split()[0].count("-") == 1 for text in days.values())
