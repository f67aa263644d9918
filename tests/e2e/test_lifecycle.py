"""Signals, a locked store, and surroundings in which services run."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, configured, rows, save, spendtop, webhook
from tests.helicone_captures import captures, secret, sign
from tests.waiting import DEADLINE, eventually

CAPTURE = captures()["openai_chat_success_user_session_props_unicode"].raw


def post_until_the_end(collector: CollectorProcess, sender: int, acknowledged: list[str]) -> None:
    with httpx.Client(base_url=collector.url, trust_env=False, timeout=DEADLINE) as client:
        number = 0
        while True:
            request_id = f"{sender}-{number}"
            raw = webhook(request_id)
            try:
                answer = client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)})
            except httpx.HTTPError:
                return
            if answer.status_code != 200:
                return
            acknowledged.append(request_id)
            number += 1


def is_acknowledged(collector: CollectorProcess) -> bool:
    try:
        return collector.post(CAPTURE).status_code == 200
    except httpx.HTTPError:
        return False


def stuck_upload(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
    return client


def test_sigterm_in_the_middle_of_everything_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with HttpSink() as web:
        limit = '[[limit]]\nname = "all"\nwindow = "24h"\nusd = 0.01\nwarn = []\n'
        config = LISTENER + limit + f'[[channel]]\nname = "slow"\nurl = "{web.url("/drip")}"\n'
        acknowledged: list[str] = []
        with collecting(tmp_path, config) as collector, ThreadPoolExecutor(8) as pool:
            for sender in range(8):
                pool.submit(post_until_the_end, collector, sender, acknowledged)
            web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            with closing(stuck_upload(collector.url)):
                started = time.monotonic()
                ended = collector.end()
                took = time.monotonic() - started
        assert ended.code == 0, ended.err
        assert took < DEADLINE / 2
        assert not (tmp_path / "spendtop.db.collector.json").exists()
        stored = {external_id for (external_id,) in rows(tmp_path, "SELECT external_ids ->> 'helicone' FROM request")}
        assert set(acknowledged) <= stored
        assert len(acknowledged) >= 10
        assert len(stored) <= len(acknowledged) + 8
        ((state,),) = rows(tmp_path, "SELECT state FROM delivery")
        assert state in ("sending", "pending")


def test_a_message_that_was_being_sent_at_the_end_is_sent_after_the_next_start(tmp_path: Path) -> None:
    with HttpSink() as web:
        limit = '[[limit]]\nname = "all"\nwindow = "24h"\nusd = 0.01\nwarn = []\n'
        slow = LISTENER + limit + f'[[channel]]\nname = "a"\nurl = "{web.url("/drip")}"\n'
        with collecting(tmp_path, slow) as collector:
            collector.post(webhook("dear", 1.0))
            web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            collector.process.kill()
        with closing(sqlite3.connect(tmp_path / "spendtop.db")) as connection, connection:
            connection.execute("UPDATE delivery SET lease_until = 1")
        with collecting(tmp_path, slow.replace("/drip", "/ok")):
            web.arrivals.wait_for(lambda arrived: len(arrived) == 2)


def test_ctrl_c_ends_in_order(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        assert collector.end(signal.SIGINT) == (0, collector.out, "")


def test_the_command_stop_ends_it(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        ended = spendtop(tmp_path, "stop", "--config", tmp_path / "spendtop.toml")
        assert ended.code == 0, ended.err
        assert collector.process.wait(DEADLINE) == 0


def test_sighup_reads_the_configuration_and_its_secrets_again(tmp_path: Path) -> None:
    key = tmp_path / "webhook.key"
    key.touch(mode=0o600)
    key.write_text("another-secret-than-the-captures-have")
    config = f'[server]\nport = 0\n[helicone]\nwebhook_secrets = ["file:{key}"]\n'
    with collecting(tmp_path, config) as collector:
        assert collector.post(CAPTURE).status_code == 401
        key.write_text(secret().decode())
        collector.process.send_signal(signal.SIGHUP)
        eventually(lambda: "Configuration applied" in collector.out)
        assert collector.post(CAPTURE).status_code == 200
        assert secret().decode() not in collector.out


def test_a_bad_configuration_is_refused_with_its_line_and_the_old_one_goes_on(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        file = tmp_path / "spendtop.toml"
        good = file.read_text()
        save(file, good + '[[limit]]\nname = "daily"\nwindow = "dya"\nusd = 5\n')
        eventually(lambda: "refused" in collector.out)
        assert "spendtop.toml:9" in collector.out
        assert collector.health()["status"] == "degraded"
        assert collector.post(CAPTURE).status_code == 200
        save(file, good + '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 5\n')
        eventually(lambda: "limit.daily: added" in collector.out)
        assert collector.health()["status"] == "healthy"


def test_a_webhook_waits_for_a_store_that_another_process_has_locked(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector, ThreadPoolExecutor(1) as pool:
        with closing(sqlite3.connect(tmp_path / "spendtop.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = pool.submit(collector.post, CAPTURE)
            with pytest.raises(TimeoutError):
                answer.result(6)
            assert collector.client.get("/ping").text == "pong"
            other.execute("ROLLBACK")
        assert answer.result(DEADLINE).status_code == 200
        assert collector.rows("SELECT COUNT(*) FROM request") == [(1,)]


def test_the_end_does_not_wait_for_a_store_that_stays_locked(tmp_path: Path) -> None:
    with (
        collecting(tmp_path) as collector,
        ThreadPoolExecutor(1) as pool,
        closing(sqlite3.connect(tmp_path / "spendtop.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        answer = pool.submit(is_acknowledged, collector)
        assert collector.end().code == 0
        assert not answer.result(DEADLINE)
    assert rows(tmp_path, "SELECT COUNT(*) FROM request") == [(0,)]


def test_it_runs_without_home_terminal_stdin_and_a_folder_to_write_in(tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "LANG": "C"}
    folder = Path("/proc")
    with collecting(
        tmp_path, environ=bare, cwd=folder, stdin=None, preexec_fn=lambda: os.close(0), start_new_session=True
    ) as collector:
        assert collector.post(CAPTURE).json()["status"] == "stored"
        eventually(lambda: "processed gpt-4o-2024-08-06 alice@example.com $0.0002" in collector.out)
        assert collector.end().code == 0
    assert collector.err == ""


def test_a_reader_that_goes_away_does_not_end_it(tmp_path: Path) -> None:
    read, write = os.pipe()
    with collecting(tmp_path, stdout=write) as collector:
        os.close(write)
        assert os.read(read, 10)
        os.close(read)
        for number in range(3):
            assert collector.post(webhook(f"request-{number}")).status_code == 200
        assert collector.end() == (0, "", "")


def test_it_ends_with_the_process_that_holds_its_leash(tmp_path: Path) -> None:
    leash, held = os.pipe()
    with collecting(tmp_path, LISTENER, "--leash-fd", str(leash), passed=[leash]) as collector:
        os.close(leash)
        os.close(held)
        assert collector.process.wait(DEADLINE) == 0


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector, closing(stuck_upload(collector.url)):
        collector.process.send_signal(signal.SIGTERM)
        eventually(lambda: '"stopping"' in (tmp_path / "spendtop.db.collector.json").read_text())
        assert collector.end(signal.SIGTERM).code == 128 + signal.SIGTERM


def test_the_same_webhook_at_the_same_time_is_stored_once(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector, ThreadPoolExecutor(10) as pool:
        together = threading.Barrier(10)

        def post(_: int) -> str:
            with httpx.Client(base_url=collector.url, trust_env=False, timeout=DEADLINE) as client:
                together.wait()
                answer = client.post("/webhook", content=CAPTURE, headers={"Helicone-Signature": sign(CAPTURE)})
            return str(answer.json()["status"])

        assert sorted(pool.map(post, range(10))) == ["duplicate"] * 9 + ["stored"]
        collector.end()
    with collecting(tmp_path) as collector:
        assert collector.post(CAPTURE).json()["status"] == "duplicate"
        assert collector.rows("SELECT requests FROM total WHERE dimension = 'all'") == [(1,)]


def test_hostile_names_are_printed_harmlessly(tmp_path: Path) -> None:
    hostile = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202e\x9b1m\x00[/nope]\nprocessed fake"
    with collecting(tmp_path) as collector:
        assert collector.post(webhook("hostile", user_id=hostile)).status_code == 200
        eventually(lambda: "processed" in collector.out)
        collector.end()
    assert not [character for character in collector.out if not (character.isprintable() or character == "\n")]
    assert len([line for line in collector.lines if line.startswith("processed")]) == 1
    assert re.fullmatch(
        r"Stopped after \d+ s: 1 request recorded, 0 further reports, 0 set aside, 0 alerts told, 0 messages sent\..*",
        collector.lines[-1],
    )


def test_machines_get_json_lines(tmp_path: Path) -> None:
    import json

    with collecting(tmp_path, LISTENER, "--log-format", "json") as collector:
        collector.post(CAPTURE)
        eventually(lambda: "processed" in collector.out)
        started, *_, processed = (json.loads(line) for line in collector.lines)
    assert started["event"] == "started"
    assert started["listening"] == collector.url
    assert (processed["event"], processed["cost_nanousd"], processed["user_id"]) == (
        "processed",
        202_500,
        "alice@example.com",
    )


def test_the_configuration_of_another_folder_is_not_touched(tmp_path: Path) -> None:
    before = configured(tmp_path).read_bytes()
    with collecting(tmp_path) as collector:
        collector.end()
    assert (tmp_path / "spendtop.toml").read_bytes() == before
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name.startswith("spendtop.")}
    assert set(modes.values()) == {0o600}
