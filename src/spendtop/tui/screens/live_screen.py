"""What all screens share around their picture: status, tabs, notice, keys, and the prompt."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import events
from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from spendtop.domain.clock import HOUR
from spendtop.tui.actions import APP, CHANGING, LIVE, Action, bindings
from spendtop.tui.screens import FIRST
from spendtop.tui.screens.arrangement import Arrangement
from spendtop.tui.screens.early_key import EarlyKey
from spendtop.tui.screens.notice_words import NoticeWords
from spendtop.tui.screens.reader_screen import ReaderScreen
from spendtop.tui.screens.status import KeyBar, Notice, StatusLine, TabBar
from spendtop.tui.selection import Selection
from spendtop.tui.widgets.canvas import Line, Panel
from spendtop.tui.widgets.prompt import Prompt, PromptKind
from spendtop.tui.widgets.table import Movable

if TYPE_CHECKING:
    from spendtop.domain.windows import Calendar


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
        self._was_dimmed = False
        self._early_key = EarlyKey(self, self.ACTIONS, self.works_now, lambda: self.is_awaited)

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def remarks(self) -> Line:
        """What the notice says on its left when nothing is more important."""
        return ()

    def works_now(self, action: Action) -> bool:
        """Whether an action has an effect at the moment."""
        return True

    def on_key(self, event: events.Key) -> None:
        """No key had an effect."""
        if not self.prompt.open:
            self._early_key.press(event.key)

    @property
    def request_selection(self) -> Selection:
        """Which requests it is about: all, where it does not list some."""
        return Selection()

    def moved_in_time(self) -> None:
        """Everything is to be read as of another instant."""
        self.outdate()
        self.news()
        self.tick()

    @property
    def shift_length(self) -> int:
        """How far one step of the time machine goes, µs."""
        return HOUR

    def action_shift(self, step: int) -> None:
        self.face.time_machine.shift(-step * self.shift_length)

    def select_row(self, key: Hashable) -> None:
        """Put the cursor on a row, on screens that others lead to."""
        raise NotImplementedError

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
        told = (facts.collector, facts.asked, facts.differences, facts.standing)
        if tabs.facts is None or told != (
            tabs.facts.collector,
            tabs.facts.asked,
            tabs.facts.differences,
            tabs.facts.standing,
        ):
            tabs.facts = facts
            tabs.redraw()
        self._shade()
        self._early_key.follow()
        self.refresh_notice()
        # Below a dialog none of them works.
        self.query_one(KeyBar).offer(self.offered() if self.app.screen is self else ())
        if (self.is_stale or self.is_dimmed) and self.is_followed and not face.pause:
            self.news()

    def _shade(self) -> None:
        """Dim what may no longer be so, or light it again."""
        if self._was_dimmed != self.is_dimmed:
            self._was_dimmed = self.is_dimmed
            for panel in self.query(Panel):
                panel.refresh()

    def on_screen_suspend(self) -> None:
        """A dialog has the keyboard now, or another screen."""
        self.tick()

    def offered(self) -> list[tuple[Action, str]]:
        """The actions that work now, with the first key of each as the user's keymap has it."""
        keys: dict[str, str] = {}
        for key, active in self.active_bindings.items():
            if active.enabled and active.binding.id:
                keys.setdefault(active.binding.id, key)
        actions = (action for action in (*self.ACTIONS, *APP) if action.id in keys and _works(self, action))
        offered = [(action, keys[action.id]) for action in actions]
        if self.is_root:
            return [(replace(action, label="leave") if action.id == "back" else action, key) for action, key in offered]
        return offered

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys without an effect are neither offered nor taken. A refusal that nobody has read takes enter."""
        if action in ("read_refusal", "open"):
            face = self.face
            is_unread = face.config_status.is_unread(face.headline, face.session.clock())
            if is_unread is (action == "open"):
                return False
        for each in self.ACTIONS:
            if _called(each)[1:] == (action, parameters) and not self.works_now(each):
                return False
        return super().check_action(action, parameters)

    def refresh_notice(self) -> None:
        """The most important word: a pause, then the screen's own remarks."""
        words = NoticeWords(self.face, self.size.width)
        left = words.of_pause() or words.before(self.remarks())
        self.query_one(Notice).say(left, () if self.face.pause else self.window_words())

    def window_words(self) -> Line:
        """Which day "today" is, where it is not the one of the machine's own clock."""
        return NoticeWords(self.face, self.size.width).of_day()

    def tell_news(self) -> None:
        """Why a changed configuration was refused, in full."""
        outcome = self.face.config_status.untold(self.face.headline, self.face.session.clock())
        if outcome is not None:
            self.notify(outcome.text.text(), title="Configuration refused", severity="error", timeout=15, markup=False)

    def action_read_refusal(self) -> None:
        """Why a changed configuration is refused, slip by slip."""
        from spendtop.tui.modals.refusal import RefusalScreen

        refusal = self.face.config_status.refusal(self.face.headline, self.face.session.clock())
        if refusal is None:
            self.warn("No changed configuration is refused.")
            return
        self.face.config_status.read(refusal)
        self.app.push_screen(RefusalScreen(self.face, refusal))

    @property
    def calendar(self) -> Calendar:
        """The one that the collector applies."""
        return self.face.calendar

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

    def action_prompt_complete(self, step: int) -> None:
        self.complete(self.prompt.kind, self.prompt.input.value, step)

    def action_prompt_cancel(self) -> None:
        self.prompt.give_up()

    def complete(self, kind: PromptKind, text: str, step: int) -> None:
        """What tab (1) or shift and tab (-1) makes of the line."""
        if kind is PromptKind.COMMAND:
            self.prompt.put(self.face.commands.complete(text, step))

    def on_prompt_edited(self, event: Prompt.Edited) -> None:
        if event.kind is PromptKind.COMMAND:
            self.hint(self.face.commands.hint(event.text))
            self.face.commands.preview(event.text)

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        if self.prompt.open:
            return
        self.face.commands.end_preview()
        self.prompt_closed(event.kind, event.text)
        if event.kind is PromptKind.COMMAND:
            self.face.commands.run(event.text)

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        self.face.commands.end_preview()
        self.prompt_closed(event.kind, "")

    def prompt_closed(self, kind: PromptKind, text: str) -> None:
        """Notice and keys again; remember the text."""
        history = self.face.history[kind]
        if text.strip() and text not in history[-1:]:
            history.append(text)
            if kind is PromptKind.FILTER:
                self.face.saved_views.remember(text)
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
        panes = self.panes
        self._pane = panes[(panes.index(self.pane) + step) % len(panes)]  # at once: the next key may be typed already
        self.set_focus(self._pane)

    def action_sideways(self, step: int) -> None:
        self.action_pane(step)

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


def _works(screen: LiveScreen, action: Action) -> bool:
    """Whether an action of the screen works now; where a dialog is above, Textual asks that one. A key
    that would change something in the past, or of a viewer that only reads, just says why not."""
    face, is_past = screen.face, screen.face.time_machine.is_past
    if action.id in CHANGING and (face.session.read_only or is_past):
        return False
    if action.id in ("pause", "later") and is_past is (action.id == "pause"):
        return False
    whose, name, parameters = _called(action)
    return whose != "screen" or bool(screen.check_action(name, parameters))


@cache
def _called(action: Action) -> tuple[str, str, tuple[object, ...]]:
    """Whose, which, with which parameters."""
    return parse(action.call)
