"""What the header says of recording and reading, and what is never said before it was read."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection
from textual.pilot import Pilot

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.errors import CannotWrite
from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.screens import SCREENS
from spendtop.tui.session import AttachedCollector
from spendtop.tui.sources.panels import SourceEvents
from spendtop.tui.store_watch import CollectorSeen
from spendtop.tui.widgets.canvas import Line, Panel
from tests.conftest import SettableClock
from tests.tui.conftest import Sessions, Till, opened, picture, said, until
from tests.waiting import DEADLINE

RUNNING = AttachedCollector(4711, "ready", "http://127.0.0.1:9123", started_here=False)
CLAIMS = ("nothing", "no day", "no session", "No account", "none", "not yet", "OK ", "known once", "$0")


class Reads:
    """A store whose reads wait, or fail, as the test wants."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.fail = False
        reading = store.reading

        @contextmanager
        def steered() -> Iterator[Connection]:
            assert self.go_on.wait(DEADLINE)
            if self.fail:
                raise OSError("the disk is away")
            with reading() as connection:
                yield connection

        monkeypatch.setattr(store, "reading", steered)


@pytest.fixture
async def reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reads]:
    """Let go while the loop still runs: it waits for its threads before it ends."""
    steered = Reads(store, monkeypatch)
    yield steered
    steered.go_on.set()


def header(pilot: Pilot[int]) -> str:
    return picture(pilot).splitlines()[0]


def amiss(status: ConditionStatus, since: int, sentence: str = "The writer has waited for 9 s.") -> Condition:
    return Condition(name="writer", status=status, sentence=sentence, since=since)


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


async def test_a_collector_that_cannot_write_is_not_called_live(app: SpendtopApp, clock: SettableClock) -> None:
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "LIVE" in header(pilot))
        waits = amiss(ConditionStatus.DEGRADED, clock() - 2 * MINUTE)
        app.post_message(CollectorSeen(replace(RUNNING, conditions=(waits,))))
        await until(pilot, lambda: "DEGRADED since 14:01" in header(pilot))
        assert "The writer has waited for 9 s." in picture(pilot)
        down = amiss(ConditionStatus.DOWN, clock() - 2 * MINUTE, "The store is gone.")
        app.post_message(CollectorSeen(replace(RUNNING, conditions=(down, waits))))
        await until(pilot, lambda: "NOT RECORDING since 14:01" in header(pilot))
        assert "! The store is gone. +1 more" in picture(pilot)
        long = amiss(
            ConditionStatus.DOWN,
            clock(),
            "The store was moved away: nothing is recorded. Put the same file back, then recording goes on again.",
        )
        app.post_message(CollectorSeen(replace(RUNNING, conditions=(long,))))
        await until(pilot, lambda: "! The store was moved away: nothing is recorded. 8 shows all" in picture(pilot))
        app.post_message(CollectorSeen(replace(RUNNING, conditions=(down, waits))))
        await pilot.press("8")
        await until(pilot, lambda: "Events" in picture(pilot) and "The writer has waited" in picture(pilot))
        events = app.screen.query_one(SourceEvents)
        for height, last in ((1, "+1 older"), (2, "The writer has waited for 9 s.")):
            assert last in plain(events.content(78, height)[-1])
        sentence = "A sentence that is too long for its line. " * 4
        events.conditions = (amiss(ConditionStatus.DOWN, clock(), sentence), waits)
        whole = len(events.content(78, 20)) - 1
        assert "too long" in plain(events.content(78, whole)[-2]) and "+1 older" in plain(events.content(78, whole)[-1])
        assert len(events.content(78, whole)) == whole
        app.post_message(CollectorSeen(RUNNING))
        await until(pilot, lambda: "LIVE" in header(pilot))


async def test_a_collector_that_died_is_missed_since_its_last_sign_and_started_by_a_key(
    session_over: Sessions, filled: Till, clock: SettableClock
) -> None:
    held: list[AttachedCollector | None] = [RUNNING]
    session = session_over(
        collector=lambda: held[0],
        last_sign=lambda: clock() - 3 * MINUTE,
        start_collector=lambda: held.__setitem__(0, RUNNING),
    )
    app = SpendtopApp(session)
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "LIVE" in header(pilot))
        assert "start collector" not in picture(pilot)
        held[0] = None
        await until(pilot, lambda: "NOT RECORDING since 14:00" in header(pilot))
        assert "No collector runs, so nothing is recorded: ! starts one." in picture(pilot)
        assert "! start collector" in picture(pilot).splitlines()[-1]
        await pilot.press("!")
        await until(pilot, lambda: "LIVE" in header(pilot))
        await until(pilot, lambda: len(app._notifications) == 2)
        said = [each.message for each in app._notifications][1]
        assert said.startswith("The collector listens at http://127.0.0.1:9123 now, not at http://127.0.0.1:8000: who")


async def test_why_no_collector_could_be_started_is_told(session_over: Sessions, filled: Till) -> None:
    def start() -> None:
        raise CannotWrite("The disk is full. Make room.")

    app = SpendtopApp(session_over(collector=lambda: None, start_collector=start))
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "NOT RECORDING" in header(pilot))
        await pilot.press("!")
        await until(pilot, lambda: "The disk is full" in said(pilot))
        await until(pilot, lambda: "! start collector" in picture(pilot).splitlines()[-1])


async def test_a_viewer_that_may_not_start_one_says_the_command(session_over: Sessions, filled: Till) -> None:
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "start `spendtop --no-ui`" in picture(pilot))
        assert "start collector" not in picture(pilot)


