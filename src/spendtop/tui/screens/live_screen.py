"""What all screens share around their picture: status, tabs, notice, keys, and the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from spendtop.domain.clock import to_datetime
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.actions import APP, LIVE, Action, bindings
from spendtop.tui.screens import FIRST
from spendtop.tui.screens.arrangement import Arrangement
from spendtop.tui.screens.config_notice import config_words, is_unread, opened_refusal
from spendtop.tui.screens.reader_screen import ReaderScreen
from spendtop.tui.screens.status import KeyBar, Notice, StatusLine, TabBar
from spendtop.tui.selection import Selection
from spendtop.tui.widgets.canvas import Line, Piece, clip, length
from spendtop.tui.widgets.prompt import Prompt, PromptKind
from spendtop.tui.widgets.table import Movable

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from spendtop.domain.windows import Calendar

_GAP: Piece = ("   ", Style())


class LiveScreen(ReaderScreen):
    """A screen that shows the store and follows it.

    Subclasses give `NAME`, `ACTIONS`, `body`, `panes`, `question` and `show`.
    """

    NAME: ClassVar[str] = ""
    ACTIONS: ClassVar[tuple[Action, ...]] = LIVE
    BINDINGS: ClassVar[list[BindingType]] = bindings(LIVE)
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._pane: Widget | None = None

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def remarks(self) -> Line:
        """What the notice says on its left when nothing is more important."""
        return ()

    def works_now(self, action: Action) -> bool:
        """Whether an action has an effect at the moment."""
        return True

    @property
    def request_selection(self) -> Selection:
        """Which requests it is about: all, where it does not list some."""
        return Selection()

    def go_back(self) -> bool:
        """One step back within the screen; False when there is none."""
        return False

    @property
    def is_root(self) -> bool:
        """Whether going back from here leaves the program."""
        return self.NAME == FIRST

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield TabBar(self.NAME)
        with Vertical(id="body"):
            yield from self.body()
        yield Notice()
        yield Prompt()
        yield KeyBar()

    @property
    def is_built(self) -> bool:
        """Whether its widgets are there: all of them, and the program is not taking them away as it ends."""
        return self.is_mounted and self.app.is_running

    def tick(self) -> None:
        """Once a second, and whenever something around the body changed."""
        if not self.is_built:
            return
        face = self.face
        facts = face.status_facts()
        status, tabs = self.query_one(StatusLine), self.query_one(TabBar)
        if (status.facts, status.headline) != (facts, face.headline):
            status.facts, status.headline = facts, face.headline
            status.redraw()
        if tabs.facts is None or ((tabs.facts.collector, tabs.facts.asked) != (facts.collector, facts.asked)):
            tabs.facts = facts
            tabs.redraw()
        self.refresh_notice()
        # Below a dialog none of them works.
        self.query_one(KeyBar).offer(self.offered() if self.app.screen is self else ())
        if self.is_stale and self.is_current and not face.pause:
            self.news()

    def on_screen_suspend(self) -> None:
        """A dialog has the keyboard now, or another screen."""
        self.tick()

    def offered(self) -> list[tuple[Action, str]]:
        """The actions that work now, with the first key of each as the user's keymap has it."""
        keys: dict[str, str] = {}
        for key, active in self.active_bindings.items():
            if active.enabled and active.binding.id:
                keys.setdefault(active.binding.id, key)
        offered = [(action, keys[action.id]) for action in (*self.ACTIONS, *APP) if action.id in keys]
        if self.is_root:
            return [(replace(action, label="leave") if action.id == "back" else action, key) for action, key in offered]
        return offered

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys without an effect are neither offered nor taken. A refusal that nobody has read takes enter."""
        if action in ("read_refusal", "open") and is_unread(self.face) is (action == "open"):
            return False
        for each in self.ACTIONS:
            if each.call.partition("(")[0] in (f"screen.{action}", f"app.{action}") and not self.works_now(each):
                return False
        return super().check_action(action, parameters)

    def refresh_notice(self) -> None:
        """The most important word: a pause, then the screen's own remarks."""
        palette = self.face.palette
        notice = self.query_one(Notice)
        pause = self.face.pause
        if pause:
            seconds = formats.span(self.face.session.clock() - pause.since)
            words = f" PAUSED {seconds}, {formats.grouped(pause.behind)} behind "
            notice.say([(words, palette.banner), ("  p goes on; recording never stops", palette.muted)])
            return
        trouble: Line = [(f"! {self.face.trouble}   ", palette.bad)] if self.face.trouble else ()
        attention = self._attention()
        important = [*trouble, *self._conditions(attention), *self._config_outcome(attention), *attention]
        notice.say([*important, *self.remarks()], self.window_words())

    def tell_news(self) -> None:
        """Why a changed configuration was refused, in full."""
        outcome = self.face.config_status.untold(self.face.headline, self.face.session.clock())
        if outcome is not None:
            self.notify(outcome.text.text(), title="Configuration refused", severity="error", timeout=15, markup=False)

    def _conditions(self, attention: Line) -> Line:
        """The worst thing that is amiss with the collector, and how many more there are. What a changed configuration
        did has words of its own."""
        present = self.face.collector.conditions if self.face.collector else ()
        amiss = [each for each in present if each.name != "configuration"]
        if not amiss:
            return ()
        palette = self.face.palette
        style = palette.bad if amiss[0].status is ConditionStatus.DOWN else palette.warn
        more: Line = [(f" +{len(amiss) - 1} more", palette.muted)] if len(amiss) > 1 else ()
        return [*self._cut((f"! {clean_line(amiss[0].sentence)}", style), [*more, *attention]), *more, _GAP]

    def _config_outcome(self, attention: Line) -> Line:
        return config_words(self.face, attention, self._cut)

    def action_read_refusal(self) -> None:
        if dialog := opened_refusal(self.face):
            self.app.push_screen(dialog)
        else:
            self.warn("No changed configuration is refused.")

    def _cut(self, words: Piece, after: Line) -> Line:
        """Cut to the room that the words after it leave, or to half the line."""
        width = self.size.width
        return clip([words], max(width - length(after) - 6, width // 2))

    def window_words(self) -> Line:
        """Which day "today" is, where it is not the one of the machine's own clock."""
        headline = self.face.headline
        if headline is None:
            return ()
        calendar, now = headline.calendar, self.face.session.clock()
        here = to_datetime(now).astimezone()
        if calendar.day_starts == "00:00" and calendar.local(now).utcoffset() == here.utcoffset():
            return ()
        return [(f"days from {calendar.day_starts} {calendar.zone}", self.face.palette.faint)]

    def _attention(self) -> list[Piece]:
        headline, palette = self.face.headline, self.face.palette
        if headline is None:
            return []
        attention = headline.attention
        words: list[Piece] = []
        if attention.unrecognized:
            count = formats.count(attention.unrecognized)
            words.append((f"!! {count} not understood: spendtop quarantine list   ", palette.bad))
        if attention.dead_deliveries:
            count = formats.count(attention.dead_deliveries)
            words.append((f"!! {count} dead: spendtop delivery list   ", palette.bad))
        if attention.tests:
            tests = "test" if attention.tests == 1 else "tests"
            words.append((f"T {formats.count(attention.tests)} {tests}   ", palette.test))
        return words

    def warn(self, words: str) -> None:
        """Tell why something is not done."""
        self.notify(words, severity="warning", markup=False)

    def report(self, words: str, severity: SeverityLevel = "information") -> None:
        """Tell what came of work in a thread; called there."""
        self.app.call_from_thread(partial(self.notify, words, severity=severity, markup=False))

    @property
    def calendar(self) -> Calendar:
        """The one that the collector applies."""
        return self.face.headline.calendar if self.face.headline else self.face.session.calendar

    # Prompt

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    def open_prompt(self, kind: PromptKind, text: str = "") -> None:
        """Ask in place of the notice."""
        self.query_one(Notice).display = False
        self.prompt.ask(kind, text, self.face.history[kind])

    def action_command(self) -> None:
        self.open_prompt(PromptKind.COMMAND)

    def action_prompt_history(self, step: int) -> None:
        self.prompt.recall(step)

    def action_prompt_complete(self) -> None:
        self.complete(self.prompt.kind, self.prompt.input.value)

    def action_prompt_cancel(self) -> None:
        self.prompt.give_up()

    def complete(self, kind: PromptKind, text: str) -> None:
        if kind is PromptKind.COMMAND:
            self.prompt.put(self.face.commands.complete(text))

    def on_prompt_edited(self, event: Prompt.Edited) -> None:
        if event.kind is PromptKind.COMMAND:
            self.hint(self.face.commands.hint(event.text))

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        if self.prompt.open:
            return
        self.prompt_closed(event.kind, event.text)
        if event.kind is PromptKind.COMMAND:
            self.face.commands.run(event.text)

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        self.prompt_closed(event.kind, "")

    def prompt_closed(self, kind: PromptKind, text: str) -> None:
        """Notice and keys again; remember the text."""
        history = self.face.history[kind]
        if text.strip() and text not in history[-1:]:
            history.append(text)
        self.query_one(Notice).display = True
        self.query_one(KeyBar).hint(None)
        self.rest_focus()
        self.tick()

    def hint(self, line: Line) -> None:
        """Below the prompt, in place of the keys."""
        self.query_one(KeyBar).hint(line)

    # Panes

    @property
    def panes(self) -> Sequence[Widget]:
        """What `tab` goes through; the first one has the keyboard at the beginning."""
        raise NotImplementedError

    @property
    def pane(self) -> Widget:
        """What the keys belong to while nothing is asked."""
        panes = self.panes
        return self._pane if self._pane is not None and self._pane in panes else panes[0]

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if event.widget in self.panes:
            self._pane = event.widget
            self.tick()

    def action_pane(self, step: int) -> None:
        self.panes[(self.panes.index(self.pane) + step) % len(self.panes)].focus()

    def rest_focus(self) -> None:
        """Focus what the keys belong to."""
        self.pane.focus()

    # Keys of lists

    arrangement: Arrangement
    """Of screens that have keys for a window of time and an order."""

    @property
    def movable(self) -> Movable:
        """What the movement keys move in."""
        pane = self.pane
        assert isinstance(pane, Movable)
        return pane

    def action_move(self, step: int) -> None:
        self.movable.move(step)

    def action_move_page(self, halves: int) -> None:
        self.movable.move(halves * max(self.movable.rows_high // 2, 1))

    def action_move_top(self) -> None:
        self.movable.to_top()

    def action_move_end(self) -> None:
        self.movable.to_end()

    def action_time(self) -> None:
        self.arrangement.ask_time()

    def action_order_menu(self) -> None:
        self.arrangement.ask_order()

    def action_order(self, step: int) -> None:
        self.arrangement.by_neighbour(step)

    def action_invert(self) -> None:
        self.arrangement.invert()
