from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from spendtop.collector.process.store_lock import Places, hold_alone, hold_store, importing, places
from spendtop.domain.errors import AlreadyRunning
from spendtop.services.stores.lease import Lease, SoleOwner
from spendtop.services.stores.presence import CollectorState, RunningCollector, announce, process_start
from spendtop.store.engine import Store
from spendtop.store.ids import COMMAND_SLOT
from tests.waiting import eventually


@pytest.fixture
def here(sqlite_store: Store, tmp_path: Path) -> Places:
    return places(sqlite_store, tmp_path / "data")


def test_the_files_of_a_sqlite_store_lie_beside_it(sqlite_store: Store, here: Places) -> None:
    assert here == Places(
        lock=Path(f"{sqlite_store.path}.lock"),
        holder=Path(f"{sqlite_store.path}.collector.json"),
        status=Path(f"{sqlite_store.path}.status.json"),
        viewers=Path(f"{sqlite_store.path}.viewers"),
    )


def test_the_files_of_a_postgresql_lie_in_the_data_folder_and_do_not_depend_on_the_password(tmp_path: Path) -> None:
    urls = [f"postgresql+psycopg://ann:{password}@db/spend" for password in ("canary", "other")]
    found = [places(Store(url), tmp_path) for url in urls]
    assert found[0] == found[1]
    assert {path.parent for path in (found[0].lock, found[0].holder, found[0].status)} == {tmp_path}
    assert "canary" not in str(found)


def test_one_collector_holds_a_sqlite_store(sqlite_store: Store, here: Places) -> None:
    with hold_store(sqlite_store, here) as held:
        assert held.hold.slot == 0
        assert isinstance(held.ownership, SoleOwner)
        me = RunningCollector(
            pid=os.getpid(),
            state=CollectorState.READY,
            url="http://127.0.0.1:8123",
            started_by="service",
            since=0,
            process_started=process_start(os.getpid()),
        )
        announce(here.holder, me)
        with pytest.raises(AlreadyRunning) as refusal, hold_store(sqlite_store, here):
            pass
    said = str(refusal.value)
    assert all(word in said for word in (str(os.getpid()), "http://127.0.0.1:8123", "`spendtop attach`")), said
    with hold_store(sqlite_store, here):
        assert here.lock.stat().st_mode & 0o777 == 0o600


def test_collectors_on_one_postgresql_get_slots_of_their_own_and_one_lease(
    postgres_store: Store, postgres_url: str, tmp_path: Path
) -> None:
    second = Store(postgres_url)
    here = places(postgres_store, tmp_path)
    with hold_store(postgres_store, here) as ours, hold_store(second, here) as theirs:
        assert (ours.hold.slot, theirs.hold.slot) == (0, 1)
        assert isinstance(ours.ownership, Lease)
        assert isinstance(theirs.ownership, Lease)
        with postgres_store.writing() as connection:
            ours.ownership.epoch = ours.ownership.renew(connection)
        with second.writing() as connection:
            assert not theirs.ownership.renew(connection)
            assert not theirs.ownership.holds(connection, 1)
        with postgres_store.writing() as connection:
            ours.ownership.release(connection)
        with second.writing() as connection:
            assert theirs.ownership.renew(connection) == 2

    def next_slot() -> int:
        with hold_store(second, here) as again:
            return again.hold.slot

    eventually(lambda: next_slot() == 0)
    second.close()


def test_the_sixty_fourth_collector_is_refused(postgres_store: Store, postgres_url: str, tmp_path: Path) -> None:
    here = places(postgres_store, tmp_path)
    with ExitStack() as stack:
        slots = []
        for _ in range(63):
            store = Store(postgres_url)
            stack.callback(store.close)
            slots.append(stack.enter_context(hold_store(store, here)).hold.slot)
        assert slots == list(range(63))
        with pytest.raises(AlreadyRunning, match="63 collectors"), hold_store(postgres_store, here):
            pass


def test_one_import_at_a_time_goes_on_beside_a_collector(store: Store, tmp_path: Path) -> None:
    here = places(store, tmp_path)
    with hold_store(store, here) as held, importing(store, here) as slot:
        assert slot == COMMAND_SLOT != held.hold.slot
        with pytest.raises(AlreadyRunning, match="Another import"), importing(store, here):
            pass
    with importing(store, here):
        pass


def test_collectors_leave_the_slot_of_commands_free(postgres_store: Store, tmp_path: Path) -> None:
    here = places(postgres_store, tmp_path)
    with ExitStack() as stack:
        slots = [stack.enter_context(hold_store(postgres_store, here)).hold.slot for _ in range(COMMAND_SLOT)]
        with pytest.raises(AlreadyRunning, match=str(COMMAND_SLOT)), hold_store(postgres_store, here):
            pass
    assert slots == list(range(COMMAND_SLOT))


def sessions_end(url: str) -> None:
    """Have the server end all sessions of stores, as a restart does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'spendtop-%'"
        )


class TestSlots:
    """What the server or the network may end."""

    def test_a_slot_is_taken_again_when_its_session_was_ended(
        self, postgres_store: Store, postgres_url: str, tmp_path: Path
    ) -> None:
        here = places(postgres_store, tmp_path)
        with hold_store(postgres_store, here) as ours:
            sessions_end(postgres_url)
            ours.hold.renew()
            with closing(Store(postgres_url)) as second, hold_store(second, here) as theirs:
                assert (ours.hold.slot, theirs.hold.slot) == (0, 1)
            ours.hold.renew()
            assert ours.hold.slot == 0

    def test_another_one_is_taken_where_somebody_was_faster(
        self, postgres_store: Store, postgres_url: str, tmp_path: Path
    ) -> None:
        here = places(postgres_store, tmp_path)
        with hold_store(postgres_store, here) as ours, closing(Store(postgres_url)) as second:
            sessions_end(postgres_url)
            with hold_store(second, here) as theirs:
                ours.hold.renew()
                assert (ours.hold.slot, theirs.hold.slot) == (1, 0)

    def test_while_none_is_free_it_is_said_and_tried_again(
        self, postgres_store: Store, postgres_url: str, tmp_path: Path
    ) -> None:
        here = places(postgres_store, tmp_path)
        with hold_store(postgres_store, here) as ours, closing(Store(postgres_url)) as second:
            sessions_end(postgres_url)
            with hold_alone(second, here):
                for _ in range(2):
                    with pytest.raises(AlreadyRunning):
                        ours.hold.renew()
            ours.hold.renew()
            with pytest.raises(AlreadyRunning), hold_alone(second, here):
                pass

    def test_a_store_is_held_alone_or_not_at_all(self, store: Store, tmp_path: Path) -> None:
        here = places(store, tmp_path)
        for holding in (hold_store, importing):
            with holding(store, here), pytest.raises(AlreadyRunning), hold_alone(store, here):
                pass
            with hold_alone(store, here), pytest.raises(AlreadyRunning), holding(store, here):
                pass
