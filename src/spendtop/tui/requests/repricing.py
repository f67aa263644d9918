"""Pricing anew what is listed: first what that would change, then, if it is wanted, the change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Label, Static

from spendtop.domain.cost_words import known_cost, within
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.modals.dialog import ReadingDialog
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.selection import ALL_TIME, Selection
from spendtop.tui.widgets.canvas import fit, fit_middle, fit_right

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from spendtop.services.repricing.current_costs import ComparisonExcerpt, Difference
    from spendtop.services.tasks import Task

_DAY, _COUNT, _SUM, _CHANGE = 10, 8, 12, 10
_LEAST_OF_MODEL, _WIDEST = 6, 110
_FRAME = 6
"""Border, padding and scroll bar."""
_COMPARING = "esc gives up"
_COMPARED = "y or enter prices them anew · j k scroll · esc leaves all as it is"
_NOTHING = "esc closes"
_RUNNING = "s stops it · esc closes, it goes on"


class RepriceScreen(ReadingDialog):
    """What pricing anew is about and would change, by day and model; then how far it is."""

    BINDINGS: ClassVar[list[BindingType]] = [("y,enter", "confirm", "price anew"), ("s", "stop", "stop")]
    HINT = _COMPARING

    def __init__(self, about: str, confirm: Callable[[], None], stop: Callable[[], None]) -> None:
        """`confirm` begins it, and `stop` stops what is under way."""
        super().__init__("Price anew")
        self._about = about
        self._confirm = confirm
        self._stop = stop
        self._excerpt: ComparisonExcerpt | None = None
        self._is_confirmed = False

    def body(self) -> ComposeResult:
        yield Label(self._about, markup=False)
        yield Label("Reported costs stay as they are.", classes="dim", markup=False)
        with VerticalScroll(id="text", can_focus=False):
            yield Static(id="differences", markup=False)
        yield Label("Comparing with the prices of now...", id="progress", markup=False)

    def say(self, words: str) -> None:
        """In the last line: how far it is, or what there is to do."""
        self.query_one("#progress", Label).update(clean_line(words, 200))

    def show(self, excerpt: ComparisonExcerpt) -> None:
        """What would change."""
        self._excerpt = excerpt
        self.on_resize()
        compared = f"Computed and unknown costs compared: {formats.grouped(excerpt.looked_at)}"
        if excerpt.whole.requests:
            self.say(f"{compared}. Price these anew?")
            self._hint(_COMPARED)
        else:
            self.say(f"{compared}; none would change.")
            self._hint(_NOTHING)

    def on_resize(self) -> None:
        if self._excerpt is not None and self._excerpt.whole.requests:
            width = min(self.app.size.width, _WIDEST) - _FRAME
            self.query_one("#differences", Static).update("\n".join(_lines(self._excerpt, width)))

    def action_confirm(self) -> None:
        if self._excerpt is None or self._is_confirmed:
            return
        if not self._excerpt.whole.requests:
            self.dismiss(None)
            return
        self._is_confirmed = True
        self.say("It is asked of the collector...")
        self._hint(_RUNNING)
        self._confirm()

    def action_stop(self) -> None:
        if self._is_confirmed:
            self.say("It stops after its present page...")
            self._stop()

    def action_cancel(self) -> None:
        """A comparison ends by that; what was begun goes on."""
        if not self._is_confirmed:
            self._stop()
        self.dismiss(None)

    def _hint(self, keys: str) -> None:
        self.query_one(".dialog").border_subtitle = keys


def _lines(excerpt: ComparisonExcerpt, width: int) -> Iterator[str]:
    """In little room without the number of requests."""
    others = _DAY + 2 * _SUM + _CHANGE + 4
    first = 0 if others + _COUNT + 1 + _LEAST_OF_MODEL <= width else 1
    model = max(width - others - (0 if first else _COUNT + 1), _LEAST_OF_MODEL)
    yield _line(("day", "model", *("requests", "before", "after", "difference")[first:]), model)
    yield _line(("total", "", *_figures(excerpt.whole)[first:]), model)
    for named, each in excerpt.by_day_and_model:
        name = clean_line(named.model) if named.model else "(no model)"
        yield _line((named.day, formats.model(name, model), *_figures(each)[first:]), model)
    if excerpt.left_out:
        yield f"{formats.grouped(excerpt.left_out)} more days of models differ less."


def _figures(each: Difference) -> tuple[str, ...]:
    return (
        formats.count(each.requests),
        formats.cost(known_cost(each.before, each.requests, each.unpriced_before), each.unpriced_before, _SUM),
        formats.cost(known_cost(each.after, each.requests, each.unpriced_after), each.unpriced_after, _SUM),
        _signed(each.change),
    )


def _signed(amount: Usd) -> str:
    """With as many digits as the costs beside it."""
    return f"+{within(amount, _CHANGE - 1)}" if amount.nano > 0 else within(amount, _CHANGE)


def _line(cells: Sequence[str], model: int) -> str:
    day, name, *figures = cells
    sizes = (_COUNT, _SUM, _SUM, _CHANGE)[-len(figures) :]
    right = (fit_right(cell, size) for cell, size in zip(figures, sizes, strict=True))
    return " ".join((fit(day, _DAY), fit_middle(name, model), *right)).rstrip()


class Repricing:
    """Has the collector compare and price anew, or take that back; only it has the prices."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._writer = StoreWriter(screen)
        self._task: Task | None = None
        """The one under way."""

    def ask(self) -> None:
        """Compare what the screen lists, or all; then ask whether to price it anew."""
        if not self._writer.may_ask():
            return
        chosen = self._screen.request_selection
        since, until = chosen.time.span(self._screen.face.session.clock(), self._screen.calendar)
        span: dict[str, object] = {"since": since, "until": until, "filter": chosen.text.strip()}
        dialog = RepriceScreen(_about(chosen), lambda: self._begin(dialog, span), self._stop)

        def compare(connection: Connection) -> int:
            from spendtop.services import tasks

            return tasks.ask(connection, tasks.TaskKind.REPRICE_COMPARE, span, self._screen.face.session.clock())

        self._screen.app.push_screen(dialog)
        self._writer.follow(compare, lambda task: self._compared(dialog, task), self._refused(dialog))

    def undo(self, run_id: int) -> None:
        """Take a run back."""
        if not self._writer.may_ask():
            return
        now = self._screen.face.session.clock()

        def work(connection: Connection) -> int:
            from spendtop.services import tasks
            from spendtop.services.repricing import repricing

            repricing.undoable(connection, run_id)
            arguments: dict[str, object] = {"run": run_id, "by": repricing.who_asks()}
            return tasks.ask(connection, tasks.TaskKind.REPRICE_UNDO, arguments, now)

        self._writer.follow(work, self._writer.tell)

    def _compared(self, dialog: RepriceScreen, task: Task | None) -> None:
        from msgspec import json

        from spendtop.services.repricing.current_costs import ComparisonExcerpt
        from spendtop.services.tasks import TaskState

        self._task = task
        if not dialog.is_attached:
            return
        if task is None or task.state in (TaskState.FAILED, TaskState.STOPPED):
            dialog.dismiss(None)
            self._writer.tell(task)
        elif task.state is TaskState.DONE:
            dialog.show(json.decode(task.result or "", type=ComparisonExcerpt))
        elif task.progress:
            dialog.say(f"{task.progress}...")

    def _begin(self, dialog: RepriceScreen, span: dict[str, object]) -> None:
        now = self._screen.face.session.clock()

        def work(connection: Connection) -> int:
            from spendtop.domain.filters.filters import parse_filter
            from spendtop.services import tasks
            from spendtop.services.repricing import repricing
            from spendtop.store.reads.requests.lists import RequestQuery

            text, since, until = str(span["filter"]), span["since"], span["until"]
            assert isinstance(since, int | None) and isinstance(until, int | None)
            query = RequestQuery(parse_filter(text) if text else None, since, until)
            by = repricing.who_asks()
            run_id = repricing.begin(connection, query, text, by, now)
            return tasks.ask(connection, tasks.TaskKind.REPRICE, {"run": run_id, "by": by}, now)

        self._writer.follow(work, lambda task: self._run(dialog, task), self._refused(dialog))

    def _run(self, dialog: RepriceScreen, task: Task | None) -> None:
        from spendtop.services.tasks import TaskState

        self._task = task
        if task is not None and not task.finished:
            if dialog.is_attached and task.progress:
                dialog.say(f"{task.progress}...")
            return
        if dialog.is_attached:
            dialog.dismiss(None)
        if task is not None and task.state is TaskState.DONE:
            words = f"{task.result}\nUndo: :reprice undo {task.arguments['run']}"
            self._screen.notify(words, timeout=15, markup=False)
        else:
            self._writer.tell(task)

    def _stop(self) -> None:
        task, now = self._task, self._screen.face.session.clock()
        if task is None or task.finished:
            return

        def work(connection: Connection) -> None:
            from spendtop.services import tasks

            tasks.stop(connection, task.id, now)

        self._writer.write(work, lambda _: None)

    def _refused(self, dialog: RepriceScreen) -> Callable[[str], None]:
        def refused(words: str) -> None:
            if dialog.is_attached:
                dialog.dismiss(None)
            self._screen.warn(words)

        return refused


def _about(chosen: Selection) -> str:
    """Span and filter in words."""
    what = f"requests with {clean_line(chosen.text, 60)}" if chosen.text.strip() else "all requests"
    return f"{what[0].upper()}{what[1:]}, {'of all time' if chosen.time == ALL_TIME else chosen.time.name}"
