"""A slot that cannot be held is said, and one that was moved is recorded by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from spendtop.collector.conditions import Conditions
from spendtop.collector.process.slot_watch import SlotWatch
from spendtop.collector.process.store_lock import FileHold, SlotHold, hold_alone, hold_store, places
from spendtop.domain.condition import ConditionStatus
from spendtop.store.engine import Store
from spendtop.store.ids import SLOTS
from tests.conftest import SettableClock
from tests.services.conftest import PRICER, request
from tests.waiting import eventually

_SESSIONS = "FROM pg_stat_activity WHERE application_name LIKE 'spendtop-%'"


class Moved:
    """A recorder as far as its slot goes."""

    def __init__(self) -> None:
        self.slots: list[int] = []

    def move_to(self, slot: int) -> None:
        self.slots.append(slot)


def end_sessions(url: str) -> None:
    """End what collectors hold; a session that is ended keeps its locks until it is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {_SESSIONS}")
        eventually(lambda: connection.execute(f"SELECT count(*) {_SESSIONS}").fetchone() == (0,))


@pytest.fixture
def conditions(clock: SettableClock) -> Conditions:
    return Conditions(clock)


@pytest.fixture
def watch(conditions: Conditions) -> Callable[[FileHold | SlotHold, Moved], SlotWatch]:
    return lambda hold, moved: SlotWatch(hold, moved, conditions)  # type: ignore[arg-type]


def test_nothing_is_amiss_with_a_file(
    conditions: Conditions, watch: Callable[[FileHold | SlotHold, Moved], SlotWatch]
) -> None:
    watch(FileHold(), Moved()).look()
    assert conditions.present == ()


def test_while_no_slot_is_free_or_the_server_is_away_it_is_said_and_then_taken_again(
    postgres_store: Store,
    postgres_url: str,
    tmp_path: Path,
    conditions: Conditions,
    watch: Callable[[FileHold | SlotHold, Moved], SlotWatch],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, moved, second = places(postgres_store, tmp_path), Moved(), Store(postgres_url)
    with hold_store(postgres_store, here) as held:
        watching = watch(held.hold, moved)
        end_sessions(postgres_url)
        with hold_store(second, here):
            watching.look()
            assert (conditions.present, moved.slots) == ((), [1])
        end_sessions(postgres_url)
        with hold_alone(second, here):
            watching.look()
        (condition,) = conditions.present
        assert condition.status is ConditionStatus.DEGRADED
        assert "Stop one of them" in condition.sentence
        watching.look()
        assert (conditions.present, moved.slots) == ((), [1, 1])
        end_sessions(postgres_url)
        monkeypatch.setattr(
            "spendtop.collector.process.store_lock._session",
            lambda store: Store("postgresql://me@127.0.0.1:1/none").write_engine.connect(),
        )
        watching.look()
        (condition,) = conditions.present
        assert "cannot be reached" in condition.sentence
        monkeypatch.undo()
        watching.look()
        assert conditions.present == ()
    second.close()
    postgres_store.close()


def test_what_is_recorded_after_a_move_has_the_new_slot(postgres_store: Store, clock: SettableClock) -> None:
    from spendtop.domain.windows import Calendar
    from spendtop.services.limits.limit_book import LimitBook
    from spendtop.services.recording.recorder import Recorder
    from tests.services.conftest import prepared

    recorder = Recorder(postgres_store, PRICER, LimitBook((), Calendar(), {}), 3)  # type: ignore[arg-type]
    with postgres_store.writing() as connection:
        (before,) = recorder.record_prepared(connection, [prepared(request(1, clock()))])
        recorder.move_to(7)
        (after,) = recorder.record_prepared(connection, [prepared(request(2, clock()))])
    assert (before.id % SLOTS, after.id % SLOTS) == (3, 7)
    assert after.id > before.id
