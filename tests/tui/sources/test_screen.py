"""The screen of sources: states, the tree of tracking tokens, what is done to them, and what was refused."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from msgspec import json
from msgspec.structs import replace
from sqlalchemy import Connection, insert
from textual.pilot import Pilot

from spendtop.domain.agents.plan_windows import PlanWindow
from spendtop.domain.bodies.outlines import PostBody, PostOutline
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.requests.request import SAME_CONTENT, Cost, Request
from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import PushHealth
from spendtop.domain.sources.records import INGEST, LANGFUSE
from spendtop.domain.sources.remarks import Remark, RemarkKind
from spendtop.services import checkpoints, tasks, tokens
from spendtop.services.agents import plan_windows
from spendtop.services.recording import missed_requests
from spendtop.services.recording.remarks import note
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store import bodies, facts
from spendtop.store.engine import Store
from spendtop.store.reads import price_list
from spendtop.store.reads.configuration.applied import Applied, Doors, applied, keep, tell_public_url
from spendtop.store.reads.price_list import PriceListState
from spendtop.store.statements import table_of
from spendtop.store.tables import QuarantineTable
from spendtop.tui.app import SpendtopApp
from spendtop.tui.modals.choose import ConfirmScreen
from spendtop.tui.requests.screen import RequestsScreen
from spendtop.tui.screens import store_writer
from spendtop.tui.screens.clipboard import Clipboard
from spendtop.tui.sources.post_dialog import PostScreen
from spendtop.tui.sources.screen import SourcesScreen
from spendtop.tui.sources.table import SourceTable
from spendtop.tui.sources.tracking_tokens import NewTokenScreen, SnippetsScreen
from tests.conftest import SettableClock
from tests.made_up_source import ACME, with_acme
from tests.tui.conftest import Sessions, Till, a_request, opened, picture, said, typed, until

OPEN = Doors(webhook_secret=True, ingest_keys=("default",))
T = TypeVar("T")


def write(store: Store, work: Callable[[Connection], T]) -> T:
    with store.writing() as connection:
        return work(connection)


def in_force(store: Store, doors: Doors, url: str = "http://127.0.0.1:8000") -> None:
    def publish(connection: Connection) -> None:
        known = applied(connection)
        assert known is not None
        changed: Applied = replace(known, doors=doors, collector=replace(known.collector, url=url))
        keep(connection, changed)

    write(store, publish)


def push(number: int, now: int, token: str, **changes: object) -> Request:
    facts = {"source": INGEST, "token": token, "external_id": f"push-{number}", "cost": Cost()}
    return a_request(number, now, **(facts | changes))


@pytest.fixture
def busy(till: Till, store: Store, clock: SettableClock) -> Till:
    """Doors open; two tokens in use, one of them a shadow, and one that is off; repeats and refusals."""
    now = clock()
    in_force(store, OPEN)

    def prepare(connection: Connection) -> None:
        for name, shadow in (("ci-42", False), ("lab", True), ("old", False)):
            made = tokens.create(connection, f"the {name}", now, value=name, shadow=shadow)
            tokens.set_active(connection, made.id, name != "old")
        missed_requests.note_refusals(connection, {("ingest", "ingest_bad_token"): 3}, now - HOUR, 0)

    write(store, prepare)
    assumed = push(90, now, "ci-42", external_id=f"{SAME_CONTENT}x")
    till.record(*(a_request(number, now) for number in range(30)))
    till.record(*(push(number, now, "ci-42") for number in range(12)), push(2, now, "ci-42"), assumed, assumed)
    till.record(*(push(number, now, "lab", external_id=f"l{number}", counted=False) for number in range(30, 38)))
    return till


@pytest.fixture
def face(session_over: Sessions, busy: Till) -> SpendtopApp:
    """The face over busy sources."""
    return SpendtopApp(session_over())


async def shown(pilot: Pilot[int]) -> SourcesScreen:
    """The screen with its first figures."""
    await opened(pilot, "8")
    app = pilot.app
    assert isinstance(app, SpendtopApp)
    await until(pilot, lambda: isinstance(app.live_screen, SourcesScreen) and app.live_screen.table.rows)
    screen = app.live_screen
    assert isinstance(screen, SourcesScreen)
    await pilot.pause()
    return screen


def row_of(pilot: Pilot[int], name: str) -> list[str]:
    """The words of the first row that names it."""
    line = next(line for line in picture(pilot).splitlines() if name in line)
    return line.replace("│", " ").replace("▌", " ").split()


async def at(pilot: Pilot[int], screen: SourcesScreen, name: str) -> None:
    """Put the cursor on a token."""
    place = next(n for n, row in enumerate(screen.table.rows) if str(getattr(row, "token", "")) == name)
    screen.table.to(place)
    await pilot.pause()


async def dialog(pilot: Pilot[int], kind: type[object]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()


async def test_each_source_tells_state_rate_day_repeats_refusals_and_lag(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert row_of(pilot, "helicone webhook")[2:] == ["OK", "now", "30", "30", "0", "0", "0.0s"]
        assert row_of(pilot, " ingest ")[1:] == ["OK", "now", "21", "13", "2", "~1", "3", "0.0s"]
        assert row_of(pilot, "litellm") == ["litellm", "..", "waits", "POST", "/litellm"]


async def test_tokens_are_a_tree_below_ingest_with_a_word_for_each_state(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert row_of(pilot, "the ci-42") == ["├", "the", "ci-42", "OK", "now", "13", "13"]
        assert row_of(pilot, "the lab") == ["├", "the", "lab", "OK", "shadow", "30s", "8", "(8)"]
        assert row_of(pilot, "the old") == ["└", "the", "old", "off", "-", "0", "0"]
        names = [line[2:20].strip(" │▌├└") for line in picture(pilot).splitlines()[4:11]]
        assert names == ["helicone webhook", "ingest", "the ci-42", "the lab", "the old", "litellm", "otlp"]


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (140, 40)])
async def test_nothing_is_wider_than_the_screen(face: SpendtopApp, size: tuple[int, int]) -> None:
    async with face.run_test(size=size) as pilot:
        screen = await shown(pilot)
        table = screen.query_one(SourceTable)
        assert [strip.cell_length for strip in map(table.render_line, range(table.size.height))] == (
            [table.size.width] * table.size.height
        )
        row = next(line for line in picture(pilot).splitlines() if "the ci-42" in line)
        assert row[table.region.right - 1] == "│"
        assert {"OK", "now", "13"} <= set(row.split())


async def test_a_closed_door_says_what_opens_it(till: Till, session_over: Sessions) -> None:
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        text = picture(pilot)
        assert row_of(pilot, "helicone webhook")[2:] == ["off", "set", "webhook_secrets", "under", "[helicone]"]
        for source in ("ingest", "litellm", "otlp"):
            assert row_of(pilot, f" {source} ")[1:] == ["off", "set", "ingest_keys", "under", "[server]"]
        assert "set webhook_secrets under [helicone] in spendtop.toml; saving it is enough" in text
        assert "enter requests" not in text


async def test_an_open_door_without_tokens_names_the_key_that_makes_one(
    till: Till, store: Store, session_over: Sessions
) -> None:
    in_force(store, OPEN)
    app = SpendtopApp(session_over())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert "POST /ingest under a tracking token: n makes" in picture(pilot)


@pytest.mark.parametrize("width", [80, 140])
async def test_unsigned_webhooks_are_shown_in_red_and_in_words(face: SpendtopApp, store: Store, width: int) -> None:
    in_force(store, Doors(unsigned=True))
    async with face.run_test(size=(width, 40)) as pilot:
        screen = await shown(pilot)
        assert "! anybody can post to /webhook: remove allow_unsigned under [helicone]" in picture(pilot)
        assert ("UNSIGNED too" in picture(pilot)) is (width == 140)
        await pilot.press("j")
        for place, words in ((0, "! anybody can post webhooks"), (2, "!UNSIGNED")):
            (word,) = [segment for segment in screen.table.render_line(place) if words in segment.text]
            assert word.style is not None
            assert word.style.color == face.palette.bad.color


async def test_the_cursor_stays_on_its_token_while_others_come_and_go(
    face: SpendtopApp, busy: Till, store: Store, clock: SettableClock
) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, "lab")
        write(store, lambda connection: tokens.create(connection, "fourth", clock(), value="fourth"))
        await until(pilot, lambda: "fourth" in picture(pilot))
        busy.record(*(push(n, clock(), "old", external_id=f"o{n}") for n in range(9)))
        await until(pilot, lambda: row_of(pilot, "the old")[-1] == "9")
        assert "▌ ├ the lab" in picture(pilot)
        write(store, lambda connection: tokens.remove(connection, 2))
        await until(pilot, lambda: "▌ ├ the old" in picture(pilot))


async def test_a_new_token_is_selected_and_its_snippets_can_be_copied(
    face: SpendtopApp, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(Clipboard, "copy", lambda self, text: copied.append(text))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await pilot.press("n")
        await typed(pilot, "mobile [app]")
        await pilot.press("tab")
        await typed(pilot, "mobile-1")
        await pilot.press("tab", "space", "enter")
        await dialog(pilot, SnippetsScreen)
        assert "Token mobile-1: its requests are stored and shown, not counted" in picture(pilot)
        assert "# SPENDTOP_INGEST_KEY has to hold the ingest key" in picture(pilot)
        await pilot.press("2", "y", "escape")
        await until(pilot, lambda: copied)
        assert "curl" in copied[0]
        assert "http://127.0.0.1:8000/ingest" in copied[0]
        await until(pilot, lambda: "▌ └ mobile [app]" in picture(pilot))
        assert row_of(pilot, "mobile [app]")[3:5] == ["--", "shadow"]
        assert screen.token is not None
    with store.reading() as connection:
        made = tokens.find(connection, "mobile-1")
    assert made is not None
    assert (made.name, made.active, made.shadow) == ("mobile [app]", True, True)


async def test_a_token_without_a_value_gets_a_fresh_one(face: SpendtopApp, store: Store) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("n")
        await typed(pilot, "web")
        await pilot.press("enter")
        await dialog(pilot, SnippetsScreen)
    with store.reading() as connection:
        made = tokens.find(connection, "web")
    assert made is not None
    assert len(made.token) == 22


async def test_what_cannot_be_a_token_is_said_and_kept_to_be_changed(face: SpendtopApp) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("n")
        await typed(pilot, "the lab")
        await pilot.press("enter")
        await until(pilot, lambda: "There is a tracking token with this name already." in picture(pilot))
        assert isinstance(face.screen, NewTokenScreen)
        await typed(pilot, " two")
        await pilot.press("enter")
        await dialog(pilot, SnippetsScreen)
        await pilot.press("escape")
        await until(pilot, lambda: "the lab two" in picture(pilot))


async def test_d_switches_a_token_off_and_on_and_says_so(face: SpendtopApp, store: Store) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, "ci-42")
        await pilot.press("d")
        await until(pilot, lambda: row_of(pilot, "the ci-42")[3] == "off")
        await until(pilot, lambda: "the ci-42 is off: pushes under it are refused" in said(pilot))
        await pilot.press("d")
        await until(pilot, lambda: row_of(pilot, "the ci-42")[3] == "OK")


async def test_deleting_asks_first_says_what_stays_and_enter_keeps(face: SpendtopApp, store: Store) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, "ci-42")
        await pilot.press("X")
        await dialog(pilot, ConfirmScreen)
        assert "What was pushed under it stays" in picture(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: face.screen is screen)
        assert [row_of(pilot, "the ci-42")[3]] == ["OK"]
        await pilot.press("delete")
        await dialog(pilot, ConfirmScreen)
        await pilot.press("y")
        await until(pilot, lambda: "the ci-42 is deleted; what it pushed stays." in said(pilot))
        await until(pilot, lambda: "the ci-42  " not in picture(pilot))
        assert row_of(pilot, " ingest ")[4] == "13"
    with store.reading() as connection:
        assert tokens.find(connection, "ci-42") is None


@pytest.mark.parametrize("key", ["n", "d", "X"])
async def test_a_read_only_viewer_changes_nothing_and_says_why(busy: Till, session_over: Sessions, key: str) -> None:
    app = SpendtopApp(session_over(read_only=True))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, "ci-42")
        await pilot.press(key)
        await until(pilot, lambda: "This viewer is read-only" in said(pilot))
        assert app.screen is screen


@pytest.mark.parametrize(("name", "chosen", "listed"), [("lab", "token:lab", 8), ("", "source:helicone", 30)])
async def test_enter_lists_the_requests_of_a_token_or_source(
    face: SpendtopApp, name: str, chosen: str, listed: int
) -> None:
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        if name:
            await at(pilot, screen, name)
        await pilot.press("enter")
        if not name:
            await until(pilot, lambda: "Last events of helicone webhook" in picture(pilot))
            await pilot.press("enter")
        await until(pilot, lambda: f"row 1 of {listed}" in picture(pilot))
        assert isinstance(face.live_screen, RequestsScreen)
        assert chosen in picture(pilot)


async def test_a_source_shows_its_last_events_as_they_are_kept(
    face: SpendtopApp, store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "_PATIENCE", 0.0)
    set_aside(store, clock() - MINUTE, "unrecognized", "open", raw=b'{"key": "[redacted sk-\xe2\x80\xa6]", "n": [1]}')
    set_aside(store, clock() - 3 * HOUR, "test", "open")
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Last events of helicone webhook" in picture(pilot))
        told = " ".join(picture(pilot).split())
        assert "not understood: no ␛[2J id (12 B)" in told and '"key": "[redacted sk-…]",' in told
        assert "its body is not kept" in told
        await until(pilot, lambda: "The collector has not taken it up yet; it stays queued." in picture(pilot))

        def answer(connection: Connection) -> bool:
            task = tasks.claim(connection, clock())
            if task is not None:
                assert task.arguments == {"source": "helicone"}
                text = '{"model": "gpt-4.1", "usage": {"prompt_tokens": 12}}'
                posts = json.encode([PostOutline(2, clock(), 12_000, text), PostOutline(1, clock(), 12, "")]).decode()
                tasks.finish(connection, task.id, TaskState.DONE, posts, clock())
            return task is not None

        await until(pilot, lambda: write(store, answer))
        await until(pilot, lambda: 'model: "gpt-4.1"' in picture(pilot))
        assert 'usage: {"prompt_tokens": 12}' in picture(pilot) and "no JSON, not shown" in picture(pilot)

        def show(connection: Connection) -> None:
            while (task := tasks.claim(connection, clock())) is not None:
                assert (task.kind, task.arguments["source"]) == (TaskKind.POST_BODY, "helicone")
                body = PostBody(
                    1, clock(), 12, f'{{"content":"post {task.arguments["id"]} \\u001b[2J"}}', "Its beginning."
                )
                tasks.finish(connection, task.id, TaskState.DONE, json.encode(body).decode(), clock())

        def shows_the_older() -> bool:
            write(store, show)
            return '"content": "post 1 \\u001b[2J"' in picture(pilot)

        await pilot.press("tab", "right_square_bracket")
        await until(pilot, shows_the_older)
        assert "2 of 2" in picture(pilot) and "Its beginning." in picture(pilot)
        older: dict[str, object] = {"source": "helicone", "id": 1}
        await until(pilot, lambda: write(store, lambda it: not tasks.newest(it, TaskKind.POST_BODY, older)))
        newer: dict[str, object] = {"source": "helicone", "id": 2}
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: write(store, lambda it: tasks.newest(it, TaskKind.POST_BODY, newer)))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(face.screen, PostScreen))
        write(store, show)
        await until(pilot, lambda: write(store, lambda it: not tasks.newest(it, TaskKind.POST_BODY, newer)))
        await pilot.press("G")
        await pilot.pause()
        assert "alice" in picture(pilot) and "external-29" in picture(pilot)
        await pilot.press("escape", "j", "enter")
        await until(
            pilot, lambda: "ingest refused 3: unknown or disabled tracking token" in " ".join(picture(pilot).split())
        )


async def test_refusals_and_events_set_aside_are_told_the_newest_first(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    set_aside(store, clock() - MINUTE, "unrecognized", "open")
    set_aside(store, clock() - 3 * HOUR, "test", "open")
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        twins, *told = [line[2:].strip(" │") for line in picture(pilot).splitlines()[17:21]]
    assert "12 probable twins (~twin) with ingest" in twins
    hour = clock() - clock() % HOUR
    zone = face.session.calendar
    assert [line.split()[0] for line in told] == [
        f"{zone.local(clock() - MINUTE):%H:%M:%S}",
        f"{zone.local(hour - HOUR):%H:%M}-{zone.local(hour):%H:%M}",
        f"{zone.local(clock() - 3 * HOUR):%H:%M:%S}",
    ]
    assert [line.split(maxsplit=2)[1:] for line in told] == [
        ["!!", "helicone not understood: no ␛[2J id (12 B)"],
        ["!", "ingest refused 3: unknown or disabled tracking token"],
        ["T", "test event from helicone, not counted"],
    ]


async def test_wide_screens_show_the_process_and_the_store(face: SpendtopApp) -> None:
    async with face.run_test(size=(140, 40)) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "this one" in picture(pilot))
        facts = [line[94:].strip("│╮ ") for line in picture(pilot).splitlines()]
    for words in ("listens   127.0.0.1:8000", "webhooks  signed ones only", "process   1 on here, v0"):
        assert words in facts
    assert "holds     43 counted requests" in facts


async def test_little_room_leaves_out_the_end_of_a_line_and_cuts_no_word(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    version = ListVersion(name="genai-prices 0.2.3", newest_price="2026-11-09")
    state = PriceListState(version=version, at=clock() - MINUTE, every=None, problem=None)
    write(store, lambda connection: price_list.keep(connection, state))
    async with face.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "prices  " in picture(pilot))
        lines = [line.rstrip() for line in picture(pilot).splitlines()]
    assert "  prices    genai-prices 0.2.3, came with the program, age not known" in lines


@pytest.mark.parametrize("width", [80, 140])
async def test_the_price_list_is_named_with_its_age_and_what_is_wrong(
    face: SpendtopApp, store: Store, clock: SettableClock, width: int
) -> None:
    version = ListVersion.of_fetched("ab12cd34", clock() - 4 * DAY, clock() - 4 * DAY)
    problem = "The price list of x is no whole JSON\x1b; it is refused and the old one goes on"
    state = PriceListState(version=version, at=clock() - MINUTE, every=DAY, problem=problem)
    write(store, lambda connection: price_list.keep(connection, state))
    async with face.run_test(size=(width, 40)) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "prices  " in picture(pilot))
        words = " ".join(picture(pilot).replace("│", " ").split())
    for part in (
        "prices genai-prices 2026-11-16",
        "sha256:ab12cd34, fetched 4",
        "14:02:07 !! prices: The price list of x is no",
    ):
        assert part in words


async def test_the_address_of_a_tunnel_stands_beside_the_listener(face: SpendtopApp, store: Store) -> None:
    write(store, lambda connection: tell_public_url(connection, "https://canary.ngrok.app"))
    async with face.run_test(size=(140, 40)) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "tunnel    https://canary.ngrok.app" in picture(pilot))


async def test_without_a_collector_nothing_is_called_live(busy: Till, session_over: Sessions) -> None:
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(140, 40)) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "state     NOT RECORDING" in picture(pilot))
        assert row_of(pilot, "helicone webhook")[2:4] == ["--", "quiet"]


async def test_a_test_request_is_sent_by_the_way_of_the_row(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    async with face.run_test(size=(100, 30), notifications=True) as pilot:
        screen = await shown(pilot)

        async def sent_with(arguments: dict[str, object], answer: str) -> None:
            await pilot.press("T")
            await until(pilot, lambda: write(store, tasks.are_queued))
            task = write(store, lambda connection: tasks.claim(connection, clock()))
            assert task is not None and (task.kind, task.arguments) == (tasks.TaskKind.SAMPLE_EVENT, arguments)
            write(store, partial(tasks.finish, task_id=task.id, state=TaskState.DONE, result=answer, now=2))
            await until(pilot, lambda: answer in picture(pilot))

        screen.table.select(("source", "helicone"))
        await sent_with({}, "the webhook was taken")
        await at(pilot, screen, "ci-42")
        await sent_with({"token": "ci-42"}, "the push was taken")
        screen.table.select(("source", "litellm"))
        await until(pilot, lambda: "T test" not in picture(pilot))


async def test_retry_asks_the_collector_and_tells_what_came_of_it(
    face: SpendtopApp, store: Store, clock: SettableClock
) -> None:
    set_aside(store, clock() - SECOND, "unrecognized", "open")
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("R")

        def asked() -> bool:
            with store.reading() as connection:
                return tasks.are_queued(connection)

        await until(pilot, asked)

        def do(connection: Connection) -> None:
            task = tasks.claim(connection, clock())
            assert task is not None
            assert task.kind is tasks.TaskKind.QUARANTINE_RETRY
            tasks.finish(connection, task.id, TaskState.DONE, "1 understood and recorded", clock())

        write(store, do)
        await until(pilot, lambda: "1 understood and recorded" in said(pilot))


def set_aside(store: Store, at: int, kind: str, state: str, raw: bytes | None = None) -> None:
    values = {"digest": str(at).encode(), "source": "helicone", "kind": kind, "state": state, "size": 12}
    values["raw"] = None if raw is None else bodies.encode(raw, None)[1]
    statement = insert(table_of(QuarantineTable)).values(**values, reason="no \x1b[2J id", received_at=at)
    write(store, lambda connection: connection.execute(statement))


async def test_a_write_that_fails_says_that_nothing_was_changed(
    face: SpendtopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(tokens, "set_active", fail)
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        await at(pilot, screen, "ci-42")
        await pilot.press("d")
        await until(pilot, lambda: "cannot be written (RuntimeError); nothing was changed." in said(pilot))


async def test_nothing_is_retried_while_no_collector_runs(
    busy: Till, store: Store, session_over: Sessions, clock: SettableClock
) -> None:
    set_aside(store, clock() - SECOND, "unrecognized", "open")
    app = SpendtopApp(session_over(collector=lambda: None))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await pilot.press("R")
        await until(pilot, lambda: "No collector runs, so nothing is recorded" in said(pilot))
    with store.reading() as connection:
        assert not tasks.are_queued(connection)


async def test_a_source_that_is_added_has_its_row(
    busy: Till, session_over: Sessions, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_acme(monkeypatch)
    busy.record(*(a_request(n, clock(), source=ACME, external_id=f"acme-{n}") for n in range(4)))
    async with SpendtopApp(session_over()).run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        assert row_of(pilot, "acme gateway")[2:] == ["OK", "now", "4", "4", "0", "0", "0.0s"]


@pytest.mark.parametrize("width", [60, 80, 140])
async def test_what_was_not_read_or_not_taken_is_told_where_events_are(
    face: SpendtopApp, store: Store, clock: SettableClock, width: int
) -> None:
    unread = Remark(RemarkKind.UNREAD, "weird_units", "is not priced", 312)
    not_taken = Remark(RemarkKind.NOT_TAKEN, "AGENT span 'my-agent'", "is no call of a model", 40)
    write(store, lambda connection: note(connection, {"ingest": [unread]}, clock()))
    write(store, lambda connection: note(connection, {"otlp": [not_taken]}, clock() - DAY))
    async with face.run_test(size=(width, 40)) as pilot:
        await shown(pilot)
        shown_now = picture(pilot)
        assert "!  ingest: 312 requests had `weird_units`" in shown_now
        assert "otlp: 40 not taken: AGENT span" in shown_now


async def test_what_a_provider_says_of_its_plan_stands_with_its_age(
    busy: Till, store: Store, session_over: Sessions, clock: SettableClock
) -> None:
    window = PlanWindow(
        agent="codex", minutes=300, used_percent=45.0, resets_at=clock() + HOUR, at=clock() - 12 * MINUTE
    )
    over = replace(window, minutes=10_080, resets_at=clock() - 1)
    write(store, lambda connection: plan_windows.note(connection, socket.gethostname(), [window, over]))
    async with SpendtopApp(session_over()).run_test(size=(140, 40), notifications=True) as pilot:
        await shown(pilot)
        assert "codex 5h 45%" in picture(pilot) and "said 12m ago" in picture(pilot)
        assert "codex 7d" not in picture(pilot)


async def test_what_was_imported_has_its_row(face: SpendtopApp, busy: Till, store: Store, clock: SettableClock) -> None:
    busy.record(*(a_request(n, clock(), source=LANGFUSE, external_id=f"lf-{n}") for n in range(4)))
    write(store, lambda connection: facts.note_import(connection, LANGFUSE.name, clock() - 3 * HOUR))
    async with face.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await shown(pilot)
        screen.table.to(len(screen.table.rows) - 1)
        await until(pilot, lambda: "again adds what is new" in picture(pilot))
        assert row_of(pilot, "langfuse")[:6] == ["langfuse", "imported", "3h", "4", "requests,", "by"]


async def test_providers_that_push_stand_with_how_they_deliver(face: SpendtopApp, store: Store) -> None:
    in_force(store, Doors(ingest_keys=("anthropic-push",)))

    def delivers(health: PushHealth) -> None:
        cursor = push_health.packed(health)
        write(store, lambda connection: checkpoints.succeeded(connection, "anthropic-push", 1, cursor=cursor))

    delivers(PushHealth(amiss="Anthropic's destination is off: the address answered with a redirect. Mend it."))
    async with face.run_test(size=(100, 30), notifications=True) as pilot:
        screen = await shown(pilot)
        row = row_of(pilot, "anthropic push")
        assert row[2] == "!FAILING" and "Anthropic's" in row
        assert row_of(pilot, "openrouter push")[2:] == ["off", "spendtop", "openrouter", "connect", "URL"]
        screen.table.to(
            next(n for n, each in enumerate(screen.table.rows) if "anthropic" in str(screen.table.key(each)))
        )
        await until(pilot, lambda: "Mend it." in picture(pilot))
        delivers(PushHealth(succeeded_at=1))
        await pilot.press("ctrl+l")
        await until(pilot, lambda: row_of(pilot, "anthropic push")[2:4] == ["..", "waits"])
