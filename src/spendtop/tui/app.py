"""The terminal face: opens the store after the first picture, watches it, and switches screens."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.color import ColorSystem
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from spendtop.domain.errors import ExitCode, SpendtopError
from spendtop.domain.untrusted import clean_name
from spendtop.tui import formats
from spendtop.tui.actions import APP, bindings
from spendtop.tui.collector_start import CollectorStart
from spendtop.tui.commands import Commands, palette_entries
from spendtop.tui.face import Pause, StatusFacts, sight_of
from spendtop.tui.glyphs import ASCII, UNICODE
from spendtop.tui.headline import ConfigStatus
from spendtop.tui.keymap import unknown_ids
from spendtop.tui.outside import Outside
from spendtop.tui.saved_views import SavedViews
from spendtop.tui.screens import FIRST, SCREENS, screen_class
from spendtop.tui.selection import TODAY, Selection, TimeChoice
from spendtop.tui.session import AttachedCollector, Session
from spendtop.tui.store_watch import CollectorSeen, StoreLost, StoreOpened, StoreUpgraded, StoreWatch, WatchFailed
from spendtop.tui.themed_app import ThemedApp
from spendtop.tui.time_machine import TimeMachine
from spendtop.tui.way_out import WayOut

if TYPE_CHECKING:
    from spendtop.domain.breakdown.dimensions import Dimension
    from spendtop.domain.windows import Calendar
    from spendtop.store.engine import Store
    from spendtop.tui.headline import Headline
    from spendtop.tui.screens.live_screen import LiveScreen

PACE_SECONDS, SLOW_PACE_SECONDS = 0.3, 2.0
"""Between two reads at least: as usual, and for thin lines."""
_log = logging.getLogger(__name__)


def run(session: Session) -> int:
    """Show the screens until the user leaves; returns the exit code. The caller checked that there is a terminal.

    SIGTERM and SIGHUP end it as 128 + their number, with the terminal restored. An end that nobody asked for is no
    success: 70, or RuntimeError.
    """
    app = SpendtopApp(session)
    try:
        code = asyncio.run(_run(app, session))
    except SystemExit as failure:
        raise RuntimeError("something in the screens ended the program") from failure
    if app.failure is not None:
        sys.stderr.write(f"spendtop: {app.failure}\n")
    return code


async def _run(app: SpendtopApp, session: Session) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, partial(app.exit, return_code=128 + number))
    await app.run_async(mouse=session.mouse)
    return ExitCode.INTERNAL if app.return_code is None else app.return_code


def _factory(name: str) -> Callable[[], Screen[object]]:
    """Imports the screen's module when it is first opened."""
    return lambda: cast("Screen[object]", screen_class(name)())