async def test_a_hanging_collector_is_not_called_live(app: SpendtopApp, clock: SettableClock) -> None:
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        app.post_message(CollectorSeen(replace(RUNNING, last_sign=clock() - 5 * MINUTE)))
        await until(pilot, lambda: "DEGRADED since 13:58" in header(pilot))
        assert "no sign of life" in picture(pilot)


def dimmed(app: SpendtopApp) -> bool:
    panels = list(app.screen.query(Panel))
    assert panels
    return all(bool(panel.shade.dim) for panel in panels)


async def test_a_failed_read_is_said_and_the_last_picture_dimmed_until_one_succeeds(
    session_over: Sessions, filled: Till, reads: Reads, clock: SettableClock
) -> None:
    reads.go_on.set()
    app = SpendtopApp(session_over())
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "LIVE" in header(pilot) and not dimmed(app))
        reads.fail = True
        filled.record()
        screen = app.live_screen
        assert screen is not None
        screen.news()
        await until(pilot, lambda: "DEGRADED since 14:03" in header(pilot))
        assert "The store cannot be read; this is the last picture." in picture(pilot)
        assert "today $0.390" in header(pilot)
        await until(pilot, lambda: dimmed(app))
        reads.fail = False
        await until(pilot, lambda: "LIVE" in header(pilot) and not dimmed(app))


async def test_a_first_read_that_fails_is_said_and_nothing_is_claimed(
    session_over: Sessions, filled: Till, reads: Reads
) -> None:
    reads.fail = True
    reads.go_on.set()
    app = SpendtopApp(session_over())
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "DEGRADED" in header(pilot))
        await until(pilot, lambda: "cannot be read" in picture(pilot))
        assert "today …" in header(pilot)


async def test_after_a_pause_a_sleep_or_on_another_screen_the_picture_is_dimmed_until_it_is_fresh(
    session_over: Sessions, filled: Till, reads: Reads, clock: SettableClock
) -> None:
    reads.go_on.set()
    app = SpendtopApp(session_over())
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot, "2")
        await until(pilot, lambda: "row 1 of 60" in picture(pilot) and not dimmed(app))

        def sleep() -> None:
            clock.advance(HOUR)

        for keys, happens in (("p", None), ("", sleep)):
            if keys:
                await pilot.press(keys)
                await until(pilot, lambda: "PAUSED" in header(pilot))
                assert not dimmed(app)
            reads.go_on.clear()
            if happens:
                happens()
            else:
                await pilot.press(keys)
            await until(pilot, lambda: dimmed(app))
            reads.go_on.set()
            await until(pilot, lambda: not dimmed(app) and "LIVE" in header(pilot))


async def test_an_old_picture_is_not_called_live(
    session_over: Sessions, filled: Till, reads: Reads, clock: SettableClock
) -> None:
    reads.go_on.set()
    app = SpendtopApp(session_over())
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "LIVE" in header(pilot))
        reads.go_on.clear()
        clock.advance(HOUR)
        await until(pilot, lambda: "DEGRADED since 14:03" in header(pilot))
        reads.go_on.set()
        await until(pilot, lambda: "LIVE" in header(pilot))


async def test_behind_a_dialog_the_picture_is_followed(
    session_over: Sessions, filled: Till, reads: Reads, clock: SettableClock
) -> None:
    reads.go_on.set()
    app = SpendtopApp(session_over())
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is not app.live_screen)
        clock.advance(HOUR)
        screen = app.live_screen
        assert screen is not None
        await until(pilot, lambda: app.headline is not None and app.headline.at == clock())
        assert not screen.is_dimmed


async def test_a_store_that_was_replaced_is_missed_until_it_is_back(app: SpendtopApp, store: Store) -> None:
    assert store.path is not None
    aside = store.path.with_name("aside.db")
    async with app.run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "LIVE" in header(pilot))
        store.path.rename(aside)
        await until(pilot, lambda: "DEGRADED since" in header(pilot))
        assert "gone or was replaced" in picture(pilot)
        aside.rename(store.path)
        await until(pilot, lambda: "LIVE" in header(pilot))


def unread(pilot: Pilot[int]) -> str:
    """What is shown, without what is known before any read: the clock, the tabs with their keys, the keys below."""
    status, _, *body, _, _ = picture(pilot).splitlines()
    return re.sub(r"\d\d:\d\d:\d\d", "", status) + "\n".join(body)


def is_on(app: SpendtopApp, name: str) -> bool:
    return app.current_mode == name


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_before_the_first_read_no_screen_shows_a_figure_or_claims_anything(
    session_over: Sessions, filled: Till, reads: Reads, size: tuple[int, int]
) -> None:
    app = SpendtopApp(session_over(store_name="prod"))
    async with app.run_test(size=size) as pilot:
        for name, entry in SCREENS.items():
            await pilot.press(entry.key)
            await until(pilot, partial(is_on, app, name))
            await pilot.pause()
            shown = unread(pilot)
            assert "today …" in shown
            assert not re.search(r"\d", _without_titles(shown)), shown
            assert not [claim for claim in CLAIMS if claim in shown], shown
            assert "OPENING" in shown


def _without_titles(shown: str) -> str:
    """Titles say which span of time is asked for."""
    for title in ("last 1h", "LAST 12 H", "p95", "refused in 24 h"):
        shown = shown.replace(title, "")
    return shown


async def test_a_screen_of_an_empty_store_claims_emptiness_only_once_it_was_read(
    session_over: Sessions, reads: Reads
) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("8")
        await until(pilot, lambda: "Events" in picture(pilot))
        assert "nothing refused" not in picture(pilot)
        reads.go_on.set()
        await until(pilot, lambda: "nothing refused" in picture(pilot))
