from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import Connection, text

from spendtop.services.stores.lease import Lease, LostLease, OwnedWrites, SoleOwner, lease_holder
from spendtop.store.engine import Store


class Writes:
    """Write transactions of a store, each at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, work: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            with self._store.writing() as connection:
                done.set_result(work(connection))
        except Exception as failure:
            done.set_exception(failure)
        return done


def renew(store: Store, lease: Lease) -> bool:
    with store.writing() as connection:
        lease.epoch = lease.renew(connection)
    return lease.epoch > 0


def holds(store: Store, lease: Lease) -> bool:
    with store.writing() as connection:
        return lease.holds(connection, lease.epoch)


def release(store: Store, lease: Lease) -> None:
    with store.writing() as connection:
        lease.release(connection)


def release_of(lease: Lease) -> Callable[[Store], None]:
    return lambda store: release(store, lease)


def expire(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE lease SET until = 0"))


def note(connection: Connection) -> None:
    connection.execute(text("INSERT INTO meta (name, value) VALUES ('noted', 'yes')"))


def noted(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM meta WHERE name = 'noted'")).scalar_one())


def test_one_of_two_holds_the_lease_and_keeps_it_by_renewing(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    assert not holds(postgres_store, one)
    assert [renew(postgres_store, one), renew(postgres_store, two), renew(postgres_store, one)] == [True, False, True]
    assert [holds(postgres_store, one), holds(postgres_store, two)] == [True, False]
    assert one.epoch == 1


def test_an_expired_lease_is_nobodys_until_it_is_taken(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    renew(postgres_store, one)
    expire(postgres_store)
    assert not holds(postgres_store, one)
    assert renew(postgres_store, two)
    assert [holds(postgres_store, one), holds(postgres_store, two)] == [False, True]


def test_no_epoch_has_two_owners_nor_comes_again(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    epochs = []
    for lease, let_go in (
        (one, expire),
        (two, release_of(two)),
        (one, expire),
        (two, expire),
        (two, expire),
        (one, expire),
    ):
        assert renew(postgres_store, lease)
        epochs.append(lease.epoch)
        let_go(postgres_store)
    assert epochs == [1, 2, 3, 4, 4, 5]


def holder(store: Store) -> str | None:
    with store.reading() as connection:
        return lease_holder(connection)


def test_who_holds_the_lease_is_known_to_all_until_it_ends(postgres_store: Store) -> None:
    one = Lease("host:1:0")
    assert holder(postgres_store) is None
    renew(postgres_store, one)
    assert holder(postgres_store) == "host:1:0"
    expire(postgres_store)
    assert holder(postgres_store) is None


def test_one_that_lost_and_won_the_lease_again_has_a_new_epoch(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    renew(postgres_store, one)
    earlier = one.epoch
    expire(postgres_store)
    renew(postgres_store, two)
    expire(postgres_store)
    assert renew(postgres_store, one)
    assert holds(postgres_store, one)
    with postgres_store.writing() as connection:
        assert not one.holds(connection, earlier)


def test_a_released_lease_can_be_taken_at_once_and_only_its_holder_releases_it(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    renew(postgres_store, one)
    release(postgres_store, two)
    assert holds(postgres_store, one)
    release(postgres_store, one)
    assert renew(postgres_store, two)


def test_it_ends_by_the_clock_of_the_database(postgres_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Lease("one"), Lease("two")
    assert renew(postgres_store, one)
    monkeypatch.setattr(time, "time", lambda: 1e12)
    monkeypatch.setattr(time, "time_ns", lambda: 10**21)
    assert not renew(postgres_store, two)
    assert holds(postgres_store, one)


def test_on_sqlite_the_lock_is_the_lease(store: Store) -> None:
    owner = SoleOwner()
    with store.writing() as connection:
        assert owner.renew(connection) == 1
        assert owner.holds(connection, 1)
        owner.release(connection)
        assert owner.holds(connection, 1)


class TestOwnedWrites:
    """What only the owner may store."""

    def test_the_owner_stores(self, postgres_store: Store) -> None:
        lease = Lease("one")
        renew(postgres_store, lease)
        OwnedWrites(Writes(postgres_store), lease).run(note).result()
        assert noted(postgres_store) == 1

    def test_who_never_owned_or_was_replaced_stores_nothing(self, postgres_store: Store) -> None:
        one, two = Lease("one"), Lease("two")
        writes = OwnedWrites(Writes(postgres_store), one)
        with pytest.raises(LostLease):
            writes.run(note).result()
        renew(postgres_store, one)
        expire(postgres_store)
        renew(postgres_store, two)
        with pytest.raises(LostLease):
            writes.run(note).result()
        assert noted(postgres_store) == 0

    def test_what_was_asked_for_in_an_earlier_epoch_is_not_stored_in_a_later_one(self, postgres_store: Store) -> None:
        one, two = Lease("one"), Lease("two")
        waiting: list[Any] = []

        class Later(Writes):
            def run(self, work: Any) -> Future[Any]:
                waiting.append(work)
                return Future()

        renew(postgres_store, one)
        OwnedWrites(Later(postgres_store), one).run(note)
        for lease in (two, one):
            expire(postgres_store)
            assert renew(postgres_store, lease)
        with pytest.raises(LostLease):
            Writes(postgres_store).run(waiting[0]).result()
        assert noted(postgres_store) == 0

    def test_who_holds_the_lock_of_a_file_stores_all(self, store: Store) -> None:
        OwnedWrites(Writes(store), SoleOwner()).run(note).result()
        assert noted(store) == 1
