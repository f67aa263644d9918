"""What all screens share around their picture: status, tabs, notice, keys, and the prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from spendtop.domain.clock import to_datetime
from spendtop.tui import formats
from spendtop.tui.actions import APP, LIVE, Action, bindings
from spendtop.tui.arranging import Arranging
from spendtop.tui.screens import SCREENS
from spendtop.tui.screens.reader_screen import AskingScreen
from spendtop.tui.widgets.canvas import Line, Piece, clip, length
from spendtop.tui.widgets.prompt import Asking, Prompt
from spendtop.tui.widgets.status import KeyBar, Notice, StatusLine, TabBar
from spendtop.tui.widgets.table import Movable


class LiveScreen(AskingScreen):
    """A screen that shows the store and follows it.

    Subclasses give `NAME`, `ACTIONS`, `body`, `question` and `show`.
    """

    NAME: ClassVar[str] = ""
    ACTIONS: ClassVar[tuple[Action, ...]] = LIVE
    BINDINGS: ClassVar[list[BindingType]] = bindings(LIVE)
    AUTO_FOCUS = ""

    def body(self) -> ComposeResult:
        """The widgets between tabs and notice."""
        raise NotImplementedError

    def remarks(self) -> Line:
        """What the notice says on its left when nothing is more important."""
        return ()

    def works_now(self, action: Action) -> bool:
        """Whether an action has an effect at the moment."""
        return True

    def go_back(self) -> bool:
        """One step back within the screen; False when there is none."""
        return False

    @property
    def is_root(self) -> bool:
        """Whether going back from here leaves the program."""
        return next(iter(SCREENS)) == self.NAME

    def compose(self) -> ComposeResult:
        """Status, tabs, body, notice or prompt, keys."""
        yield StatusLine()
        yield TabBar(self.NAME)
        with Vertical(id="body"):
            yield from self.body()
        yield Notice()
        yield Prompt()
        yield KeyBar()

    def tick(self) -> None:
        """Once a second, and whenever something around the body changed."""
        if not self.is_mounted:
            return
        face = self.face
        standing = face.standing()
        status, tabs = self.query_one(StatusLine), self.query_one(TabBar)
        if (status.standing, status.headline) != (standing, face.headline):
            status.standing, status.headline = standing, face.headline
            status.redraw()
        if tabs.standing is None or (
            (tabs.standing.collector, tabs.standing.asked) != (standing.collector, standing.asked)
        ):
            tabs.standing = standing
            tabs.redraw()
        self.refresh_notice()
        if self.app.screen is self:
            self.query_one(KeyBar).offer(self.offered())
        if self.is_stale and self.is_current and not face.pause:
            self.news()

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
        """Keys without an effect are neither offered nor taken."""
        for known in self.ACTIONS:
            if known.call.partition("(")[0] in (f"screen.{action}", f"app.{action}") and not self.works_now(known):
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
        notice.say([*trouble, *self._config_news(attention), *attention, *self.remarks()], self.window_words())

    def tell_news(self) -> None:
        """Why a changed configuration was refused, in full."""
        news = self.face.config_news.untold(self.face.headline, self.face.session.clock())
        if news is not None:
            self.notify(str(news.text), title="Configuration refused", severity="error", timeout=15, markup=False)

    def _config_news(self, attention: Line) -> Line:
        """Cut to the room that the words after it leave, or to half the line."""
        news = self.face.config_news.present(self.face.headline, self.face.session.clock())
        if news is None:
            return ()
        width = self.size.width
        room = max(width - length(attention) - 6, width // 2)
        words, style = (
            (f"{news.text}", self.face.palette.good) if news.ok else (f"! {news.text}", self.face.palette.bad)
        )
        return [*clip([(words, style)], room), ("   ", self.face.palette.text)]

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

    @property
    def prompt(self) -> Prompt:
        """The line for filters and commands."""
        return self.query_one(Prompt)

    def open_prompt(self, asking: Asking, text: str = "") -> None:
        """Ask in place of the notice."""
        self.query_one(Notice).display = False
        self.prompt.ask(asking, text, self.face.history[asking])

    def action_command(self) -> None:
        """Ask for a command."""
        self.open_prompt(Asking.COMMAND)

    def action_prompt_history(self, step: int) -> None:
        """Up and down in the prompt."""
        self.prompt.recall(step)

    def action_prompt_complete(self) -> None:
        """Tab in the prompt."""
        self.complete(self.prompt.asking, self.prompt.input.value)

    def action_prompt_cancel(self) -> None:
        """Escape in the prompt."""
        self.prompt.give_up()

    def complete(self, asking: Asking, text: str) -> None:
        """Complete what is being typed."""
        if asking is Asking.COMMAND:
            self.prompt.put(self.face.commands.complete(text))

    def on_prompt_edited(self, event: Prompt.Edited) -> None:
        """Show a hint for what is typed."""
        if event.asking is Asking.COMMAND:
            self.hint(self.face.commands.hint(event.text))

    def on_prompt_done(self, event: Prompt.Done) -> None:
        """Run a command."""
        if self.prompt.open:
            return
        self.prompt_closed(event.asking, event.text)
        if event.asking is Asking.COMMAND:
            self.face.commands.run(event.text)

    def on_prompt_left(self, event: Prompt.Left) -> None:
        """Back to the notice."""
        self.prompt_closed(event.asking, "")

    def prompt_closed(self, asking: Asking, text: str) -> None:
        """Notice and keys again; remember the text."""
        history = self.face.history[asking]
        if text.strip() and text not in history[-1:]:
            history.append(text)
        self.query_one(Notice).display = True
        self.query_one(KeyBar).hint(None)
        self.rest_focus()
        self.tick()

    def hint(self, line: Line) -> None:
        """Below the prompt, in place of the keys."""
        self.query_one(KeyBar).hint(line)

    def rest_focus(self) -> None:
        """Focus what the keys belong to when nothing is asked."""
        target = self.focus_target()
        if target is not None:
            target.focus()

    def focus_target(self) -> Widget | None:
        """What has the keyboard by default."""
        return None

    # Keys of lists

    arranging: Arranging
    """Of screens that have keys for a window of time and an order."""

    @property
    def movable(self) -> Movable:
        """What the movement keys move in."""
        target = self.focus_target()
        assert isinstance(target, Movable)
        return target

    def action_move(self, step: int) -> None:
        self.movable.move(step)

    def action_move_page(self, halves: int) -> None:
        self.movable.move(halves * max(self.movable.rows_high // 2, 1))

    def action_move_top(self) -> None:
        self.movable.to_top()

    def action_move_end(self) -> None:
        self.movable.to_end()

    def action_time(self) -> None:
        self.arranging.ask_time()

    def action_order_menu(self) -> None:
        self.arranging.ask_order()

    def action_order(self, step: int) -> None:
        self.arranging.by_neighbour(step)

    def action_invert(self) -> None:
        self.arranging.invert()
