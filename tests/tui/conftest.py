"""A store with known requests, and the face over it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.widgets import Input

from spendtop.domain.clock import SECOND
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price
from spendtop.domain.pricing.pricer import Pricer, Terms
from spendtop.domain.requests.request import Cost, Parsed, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.tui.app import SpendtopApp
from spendtop.tui.session import AttachedCollector, Session
from tests.conftest import SettableClock
from tests.waiting import DEADLINE

LIMITS = (
    Limit(name="daily", window=parse_window("day"), amount=Usd.of("50")),
    Limit(name="each user", window=parse_window("day"), amount=Usd.of("0.50"), each=Each.USER),
)


def chat(prompt: str) -> bytes:
    """An OpenAI request body."""
    return json.dumps({"model": "gpt-4.1", "messages": [{"role": "user", "content": prompt}]}).encode()


def answer(text: str) -> bytes:
    """An OpenAI response body."""
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def a_request(number: int, now: int, **changes: Any) -> Request:
    """Request `number`, which happened so many seconds before `now`: alice, 2,104 tokens in, 410 out, $0.0075."""
    facts: dict[str, Any] = {
        "source": HELICONE,
        "external_id": f"external-{number}",
        "received_at": now - number * SECOND,
        "occurred_at": now - number * SECOND,
        "time_source": TimeSource.PROVIDER,
        "provider": "openai",
        "model": "gpt-4.1",
        "http_status": 200,
        "usage": Usage(prompt=2104, completion=410, cache_read=1792),
        "cost": Cost(reported=Usd.of("0.0075")),
        "user_id": "alice",
        "latency_ms": 1900,
        "request_body": chat(f"Ticket {number}: the export fails."),
        "response_body": answer(f"Answer {number}: run it again with a bucket."),
    }
    return Request(**(facts | changes))


def no_price(provider: str | None, model: str, terms: Terms, at: int) -> Price | None:
    """A catalogue that knows nothing."""
    return None


class Till:
    """Records into one store as a collector does."""

    def __init__(self, store: Store) -> None:
        self._recorder = Recorder(
            store, Preparer(Pricer({}, None, no_price), None, True), LimitBook(LIMITS, Calendar(), {})
        )
        self._recorder.start()

    def record(self, *events: Parsed) -> None:
        """Returns after the commit."""
        done = threading.Event()
        self._recorder.submit(events, lambda outcomes: done.set())
        assert done.wait(DEADLINE)

    def close(self) -> None:
        """Stop the writer."""
        self._recorder.stop()


@pytest.fixture(scope="session", autouse=True)
def _styles_are_parsed_once() -> Iterator[None]:
    """Textual parses all of them for every app, and again for every screen: a fifth of what these tests take."""
    parse, parsed = Stylesheet._parse_rules, dict[tuple[object, ...], list[RuleSet]]()

    def parse_rules(self: Stylesheet, css: str, **where: Any) -> list[RuleSet]:
        key = (css, *where.values(), *self._variables.items())
        if key not in parsed:
            parsed[key] = parse(self, css, **where)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_rules)
        yield


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """An empty SQLite store: a screen is the same over both databases."""
    return sqlite_store


@pytest.fixture
def till(store: Store, clock: SettableClock) -> Iterator[Till]:
    """Records into `store`, in which a collector has applied two limits."""
    info = CollectorInfo(version="0", host="here", pid=1, url="http://127.0.0.1:8000", started_at=clock())
    applied = Applied(
        limits=LIMITS, calendar=Calendar(), channels=(), collector=info, at=clock(), config_digest="digest"
    )
    with store.writing() as connection:
        keep(connection, applied)
    opened = Till(store)
    yield opened
    opened.close()


@pytest.fixture
def filled(till: Till, clock: SettableClock) -> Till:
    """Sixty requests of the last minute: every tenth unpriced, one failed, one cached; three users."""
    till.record(*sixty(clock()))
    return till


def sixty(now: int) -> list[Request]:
    """The requests of `filled`, newest first."""
    users = ("alice", "bob", "batch-ci")
    requests = []
    for number in range(60):
        changes: dict[str, Any] = {"user_id": users[number % 3]}
        if number % 10 == 9:
            changes |= {"model": "custom-7b", "cost": Cost()}
        if number == 2:
            changes |= {"status": Status.ERROR, "http_status": 429, "cost": Cost(reported=Usd(0)), "usage": Usage()}
        if number == 4:
            changes |= {"cached": True, "cost": Cost(reported=Usd.of("0.0075"))}
        requests.append(a_request(number, now, **changes))
    return requests


Sessions = Callable[..., Session]


@pytest.fixture
def session_over(store: Store, clock: SettableClock, tmp_path: Path) -> Sessions:
    """Makes a session over `store`; keyword arguments change it."""

    def make(**changes: Any) -> Session:
        facts: dict[str, Any] = {
            "connect": lambda upgraded: store,
            "clock": clock,
            "collector": lambda: AttachedCollector(4711, "ready", "http://127.0.0.1:8000", started_here=False),
            "stop_collector": lambda: None,
            "store_name": "prod",
            "folder": tmp_path,
        }
        return Session(**(facts | changes))

    return make


@pytest.fixture
def app(session_over: Sessions, filled: Till) -> SpendtopApp:
    """The face over the sixty requests."""
    return SpendtopApp(session_over())


async def until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    """Let the app work until the condition holds; fails after `DEADLINE`."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await pilot.pause(0.005)


async def opened(pilot: Pilot[int], *keys: str) -> None:
    """Wait for the first figures, then press keys, and wait for what they ask for."""
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: app.headline is not None)
    await pilot.press(*keys)


async def typed(pilot: Pilot[int], text: str) -> None:
    """Type into the field that has the keyboard, all at once."""
    await until(pilot, lambda: isinstance(pilot.app.focused, Input))
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.insert_text_at_cursor(text)
    await pilot.pause()


def picture(pilot: Pilot[int]) -> str:
    """What is on the screen, as text."""
    app = pilot.app
    width, height = app.size
    strips: Sequence[Any] = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in strip)[:width] for strip in strips[:height])


def said(pilot: Pilot[int]) -> str:
    """The messages on screen, each in one piece, however they wrap."""
    return " | ".join(notification.message for notification in pilot.app._notifications)
