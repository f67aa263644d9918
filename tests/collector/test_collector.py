"""The whole of it in one process, with a companion that looks from inside."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from spendtop.collector.collector import run
from spendtop.collector.setup import CompanionContext, Setup
from spendtop.collector.supervisor import Loop
from spendtop.config.load import Loaded, load
from spendtop.domain.condition import Condition
from spendtop.domain.errors import ExitCode, PortBusy
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.services import tasks
from spendtop.services.stores.presence import CollectorState, running_collector
from spendtop.services.tasks import TaskKind
from spendtop.sources.settings import SECTIONS
from tests.conftest import SettableClock
from tests.helicone_captures import captures, secret, sign
from tests.waiting import DEADLINE, soon, soon_answered

API_KEY = "an-api-key-0123456789"


class Started:
    """A collector whose companion runs what a test wants, then asks it to stop."""

    def __init__(self, folder: Path, clock: SettableClock) -> None:
        self.folder = folder
        self.clock = clock
        self.file = folder / "spendtop.toml"
        self.file.touch(mode=0o600)
        self.configure("")
        self.look: Callable[[CompanionContext], Any] | None = None
        self.failures: list[BaseException] = []

    def configure(self, text: str, port: int = 0) -> None:
        self.file.write_text(
            f'[server]\nport = {port}\napi_key = "{API_KEY}"\n'
            f'[database]\nurl = "sqlite:///{self.folder}/spendtop.db"\n'
            f'[helicone]\nwebhook_secrets = ["{secret().decode()}"]\n' + text
        )

    def load(self) -> Loaded:
        return load(self.file, sections=SECTIONS, environ={})

    def run(self, look: Callable[[CompanionContext], Any], **setup: Any) -> ExitCode:
        def companion(rooms: CompanionContext) -> Loop:
            async def loop(stop: asyncio.Event) -> None:
                try:
                    await look(rooms)
                except BaseException as failure:
                    self.failures.append(failure)
                await asyncio.wrap_future(
                    rooms.recorder.run(lambda connection: tasks.ask(connection, TaskKind.STOP, {}, rooms.clock()))
                )
                await stop.wait()

            return loop

        code = run(
            Setup(
                loaded=self.load(),
                reload=self.load,
                clock=self.clock,
                companions={"look": companion},
                **{"prints": False, **setup},
            )
        )
        if self.failures:
            raise self.failures[0]
        return code


@pytest.fixture
def started(tmp_path: Path, clock: SettableClock) -> Started:
    return Started(tmp_path, clock)


def was_refused(rooms: CompanionContext) -> bool:
    with rooms.store.reading() as connection:
        news = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'config_news'").scalar()
    return news is not None and '"ok": false' in news


def client_of(rooms: CompanionContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=rooms.url, trust_env=False, timeout=DEADLINE, headers={"X-API-Key": API_KEY})


def test_it_listens_says_so_and_leaves_nothing_behind(started: Started) -> None:
    file = started.folder / "spendtop.db.collector.json"
    read, write = os.pipe()

    async def look(rooms: CompanionContext) -> None:
        held = running_collector(file)
        assert held is not None
        assert (held.state, held.url, held.started_by) == (CollectorState.READY, rooms.url, "viewer")
        async with client_of(rooms) as client:
            assert (await client.get("/ping")).text == "pong"

    assert started.run(look, started_by="viewer", ready_descriptor=write) is ExitCode.OK
    with os.fdopen(read) as pipe:
        line = json.loads(pipe.read())
    assert (line["ready"], line["pid"]) == (True, os.getpid())
    assert not file.exists()


def announced(started: Started) -> Sequence[Condition]:
    """What the collector says beside the store that is amiss with it."""
    held = running_collector(started.folder / "spendtop.db.collector.json")
    assert held is not None
    return held.conditions


def test_its_health_names_what_is_wrong(started: Started) -> None:
    async def look(rooms: CompanionContext) -> None:
        async with client_of(rooms) as client:
            said = (await client.get("/health")).json()
            assert said["status"] == "healthy"
            assert said["detail"]["loops_failing"] == {}
            assert said["detail"]["configuration"] == "applied"
            started.configure("[wrong]\n")
            await soon(lambda: was_refused(rooms))
            said = (await client.get("/health")).json()
            assert said["status"] == "degraded"
            assert "wrong" in said["detail"]["configuration"]
            (condition,) = said["detail"]["conditions"]
            assert (condition["name"], condition["status"]) == ("configuration", "degraded")
            await soon(lambda: announced(started))
            assert [each.sentence for each in announced(started)] == [condition["sentence"]]

    assert started.run(look) is ExitCode.OK


def test_its_health_counts_messages_that_could_not_be_sent(started: Started, empty_file: Path) -> None:
    file = started.folder / "spendtop.db"
    shutil.copy(empty_file, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO delivery (ref, kind, channel, severity, payload, state, attempts, next_at, created_at)"
            " VALUES ('a', 'exceeded', 'ops', 'critical', '{}', 'dead', 8, 1, 1)"
        )

    async def look(rooms: CompanionContext) -> None:
        async with client_of(rooms) as client:

            async def dead() -> int:
                return int((await client.get("/health")).json()["detail"]["deliveries_dead"])

            assert await soon_answered(dead) == 1

    assert started.run(look) is ExitCode.OK


def test_a_loop_that_fails_degrades_its_health_and_is_named(started: Started, caplog: pytest.LogCaptureFixture) -> None:
    failed: list[None] = []

    def failing_once(rooms: CompanionContext) -> Loop:
        async def loop(stop: asyncio.Event) -> None:
            if not failed:
                failed.append(None)
                raise RuntimeError("broken")
            await stop.wait()

        return loop

    statuses: list[Any] = []

    def looking(rooms: CompanionContext) -> Loop:
        async def loop(stop: asyncio.Event) -> None:
            await soon(lambda: failed)
            async with client_of(rooms) as client:
                statuses.append((await client.get("/health")).json())
            work = lambda connection: tasks.ask(connection, TaskKind.STOP, {}, rooms.clock())  # noqa: E731
            await asyncio.wrap_future(rooms.recorder.run(work))
            await stop.wait()

        return loop

    setup = Setup(
        loaded=started.load(),
        reload=started.load,
        clock=started.clock,
        prints=False,
        companions={"poller": failing_once, "look": looking},
    )
    assert run(setup) is ExitCode.OK
    assert statuses[0]["status"] == "degraded"
    assert statuses[0]["detail"]["loops_failing"] == {"poller": 1}
    assert "poller failed" in caplog.text


def test_without_its_writer_it_ends_with_70(started: Started, caplog: pytest.LogCaptureFixture) -> None:
    async def look(rooms: CompanionContext) -> None:
        await asyncio.to_thread(rooms.recorder.stop)

    setup = Setup(
        loaded=started.load(),
        reload=started.load,
        clock=started.clock,
        prints=False,
        companions={"look": lambda rooms: lambda stop: look(rooms)},
    )
    assert run(setup) is ExitCode.INTERNAL
    assert "the writer died" in caplog.text


def test_a_limit_with_a_reserve_counts_at_its_ceiling_everywhere(started: Started) -> None:
    started.configure('[[limit]]\nname = "a"\nwindow = "24h"\nusd = 1\nreserve = "model:gpt-4o"\n')
    event = msgspec.json.decode(captures()["openai_chat_success_user_session_props_unicode"].raw)
    event["request_body"]["model"] = event["response_body"]["model"] = "unheard-of"
    event["metadata"]["cost"] = None
    unpriced = msgspec.json.encode(event)

    async def look(rooms: CompanionContext) -> None:
        async with client_of(rooms) as client:
            headers = {"Helicone-Signature": sign(unpriced)}
            assert (await client.post("/webhook", content=unpriced, headers=headers)).status_code == 200
            (use,) = (await client.get("/limits")).json()["data"]
            assert use["used_nanousd"] > 0

    assert started.run(look) is ExitCode.OK


def test_the_first_request_is_answered_without_loading_prices_on_the_event_loop(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = captures()["include_data_false"]
    threads: list[threading.Thread] = []
    may_load = threading.Event()
    load_prices = PublishedPrices.load

    def waiting_load(prices: PublishedPrices) -> None:
        threads.append(threading.current_thread())
        assert may_load.wait(20)
        load_prices(prices)

    monkeypatch.setattr(PublishedPrices, "load", waiting_load)

    async def look(rooms: CompanionContext) -> None:
        async with client_of(rooms) as client, asyncio.TaskGroup() as tasks:
            headers = {"Helicone-Signature": sign(webhook.raw)}
            posting = tasks.create_task(client.post("/webhook", content=webhook.raw, headers=headers))
            assert (await client.get("/ping")).text == "pong"
            assert not posting.done()
            may_load.set()
            assert (await posting).status_code == 200
        with rooms.store.reading() as connection:
            assert connection.exec_driver_sql("SELECT cost_nano FROM request").scalar() == 202_500

    assert started.run(look) is ExitCode.OK
    assert threads != []
    assert threading.main_thread() not in threads


def test_a_start_that_fails_is_told_to_the_parent(started: Started) -> None:
    read, write = os.pipe()
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        started.configure("", other.getsockname()[1])
        with pytest.raises(PortBusy):
            started.run(lambda rooms: None, ready_descriptor=write)
    with os.fdopen(read) as pipe:
        line = json.loads(pipe.read())
    assert (line["ready"], line["code"]) == (False, ExitCode.PORT_BUSY)
    assert "--port" in line["message"]


def test_systemd_hears_of_each_step_and_that_it_lives(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{folder}/notify")
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        heard: list[bytes] = []

        def listen() -> bool:
            try:
                while True:
                    heard.append(systemd.recv(100))
            except BlockingIOError:
                return heard.count(b"WATCHDOG=1") >= 2

        async def look(rooms: CompanionContext) -> None:
            await soon(listen)

        assert started.run(look) is ExitCode.OK
        listen()
    assert heard[0] == b"READY=1"
    assert heard[-1] == b"STOPPING=1"


def test_it_prints_only_as_the_headless_face(
    started: Started, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(rooms: CompanionContext) -> None:
        """Nothing."""

    started.run(look)
    assert capsys.readouterr().out == ""
    started.run(look, prints=True)
    assert "Ctrl+C stops" in capsys.readouterr().out