class SpendtopApp(ThemedApp):
    """One viewer. What it shows comes from the session's store, and what it asks goes there too."""

    TITLE = "spendtop"
    CSS_PATH = "styles/spendtop.tcss"
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {name: _factory(name) for name in SCREENS}
    DEFAULT_MODE = FIRST
    BINDINGS: ClassVar[list[BindingType]] = bindings(APP) + [
        Binding(entry.key, f"app.open_screen('{name}')", entry.title, show=False, id=f"screen-{name}")
        for name, entry in SCREENS.items()
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session.theme, session.theme_folders, session.ascii)
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (120, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-speck"), (7, "-tiny"), (14, "-short"), (22, "-regular"), (36, "-tall")]
        self.session = session
        self.glyphs = ASCII if session.ascii else UNICODE
        self.pace_seconds = PACE_SECONDS
        self.set_slow(session.slow)
        self.store: Store | None = None
        self.headline: Headline | None = None
        self.pause: Pause | None = None
        self.unreadable_since: int | None = None
        self.lost_since: int | None = None
        self.collector: AttachedCollector | None = None
        self.failure: SpendtopError | None = None
        """What ended the program, for whoever started it."""
        self.saved_views = SavedViews(session.views)
        self.history: defaultdict[str, list[str]] = defaultdict(list, {"/": list(self.saved_views.filters)})
        self.commands = Commands(self)
        self.config_status = ConfigStatus()
        self._upgraded: float | None = None
        self._collector_asked = False
        self._collector_left: int | None = None
        """The last sign of life of a collector that is gone, UTC µs."""
        self._start = CollectorStart(self, session)
        self._way_out = WayOut(self, session)
        self._led_from: dict[str, str] = {}
        """By screen: the one that led there, to which going back leads again."""
        self.time_machine = TimeMachine(self, session)
        self._watch = StoreWatch(session, self.post_message, _import_first_questions)
        self._outside = Outside(session, self.send_to_terminal)
        self._interrupted = False
        self.set_keymap(dict(session.keymap))

    # Life

    def on_mount(self) -> None:
        """Paint first; the store is opened after that."""
        self.app_resume_signal.subscribe(self, lambda _: self.forget_terminal())
        self.set_interval(1.0, self._tick)
        self.call_after_refresh(self.run_worker, self._watch.run, thread=True, exit_on_error=False, group="store")
        if unknown := unknown_ids(self.session.keymap):
            end = "" if unknown.endswith("?") else "."
            self.notify(f"[ui] keymap: {unknown}{end}", severity="warning", markup=False)

    def on_store_opened(self, event: StoreOpened) -> None:
        """The first read. Themes are watched from now on; the first picture did not wait for that."""
        self.store = event.store
        self.run_worker(self.watch_themes(), group="themes", exit_on_error=False)
        self._tell_screen()

    def on_store_upgraded(self, event: StoreUpgraded) -> None:
        self._upgraded = event.share
        self._tick()

    def on_store_changed(self) -> None:
        if not self.time_machine.is_past:
            self._tell_screen()

    def on_collector_seen(self, event: CollectorSeen) -> None:
        self.collector, self._collector_asked = event.collector, True
        self._collector_left = event.last_sign
        self._way_out.follow(event.collector)
        self._tick()

    def on_store_lost(self, event: StoreLost) -> None:
        self.lost_since = self.session.clock() if event.is_lost else None
        self._tick()

    def on_watch_failed(self, event: WatchFailed) -> None:
        """End with the error's own exit code; what nobody expected is a crash."""
        if not isinstance(event.failure, SpendtopError):
            raise event.failure
        self.failure = event.failure
        self.exit(return_code=event.failure.exit_code)

    def on_unmount(self) -> None:
        self._watch.stop()
        self._outside.leave()

    def cannot_read(self, failure: Exception) -> None:
        if self.unreadable_since is None:
            _log.error("reading failed", exc_info=failure)
            self.unreadable_since = self.session.clock()

    def has_read(self, headline: Headline) -> None:
        self.headline, self.unreadable_since = headline, None
        self._outside.tell(headline)

    @property
    def is_slow(self) -> bool:
        return self.pace_seconds == SLOW_PACE_SECONDS

    def set_slow(self, slow: bool) -> None:
        """Read and repaint seldom and in few colours, for thin lines; or as usual."""
        self.pace_seconds = SLOW_PACE_SECONDS if slow else PACE_SECONDS
        self.color_limit = ColorSystem.EIGHT_BIT if slow else None
        if self.is_running and (screen := self.live_screen):
            screen.set_pace(self.pace_seconds)

    def reload(self) -> None:
        """Theme files and the picture again."""
        self.reload_themes()
        self._tell_screen()

    # Around the screens

    @property
    def live_screen(self) -> LiveScreen | None:
        """The screen of the present mode, also when a dialog is on top."""
        from spendtop.tui.screens.live_screen import LiveScreen

        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, LiveScreen)), None)

    @property
    def calendar(self) -> Calendar:
        return self.headline.calendar if self.headline else self.session.calendar

    @property
    def webhook_url(self) -> str | None:
        if self.session.webhook_url:
            return self.session.webhook_url
        return f"{self.collector.url.rstrip('/')}/webhook" if self.collector and self.collector.url else None

    def status_facts(self) -> StatusFacts:
        headline, now = self.headline, self.session.clock()
        upgraded = self._upgraded if self.store is None else None
        sight = sight_of(self, self._collector_asked, self._collector_left, upgraded)
        standing = sight.standing(now)
        return StatusFacts(
            store=clean_name(self.session.store_name, 24),
            collector=self.collector,
            asked=self._collector_asked,
            standing=standing,
            since="" if standing.since is None else formats.moment(standing.since, now, self.calendar),
            is_old=not self.pause and sight.is_old(now),
            clock=formats.clock(now, self.calendar),
            differences=self.session.config_differences(headline.applied) if headline and headline.applied else (),
            read_only=self.session.read_only,
            past=formats.dated(now, self.calendar) if self.time_machine.is_past else "",
        )

    def count_behind(self, recorded: int) -> None:
        if self.pause:
            self.pause.count(recorded)
            self._tick()

    def _tick(self) -> None:
        if screen := self.live_screen:
            screen.tick()

    def _tell_screen(self) -> None:
        if screen := self.live_screen:
            screen.news()

    def open_screen(self, name: str) -> None:
        if self.current_mode != name and self.screen is self.live_screen:
            self.switch_mode(name)

    def action_open_screen(self, name: str) -> None:
        """By its own key: from there no way leads back to where somebody was led from."""
        self._led_from.clear()
        self.open_screen(name)

    def open_request(self, request_id: int) -> None:
        self.on_screen("requests", lambda screen: screen.open_request(request_id))

    @property
    def listed(self) -> Selection:
        from spendtop.tui.requests.screen import RequestsScreen

        try:
            stack = self.get_screen_stack("requests")
        except KeyError:  # it was never shown
            return Selection()
        return next((screen.chosen_selection for screen in stack if isinstance(screen, RequestsScreen)), Selection())

    def list_requests(self, text: str) -> None:
        self.on_screen("requests", lambda screen: screen.lead_to(text))

    def open_row(self, screen: str, key: Hashable) -> None:
        self.on_screen(screen, lambda live: None if key is None else live.select_row(key))

    def raise_limit(self, key: Hashable) -> None:
        self.on_screen("limits", lambda limits: limits.raise_row(key))

    def open_filter(self) -> None:
        self.on_screen("requests", lambda screen: screen.action_filter())

    def open_entities(self, of: Dimension, key: str | None = None, time: TimeChoice = TODAY) -> None:
        from spendtop.tui.breakdown.entities_screen import EntitiesScreen

        if self.screen is self.live_screen:
            self.push_screen(EntitiesScreen(of, key, time))

    def break_down(self, rows: Dimension, columns: Dimension | None = None) -> None:
        """By these dimensions, in place of those that the screen of breakdowns shows."""
        self.on_screen("breakdown", lambda screen: screen.break_down(rows, columns))

    def read_refusal(self) -> None:
        """Why a changed configuration is refused."""
        if screen := self.live_screen:
            screen.action_read_refusal()

    def on_screen(self, name: str, act: Callable[[Any], None]) -> None:
        """Do something on a screen, which comes to the front."""

        def reached() -> None:
            if self.current_mode == name:
                for _ in self.screen_stack[1:]:
                    self.pop_screen()
                act(self.screen)

        if self.current_mode != name:
            self._led_from[name] = self.current_mode
        self.open_screen(name)
        self.call_after_refresh(reached)

    # Actions

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        return palette_entries(self, self.live_screen)

    def run_key(self, call: str) -> None:
        """What a key of the present screen does."""
        self.call_later(self.run_action, call, self.live_screen)

    def action_help(self) -> None:
        from spendtop.tui.modals.help import HelpScreen, Topic

        if (screen := self.live_screen) and screen.is_current:
            screens = [(entry.key, entry.title, entry.help) for entry in SCREENS.values()]
            commands = [(f":{each.name}", "", f"{each.usage}: {each.help}") for each in self.commands.all.values()]
            self.push_screen(HelpScreen(screen.offered(), Topic("screens", 9, screens), Topic("commands", 9, commands)))

    async def action_back(self) -> None:
        """Back, or at the first screen out."""
        screen = self.live_screen
        if screen is not None and screen.go_back():
            return
        if screen is None or screen.is_root:
            self._way_out.ask(self.collector, self._collector_asked, by_mistake=True)
        else:
            self.open_screen(self._led_from.pop(screen.NAME, FIRST))

    def action_leave(self) -> None:
        """Ask what becomes of the collector, then leave."""
        self._way_out.ask(self.collector, self._collector_asked, by_mistake=False)

    async def action_quit(self) -> None:
        """Textual's own way out asks too."""
        self.action_leave()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A collector can be started only where none runs."""
        if action == "start_collector":
            return self._collector_asked and self.collector is None and self._start.is_possible
        return super().check_action(action, parameters)

    def action_start_collector(self) -> None:
        """Start one; the header says when it records."""
        applied = self.headline.applied if self.headline else None
        self._start.begin(applied.collector.url if applied else None)

    def action_detach(self) -> None:
        """Leave; the collector goes on."""
        self._way_out.detach()

    def action_interrupt(self) -> None:
        """The second time in a row it leaves."""
        if self._interrupted:
            self.action_leave()
            return
        self._interrupted = True
        self.set_timer(2.0, partial(setattr, self, "_interrupted", False))
        self.notify("Press ^c again to leave.", timeout=2, markup=False)

    def action_pause(self) -> None:
        if self.time_machine.is_past:
            self.notify("The past stands still by itself; :now goes back.", severity="warning", markup=False)
            return
        recorded = self.headline.recorded if self.headline else 0
        self.pause = None if self.pause else Pause(self.session.clock(), recorded)
        if self.pause is None and (screen := self.live_screen):
            screen.outdate()
        self._tell_screen()
        self._tick()


def _import_first_questions() -> None:
    importlib.import_module(f"spendtop.tui.{FIRST}.questions")
