"""A list that is searched for: what is found shows at once, and the search can be ended."""

from __future__ import annotations

from msgspec.structs import replace

from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.tui.requests.browser import Browser
from spendtop.tui.requests.questions import ListAnswer, ListQuestion
from spendtop.tui.selection import Selection
from tests.conftest import SettableClock
from tests.tui.conftest import Till


def asked(browser: Browser, clock: SettableClock, seconds: float = 0.0) -> ListQuestion:
    return browser.question((0, 10), clock(), Calendar(), seconds, browser.take_part)


def searched(store: Store, clock: SettableClock) -> tuple[Browser, ListAnswer]:
    """A browser whose search is on, and what the search comes to in the end."""
    browser = Browser()
    browser.choose(Selection(text="user:alice", filter=parse_filter("user:alice")))
    return browser, asked(browser, clock).ask_in(store)


def test_rows_show_before_all_is_searched(store: Store, filled: Till, clock: SettableClock) -> None:
    browser, whole = searched(store, clock)
    part = replace(whole, sums=None, share=0.34)
    assert browser.nothing == "nothing found yet"
    assert browser.take_part(part) and browser.nothing == "nothing found yet"
    assert (len(browser.listing), browser.sums, browser.share) == (20, None, 0.34)
    assert browser.take(whole, 0.0)
    assert browser.sums is not None and (browser.sums.requests, browser.share) == (20, None)
    assert not browser.give_up() and browser.nothing.startswith("nothing matches")


def test_a_search_that_is_ended_stays_with_what_it_found(store: Store, filled: Till, clock: SettableClock) -> None:
    browser, whole = searched(store, clock)
    part = replace(whole, sums=None, share=0.34)
    assert browser.take_part(part) and browser.give_up()
    assert not browser.take_part(part) and browser.nothing.startswith("nothing in the 34 % that were searched")
    assert browser.take(part, 0.0)
    assert (len(browser.listing), browser.share, browser.following) == (20, 0.34, False)
    later = asked(browser, clock, 1e9)
    assert (later.cursors, later.sums, later.restart) == ((), False, False)
    browser.choose(Selection())
    assert asked(browser, clock).restart


def test_a_slow_search_is_not_repeated_with_every_request_that_arrives(
    store: Store, filled: Till, clock: SettableClock
) -> None:
    browser, whole = searched(store, clock)
    assert browser.take(replace(whole, seconds=10.0), 100.0)
    assert not asked(browser, clock, 150.0).cursors and browser.rest(150.0) == 30.0
    assert asked(browser, clock, 181.0).restart
