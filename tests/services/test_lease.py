from __future__ import annotations

from sqlalchemy import text

from spendtop.services.lease import Lease, SoleOwner, lease_holder
from spendtop.store.engine import Store


def renew(store: Store, lease: Lease) -> bool:
    with store.writing() as connection:
        return lease.renew(connection)


def holds(store: Store, lease: Lease) -> bool:
    with store.writing() as connection:
        return lease.holds(connection)


def release(store: Store, lease: Lease) -> None:
    with store.writing() as connection:
        lease.release(connection)


def expire(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE lease SET until = 0"))


def test_one_of_two_holds_the_lease_and_keeps_it_by_renewing(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    assert not holds(postgres_store, one)
    assert [renew(postgres_store, one), renew(postgres_store, two), renew(postgres_store, one)] == [True, False, True]
    assert [holds(postgres_store, one), holds(postgres_store, two)] == [True, False]


def test_an_expired_lease_is_nobodys_until_it_is_taken(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    renew(postgres_store, one)
    expire(postgres_store)
    assert not holds(postgres_store, one)
    assert renew(postgres_store, two)
    assert [holds(postgres_store, one), holds(postgres_store, two)] == [False, True]


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
    stalled = Lease("one")
    stalled._epoch = one._epoch
    expire(postgres_store)
    renew(postgres_store, two)
    expire(postgres_store)
    assert renew(postgres_store, one)
    assert [holds(postgres_store, one), holds(postgres_store, stalled)] == [True, False]


def test_a_released_lease_can_be_taken_at_once_and_only_its_holder_releases_it(postgres_store: Store) -> None:
    one, two = Lease("one"), Lease("two")
    renew(postgres_store, one)
    release(postgres_store, two)
    assert holds(postgres_store, one)
    release(postgres_store, one)
    assert renew(postgres_store, two)


def test_on_sqlite_the_lock_is_the_lease(store: Store) -> None:
    owner = SoleOwner()
    with store.writing() as connection:
        assert owner.renew(connection)
        assert owner.holds(connection)
        owner.release(connection)
        assert owner.holds(connection)
