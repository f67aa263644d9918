"""An empty store: what is done is ticked off, and keys do the rest."""

from __future__ import annotations

import socket
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import Connection

from spendtop.alerts.message_text import channel_test_message
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.services import tasks
from spendtop.services.agents import files as agent_files
from spendtop.services.alerting.outbox import enqueue
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryTable
from spendtop.tui.app import SpendtopApp
from spendtop.tui.overview.welcome import Welcome
from tests.services.agents.test_files import LOOK
from tests.services.recording.test_plan_calls import Desk, call
from tests.tui.conftest import Sessions, Till, opened, picture, typed, until


def ticked(app: SpendtopApp) -> list[str]:
    """The steps that are done."""
    lines = ("".join(text for text, _ in line) for line in app.screen.query_one(Welcome).content(78, 40))
    return [line.strip()[1:].split("  ")[1].strip() for line in lines if line.strip().startswith(app.glyphs.good)]


def steps(app: SpendtopApp, width: int) -> list[str]:
    """The lines as they are, where there is height for all."""
    return ["".join(text for text, _ in line) for line in app.screen.query_one(Welcome).content(width, 40)]


def queued(store: Store) -> bool:
    with store.reading() as connection:
        return tasks.are_queued(connection)


def send_test_message(connection: Connection) -> None:
    """As one that a channel took."""
    message, delivery = channel_test_message(1), table_of(DeliveryTable)
    enqueue(connection, alert_id=None, seq=1, message=message, severity="info", channels=["ops"], now=1)
    connection.execute(delivery.update().values(state="sent"))


async def test_what_is_done_is_ticked_off_and_keys_do_the_rest(
    session_over: Sessions, till: Till, store: Store, tmp_path: Path
) -> None:
    config = tmp_path / "spendtop.toml"
    views = tmp_path / "views.json"
    app = SpendtopApp(session_over(config_file=config, folder=tmp_path, views=views))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "Nothing recorded yet" in picture(pilot))
        await until(pilot, lambda: ticked(app) == ["listen", "a first limit"])
        commands = ("spendtop init; e opens it", "spendtop anthropic connect URL", "[[channel]], then 6 alerts and T")
        for width in (56, 76):
            assert all(any(line[:width].endswith(each) for line in steps(app, width)) for each in commands)
        config.touch()
        await until(pilot, lambda: ticked(app) == ["write spendtop.toml", "listen", "a first limit"])
        keys = picture(pilot).splitlines()[-1]
        assert "n new token" in keys and "y copy address" in keys and "tab pane" not in keys
        await pilot.press("T")
        await until(pilot, lambda: queued(store))
        with store.writing() as connection:
            task = tasks.claim(connection, 1)
        assert task is not None and (task.kind, task.arguments) == (tasks.TaskKind.SAMPLE_EVENT, {})
        await pilot.press("n")
        await typed(pilot, "my app")
        await pilot.press("enter")
        await until(pilot, lambda: "SPENDTOP_INGEST_KEY" in picture(pilot))
    Desk(store).record(call(at=app.session.clock() - MINUTE))
    for end in ("q", "test"):
        app = SpendtopApp(session_over(config_file=config, folder=tmp_path, views=views))
        async with app.run_test(size=(80, 24)) as pilot:
            await opened(pilot)
            await until(pilot, lambda: "✓ 4 of 5   6 T tested channel   q ends this list" in picture(pilot))
            assert "Welcome" not in picture(pilot)
            if end == "q":
                await pilot.press("q")
            else:
                with store.writing() as connection:
                    send_test_message(connection)
            await until(pilot, lambda: "tested channel" not in picture(pilot))
            assert app.is_running
            if end == "q":
                app.saved_views.note_first_run(True)


async def test_coding_agents_found_here_are_named_by_both_screens_and_nothing_is_said_without(
    session_over: Sessions, till: Till, store: Store
) -> None:
    app = SpendtopApp(session_over())
    now = app.session.clock()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "spendtop demo" in picture(pilot))
        assert "agents" not in picture(pilot)
        with store.writing() as connection:
            agent_files.note_root(connection, socket.gethostname(), LOOK, {})
        await until(pilot, lambda: "still to be read: 1 of 3 files" in picture(pilot))
        assert "No spend seen yet." in picture(pilot) and "spendtop demo" not in picture(pilot)
        Desk(store).record(call(at=now - 2 * HOUR, user_id="mira"), call("msg_2", at=now - MINUTE, user_id="mira"))
        await until(pilot, lambda: "plan ~<$0.000001" in picture(pilot))
        await until(pilot, lambda: "API-equivalent/" in picture(pilot))
        whole = picture(pilot)
        assert "Welcome" not in whole
        assert ("mira" in whole, "2 calls" in whole, "OK claude-code" in whole) == (True, True, True)
        with store.writing() as connection:
            agent_files.note_root(connection, socket.gethostname(), replace(LOOK, waiting=0), {})
        await pilot.press("8")
        await until(pilot, lambda: "claude-code" in picture(pilot))
        (row,) = (line.split() for line in picture(pilot).splitlines() if "claude-code" in line)
        assert row[1:4] == ["claude-code", "OK", "1m"] and "codex" not in picture(pilot)
        await pilot.press("G")
        await until(pilot, lambda: "files read: 3; left out: " in picture(pilot))
