"""Alerts about loops, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from spendtop.domain.alerting.loops import LoopRule
from spendtop.domain.clock import MINUTE, SECOND
from spendtop.services.alerting.announcements import Channel
from spendtop.services.alerting.loops import LoopAlerts, WatchedLoops
from spendtop.store.engine import Store
from spendtop.store.reads.alerts import loops
from spendtop.store.reads.alerts.attention import alerts
from spendtop.store.reads.alerts.loops import looping_sessions
from spendtop.store.reads.alerts.uses import evidence_of
from spendtop.store.tables import DeliveryTable
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, request, rows

Make = Callable[..., Collecting]
WATCHED = WatchedLoops(enabled=True, rule=LoopRule(), notify=("ops",), zone="UTC")


def prompt(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def looked(watching: LoopAlerts, store: Store, now: int) -> list[str]:
    """One look; what is said."""
    with store.reading() as connection:
        changes = watching.look(connection, now)
    with store.writing() as connection:
        return [each.message.kind.value for each in watching.write(connection, changes, now)]


def test_a_session_that_repeats_itself_opens_an_alert_that_closes_by_itself(
    collecting: Make, store: Store, clock: SettableClock
) -> None:
    house, watching = collecting(), LoopAlerts(WATCHED, [Channel("ops")])
    for number in range(14):
        clock.advance(5 * SECOND)
        body = prompt(f"The check still fails, {number} rows are left. Go on with the next step.")
        house.record(
            request(f"loop-{number}", clock(), DOLLAR // 10, session_id="fix-1", request_body=body),
            request(f"chat-{number}", clock(), DOLLAR, session_id="chat", request_body=prompt(f"topic-{'x' * number}")),
        )
    assert looked(watching, store, clock()) == ["loop"]
    assert looked(watching, store, clock()) == []
    with store.reading() as connection:
        (alert,) = alerts(connection, True, 9)
        assert (alert.kind, alert.about, alert.entity.raw, alert.severity) == ("loop", "session", "fix-1", "warning")
        assert looping_sessions(connection) == {"fix-1"}
        words = evidence_of(connection, alert, clock())
    assert words == "14 calls within 1 min 5 s, prompts 100 % alike, $1.29/min"
    assert "14 calls within" in rows(store, DeliveryTable)[0].payload
    clock.advance(4 * MINUTE)
    assert looked(watching, store, clock()) == ["resolved"]
    with store.reading() as connection:
        assert looping_sessions(connection) == frozenset()
    assert looked(watching, store, clock()) == []


def test_a_user_without_sessions_is_told_by_sizes_where_no_prompt_is_kept(
    collecting: Make, store: Store, clock: SettableClock
) -> None:
    from spendtop.domain.requests.request import Usage

    house, watching = collecting(), LoopAlerts(WATCHED, [Channel("ops")])
    for number in range(25):
        clock.advance(2 * SECOND)
        house.record(request(number, clock(), DOLLAR // 10, user_id="ann", usage=Usage(prompt=900, completion=1)))
    assert looked(watching, store, clock()) == ["loop"]
    with store.reading() as connection:
        (alert,) = alerts(connection, True, 9)
        assert (alert.about, alert.entity.raw) == ("user", "ann")
        assert "prompts of the same size" in (evidence_of(connection, alert, clock()) or "")


def test_a_session_that_cannot_be_read_keeps_no_other_from_being_looked_at_and_is_said(
    collecting: Make, store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, watching = collecting(), LoopAlerts(WATCHED, [Channel("ops")])
    for number in range(14):
        clock.advance(5 * SECOND)
        house.record(
            *(
                request(f"{session}-{number}", clock(), DOLLAR // 10, session_id=session, request_body=prompt("again"))
                for session in ("bad", "fix-1")
            )
        )
    repetition = loops.repetition

    def failing(connection: Connection, dimension: str, key: str, *rest: Any) -> Any:
        if key == "bad":
            connection.exec_driver_sql("SELECT nothing")
        return repetition(connection, dimension, key, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(loops, "repetition", failing)
        assert looked(watching, store, clock()) == ["loop"]
        words = watching.postponed_words(clock()) or ""
    assert words.startswith("Loops that cannot be evaluated: session bad. The log says why")
    assert looked(watching, store, clock()) == []
    clock.advance(MINUTE)
    house.record(request("bad-14", clock(), DOLLAR // 10, session_id="bad", request_body=prompt("again")))
    assert looked(watching, store, clock()) == ["loop"]
    assert watching.postponed_words(clock()) is None


def test_while_nobody_can_be_listed_what_stands_goes_on(
    collecting: Make, store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, watching = collecting(), LoopAlerts(WATCHED, [Channel("ops")])
    for number in range(14):
        clock.advance(5 * SECOND)
        house.record(request(number, clock(), DOLLAR // 10, session_id="fix-1", request_body=prompt("again")))
    assert looked(watching, store, clock()) == ["loop"]
    clock.advance(4 * MINUTE)

    def failing(connection: Connection, dimension: str, *rest: Any) -> Any:
        connection.exec_driver_sql("SELECT nothing")

    with monkeypatch.context() as patched:
        patched.setattr(loops, "busy", failing)
        assert looked(watching, store, clock()) == []
        words = watching.postponed_words(clock()) or ""
    assert words.startswith("Loops that cannot be evaluated: session, user. ")
    clock.advance(MINUTE)
    assert looked(watching, store, clock()) == ["resolved"]
