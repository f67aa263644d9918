"""Alerts over HTTP, and starting anew."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.stores.reset import backup
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import LOOP_RULE, STALE_RULE
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, AlertTransitionTable, RequestTable
from tests.api.routes.test_admin_routes import filled, get
from tests.conftest import SettableClock
from tests.services.conftest import rows
from tests.services.stores.test_reset import rows_in_backup
from tests.waiting import DEADLINE, soon


@pytest.fixture
def alert_id(readable_store: Store, clock: SettableClock) -> int:
    """An open alert with one message."""
    values: dict[str, Any] = {
        "rule": "limit/daily",
        "entity": "",
        "window_start": clock(),
        "state": "exceeded",
        "severity": "critical",
        "version": 1,
        "announced": 1.0,
        "spoke": 1,
        "used_nano": 5_200_000_000,
        "limit_nano": 5_000_000_000,
        "unpriced": 2,
        "crossed_at": clock(),
        "late": False,
        "falls": 0,
        "opened_at": clock(),
        "updated_at": clock(),
    }
    with readable_store.writing() as connection:
        inserted = connection.execute(table_of(AlertTable).insert().values(**values))
        assert inserted.inserted_primary_key is not None
        number = int(inserted.inserted_primary_key[0])
        message = Message(kind=MessageKind.EXCEEDED, limit_name="daily")
        outbox_rules.enqueue(
            connection,
            alert_id=number,
            seq=1,
            message=message,
            severity="critical",
            channels=["ops"],
            now=clock(),
        )
    return number


async def test_alerts_come_with_their_deliveries(readable_store: Store, clock: SettableClock, alert_id: int) -> None:
    async with filled(readable_store, clock, 1) as live:
        (alert,) = (await get(live, "/alerts"))["data"]
    assert (alert["id"], alert["limit"], alert["state"]) == (alert_id, "daily", "exceeded")
    assert (alert["used_usd"], alert["used_nanousd"], alert["unpriced"]) == (5.2, 5_200_000_000, 2)
    assert [(each["channel"], each["state"]) for each in alert["deliveries"]] == [("ops", "pending")]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("limit/daily", ("exceeded", 5_200_000_000, 5_000_000_000)),
        (f"{LOOP_RULE}session", ("loop", 5_200_000_000, None)),
        (f"{STALE_RULE}openai", ("stale data", None, None)),
    ],
)
async def test_what_an_alert_said_has_amounts_only_where_it_named_some(
    readable_store: Store,
    clock: SettableClock,
    alert_id: int,
    rule: str,
    said: tuple[str, int | None, int | None],
) -> None:
    alert, limit_nano = table_of(AlertTable), said[2] or 0
    with readable_store.writing() as connection:
        connection.execute(alert.update().values(rule=rule, limit_nano=limit_nano))
        stood = connection.execute(select(alert)).one()._asdict()
        transition = table_of(AlertTransitionTable)
        kept = {column.name: stood[column.name] for column in transition.c if column.name in stood}
        connection.execute(transition.insert().values(**kept, alert_id=alert_id, at=clock()))
    async with filled(readable_store, clock, 1) as live:
        (item,) = (await get(live, "/alerts"))["data"]
    (announced,) = item["announcements"]
    assert (announced["kind"], announced["used_nanousd"], announced["limit_nanousd"]) == said
    assert [announced[name] is None for name in ("used_usd", "limit_usd")] == [said[1] is None, said[2] is None]


async def test_an_alert_is_acked_snoozed_and_taken_back(
    readable_store: Store, clock: SettableClock, alert_id: int
) -> None:
    async with filled(readable_store, clock, 1) as live:
        acked = await live.client.post(f"/alerts/{alert_id}/ack", json={"by": "ana"})
        snoozed = await live.client.post(f"/api/alerts/{alert_id}/snooze", json={"minutes": 60})
        free = await live.client.post(f"/alerts/{alert_id}/unack")
        await live.client.post(f"/alerts/{alert_id}/ack", json={"by": "bo"})
        undone = await live.client.post("/alerts/undo", json={"by": "bo"})
        nothing = await live.client.post("/alerts/undo", json={"by": "bo"})
        (item,) = (await get(live, "/alerts"))["data"]
    assert (acked.status_code, acked.json()["acked_by"]) == (200, "ana")
    assert (snoozed.status_code, snoozed.json()["snoozed_until"]) == (200, "2026-11-20T15:03:07.250000Z")
    assert (free.status_code, free.json()["acked_by"], free.json()["snoozed_until"]) == (200, None, None)
    assert undone.json() == {"undone": f"Alert {alert_id} is not taken on any more."} and item["acked_by"] is None
    assert nothing.status_code == 404 and "nothing to undo" in nothing.text
    done = [(deed["what"], deed["by"], bool(deed["until"])) for deed in item["history"]]
    assert done == [
        ("ack", "ana", False),
        ("snooze", "api", True),
        ("unack", "api", False),
        ("ack", "bo", False),
        ("undo", "bo", False),
    ]


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/alerts/99/ack", None, 404, None),
        ("/alerts/x/ack", None, 422, "id"),
        ("/alerts/1/snooze", {"minutes": 0}, 422, "minutes"),
        ("/alerts/1/snooze", {"minutes": "60 minutes"}, 422, "minutes"),
        ("/alerts/1/ack", {"by": ""}, 422, "by"),
        ("/alerts/1/ack", {"canary-field": 1}, 422, "body"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_field(
    readable_store: Store, clock: SettableClock, alert_id: int, path: str, body: object, status: int, field: str | None
) -> None:
    async with filled(readable_store, clock, 1) as live:
        answer = await live.client.post(path, json=body)
    assert answer.status_code == status
    assert list(answer.json()["error"].get("fields") or {}) == ([field] if field else [])
    assert "canary" not in answer.text


async def test_a_body_that_is_no_json_is_400(readable_store: Store, clock: SettableClock, alert_id: int) -> None:
    async with filled(readable_store, clock, 1) as live:
        answer = await live.client.post(
            "/alerts/1/snooze", content=b"{nope", headers={"Content-Type": "application/json"}
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_json")


@pytest.mark.replaces("push/reset")
async def test_a_reset_writes_a_backup_and_clears_the_usage(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock, 3) as live:
        answer = await live.client.delete("/reset")
        summary = await get(live, "/spending/summary")
    assert answer.status_code == 200
    assert answer.json()["deleted"] == 3
    assert rows_in_backup(Path(answer.json()["backup"])) == 3
    assert summary["requests"] == 0
    assert rows(readable_store, RequestTable) == []


async def test_a_change_whose_turn_does_not_come_in_time_is_never_done(
    readable_store: Store, clock: SettableClock, alert_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendtop.api.routes.WRITES_WITHIN", 0.05)
    goes_on = Event()
    async with filled(readable_store, clock, 3) as live:
        before = live.context.recorder.run(lambda connection: goes_on.wait(DEADLINE))
        answer = await live.client.delete("/reset")
        goes_on.set()
        assert await asyncio.wrap_future(before)
        await asyncio.wrap_future(live.context.recorder.run(lambda connection: None))
        summary = await get(live, "/spending/summary")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    assert summary["requests"] == 3


async def test_a_change_that_is_begun_is_answered_when_it_is_done(
    readable_store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on = Event(), Event()

    def ends_once_it_is_begun(calls: object, seconds: float) -> None:
        assert begun.wait(DEADLINE)

    def slow(store: Store, folder: Path, now: int) -> Path:
        begun.set()
        assert goes_on.wait(DEADLINE)
        return backup(store, folder, now)

    monkeypatch.setattr("spendtop.api.routes.wait", ends_once_it_is_begun)
    monkeypatch.setattr("spendtop.services.stores.reset.backup", slow)
    async with filled(readable_store, clock, 3) as live, asyncio.TaskGroup() as tasks:
        reset = tasks.create_task(live.client.delete("/reset"))
        await soon(begun.is_set)
        assert (await live.client.get("/ping")).status_code == 200
        assert not reset.done()
        goes_on.set()
        assert (await reset).json()["deleted"] == 3


async def test_a_silence_is_made_listed_and_ended(readable_store: Store, clock: SettableClock, alert_id: int) -> None:
    async with filled(readable_store, clock, 1) as live:
        made = await live.client.post("/silences", json={"filter": "limit:daily", "minutes": 60, "by": "ana"})
        (alert,) = (await get(live, "/alerts"))["data"]
        listed = (await get(live, "/silences"))["data"]
        wrong = await live.client.post("/silences", json={"filter": "usr:ci", "minutes": 60})
        ended = await live.client.delete("/silences/1")
        gone = await live.client.delete("/silences/1")
    assert (made.status_code, made.json()["until"]) == (200, "2026-11-20T15:03:07.250000Z")
    assert (alert["id"], alert["silence_id"], alert["silenced_until"]) == (alert_id, 1, made.json()["until"])
    assert listed == [made.json()]
    assert wrong.status_code == 422 and "did you mean 'user'" in wrong.text
    assert (ended.status_code, ended.json(), gone.status_code) == (200, {"data": []}, 404)
