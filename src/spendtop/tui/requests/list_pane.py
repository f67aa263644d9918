"""The list of requests on a screen: what is read and shown of it, and what the words around it say."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from msgspec.structs import replace

from spendtop.domain.filters.filters import Filter, body_terms
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.requests.browser import Browser
from spendtop.tui.saved_views import SavedView
from spendtop.tui.screens.filter_prompt import check
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.selection import ALL_TIME, NOTHING, Selection, TimeChoice, time_choice
from spendtop.tui.widgets.canvas import Line, Piece, length
from spendtop.tui.widgets.request_table import RequestList
from spendtop.tui.widgets.time_groups import Step, step_for, time_groups

if TYPE_CHECKING:
    from spendtop.store.reads.requests.lists import ListedSpend
    from spendtop.tui.requests.questions import ListAnswer, ListQuestion


class ListPane:
    """Keeps the widget in step with its browser."""

    def __init__(self, screen: LiveScreen, browser: Browser) -> None:
        self._screen = screen
        self._browser = browser
        self.whole = "all"
        """What the title calls the list while no filter is set."""
        self._step: Step | None = None
        """Of the groups that the list is shown in; stays while it is the same list."""
        self._sums_wait = False
        """Whether sums that were left out are to be asked for."""

    @property
    def rows(self) -> RequestList:
        return self._screen.query_one("#list", RequestList)

    def question(self) -> ListQuestion:
        """The newest page while following, else the pages on screen."""
        now = self._screen.face.session.clock()
        return self._browser.question(self.rows.in_view, now, self._screen.calendar, monotonic(), self._goes_on)

    def _goes_on(self, answer: ListAnswer) -> bool:
        """Show what is found up to now; False ends the search. Runs in a thread."""
        return self._screen.app.call_from_thread(self._take_part, answer)

    def _take_part(self, answer: ListAnswer) -> bool:
        if not self._screen.is_built or not self._browser.take_part(answer):
            return False
        self.show(answer.headline.calendar)
        self._screen.refresh_notice()
        return True

    def give_up(self) -> bool:
        """End a search; False where none is on."""
        if not self._browser.give_up():
            return False
        self._title()
        self._screen.refresh_notice()
        return True

    def take(self, answer: ListAnswer) -> bool:
        """Show an answer; False when it is about a list of before."""
        if not self._browser.take(answer, monotonic()):
            return False
        self.show(answer.headline.calendar)
        rest = self._browser.rest(monotonic())
        if answer.sums is None and rest > 0 and not self._sums_wait:
            self._sums_wait = True
            self._screen.set_timer(rest, self._sum)
        return True

    def _sum(self) -> None:
        """Ask for the sums that were left out, as the last ones took long."""
        self._sums_wait = False
        self._screen.news()

    def choose(self, selection: Selection) -> None:
        """List something else; the cursor stays on its request where that is listed too."""
        self._browser.choose(selection)
        self.begin()

    def begin(self) -> None:
        """Show the browser's new listing from its start."""
        self._step, self.rows.groups = None, {}
        self.rows.begin(self._browser.listing)
        self._title()
        self._screen.news()

    def begin_newest(self) -> None:
        """The same list from its newest request on."""
        self._browser.begin(self._browser.selection.newest_last)
        self.rows.selected = None
        self.begin()
        self._screen.tick()

    def toggle_follow(self) -> None:
        """Keep the newest in view from now on, or no longer."""
        browser = self._browser
        if browser.following:
            browser.follow(False)
            self._screen.tick()
        else:
            browser.selection = replace(browser.selection, order="time")
            browser.follow(True)
            self.begin_newest()

    def jump(self, first: bool) -> None:
        """To the first or last row, which may have to be read first; where new ones are announced there, to these."""
        browser = self._browser
        at_newest = first is not browser.selection.newest_last and browser.selection.order == "time"
        if at_newest and browser.pending:
            self.begin_newest()
            return
        position = browser.jump(first)
        if position is not None:
            self.rows.to(position)
        else:
            self.rows.selected = None
            self.begin()

    def order_by(self, order: str, descending: bool) -> None:
        """The same list turned over, or another one; shown from its top."""
        selection = self._browser.selection
        if body_terms(selection.filter) and order != "time":
            self._screen.warn("What is searched in prompts and answers is listed by time.")
        elif (selection.order, selection.descending) == (order, not descending):
            self._browser.invert()
            self.show(self._screen.calendar)
            self.jump(first=True)
            self._screen.news()
        else:
            self.rows.selected = None
            self._browser.follow(self._browser.following and order == "time")
            self.choose(replace(selection, order=order, descending=descending))

    def limit_to(self, time: TimeChoice) -> None:
        self.choose(replace(self._browser.selection, time=time))

    def matches(self, text: str) -> str:
        """How many requests a filter selects, as far as they are read."""
        sums, waiting = self._browser.sums, self._browser.selection.text != text
        return "searching" if waiting or sums is None else formats.requests(sums.requests)

    def filter_by(self, text: str, selected: Filter) -> None:
        """Only what passes; `text` says so."""
        before, text = self._browser.selection, text.strip()
        if text != before.text:
            order = "time" if body_terms(selected) else before.order
            self.choose(replace(before, text=text, filter=selected, order=order))

    @property
    def view(self) -> SavedView:
        """What is listed, for another time."""
        listed = self._browser.selection
        return SavedView(listed.text, listed.time.text, listed.order, listed.descending)

    def show_view(self, view: SavedView) -> None:
        """List what was saved; a filter that is no longer one lists nothing, and is said."""
        checked = check(view.filter)
        if checked.error is not None:
            self._screen.warn(f"The filter of this view cannot be used: {clean_line(str(checked.error))}.")
        time = time_choice(view.time)
        self.choose(
            replace(
                self._browser.selection,
                text=view.filter,
                filter=NOTHING if checked.filter is None else checked.filter,
                time=time,
                order=view.order if view.order in self.rows.orders else "time",
                descending=view.descending,
            )
        )

    def show(self, calendar: Calendar) -> None:
        """Show the browser's listing; the cursor stays on its request."""
        rows, browser = self.rows, self._browser
        rows.calendar, rows.following = calendar, browser.following
        self._title()
        self._show_rows()

    def _show_rows(self) -> None:
        """By time they stand in groups, once it is known how close to each other they are."""
        rows, browser = self.rows, self._browser
        is_searching = browser.share is not None
        if self._step is None and not is_searching and browser.selection.order == "time":
            self._step = step_for(browser.listing)
        if self._step is not None:
            whole = browser.listing.complete and not is_searching
            rows.groups = time_groups(
                browser.listing, self._step, rows.calendar, starts_whole=not browser.pending, ends_whole=whole
            )
        rows.show(browser.listing)

    def cursor_moved(self) -> None:
        """Away from the newest the list follows no more."""
        if self.rows.position != self.rows.start:
            self._browser.follow(False)
        if not self._browser.following:
            self.came_into_view()
        self._screen.refresh_notice()

    def came_into_view(self) -> None:
        """Read what is in view and not here yet."""
        question = self._browser.more(self.rows.in_view, self._screen.face.session.clock(), self._screen.calendar)
        if question is not None:
            self._screen.ask(question, self._take_more)

    def _take_more(self, answer: ListAnswer) -> None:
        if self._browser.take(answer, monotonic()):
            self._show_rows()

    def toggle_mark(self) -> None:
        """Mark the row, or take its mark away, and go on."""
        row = self.rows.row
        if row is not None:
            self.rows.marks ^= {row.id}
            self.rows.move(1)
            self.rows.redraw()

    def unmark(self) -> None:
        self.rows.marks.clear()
        self.rows.redraw()
        self._screen.tick()

    # Words

    def _title(self) -> None:
        palette, glyphs, selection = self._screen.face.palette, self._screen.face.glyphs, self._browser.selection
        self.rows.order, self.rows.descending = selection.order, selection.descending
        text = clean_line(selection.text.strip())
        when = "" if selection.time == ALL_TIME else f" {glyphs.between} {selection.time.name}"
        self.rows.subtitle = [(f" {text or self.whole}", palette.key if text else palette.muted), (when, palette.muted)]
        sums = self._browser.sums
        arrow = glyphs.down_arrow if selection.descending else glyphs.up
        order: Line = [(f"{selection.order} {arrow}", palette.muted)]
        self.rows.note = order if sums is None else self._sums(sums, order)
        self.rows.nothing = self._browser.nothing
        self.rows.redraw()

    def _sums(self, sums: ListedSpend, order: Line) -> Line:
        """What the list adds up to; how many failed, and the order, only where there is room."""
        palette, rows = self._screen.face.palette, self.rows
        between: Piece = (f" {self._screen.face.glyphs.between} ", palette.text)
        money = (formats.spend(sums.counted), palette.money)
        note: list[Piece] = [(formats.grouped(sums.counted.requests), palette.text), between, money]
        if sums.shadow.requests:
            note += [between, (f"+{formats.grouped(sums.shadow.requests)} shadow", palette.muted)]
        if sums.plan.requests:
            note += [between, (f"+{formats.grouped(sums.plan.requests)} plan", palette.muted)]
        failed: list[Piece] = [between, (formats.failed(sums.counted.failed), palette.muted)]
        for more in ([*(failed if sums.counted.failed else ()), between, *order], [between, *order]):
            if rows.room_for_note >= length([*note, *more]):
                return [*note, *more]
        return note

    def may(self, action: str) -> bool:
        """Whether an action of the list has an effect now."""
        if action == "clear-filter":
            return self._browser.selection.is_narrowed
        if action == "follow":
            return not self._is_over
        if action == "diff":
            return len(self.rows.marks) == 2
        if action == "unmark":
            return bool(self.rows.marks)
        return self.rows.row is not None or action not in ("mark", "copy", "export")

    def remarks(self) -> Line:
        """New rows, whether the list follows, marks, and where the cursor is."""
        palette, browser = self._screen.face.palette, self._browser
        parts: list[Piece] = []
        if browser.share is not None:
            done = f"{int(browser.share * 100)} %"
            words = f"ended at {done}, newest first" if browser.is_given_up else f"searching {done}, esc ends it"
            parts.append((f"{words}   ", palette.warn))
        if browser.pending:
            parts.append((f"{formats.grouped(browser.pending)} new, G to go   ", palette.key))
        elif browser.following and not self._is_over:
            parts.append((f"{self._screen.face.glyphs.live} following   ", palette.good))
        if self.rows.marks:
            parts.append((f"{len(self.rows.marks)} marked   ", palette.mark))
        if len(browser.listing):
            parts.append((self._place(), palette.muted))
        return parts

    @property
    def _is_over(self) -> bool:
        """Whether nothing new can come into the list."""
        face = self._screen.face
        is_past = face.time_machine.is_past
        return is_past or self._browser.selection.is_over(face.session.clock(), self._screen.calendar)

    def _place(self) -> str:
        listed = self._browser.sums.requests if self._browser.sums else 0
        total = max(listed, len(self._browser.listing))
        place = self.rows.position + 1
        if self._browser.listing.from_end:
            place += total - len(self._browser.listing)
        if not listed and not self._browser.listing.complete:
            return f"row {formats.grouped(place)}"
        return f"row {formats.grouped(place)} of {formats.grouped(max(total, place))}"
