"""A store that was there and is gone, or is another one, on both databases."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from spendtop.domain.errors import StoreCorrupt
from spendtop.services.stores.known_stores import KnownStores
from spendtop.store.engine import SCHEMA, Store
from spendtop.store.schema import upgrade
from spendtop.store.store_id import ensured_id, store_id


@pytest.fixture
def known(tmp_path: Path) -> KnownStores:
    return KnownStores(tmp_path / "state" / "spendtop" / "known-stores.json")


def begun_anew(store: Store) -> None:
    """Another store under the same name."""
    if store.path is not None:
        store.close()
        store.path.unlink()
    else:
        with store.writing() as connection:
            connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
    upgrade(store)


def test_a_store_that_was_never_seen_is_a_first_start(store: Store, known: KnownStores) -> None:
    known.refuse_a_loss(store)


def test_the_same_store_is_no_loss(store: Store, known: KnownStores) -> None:
    for _ in range(2):
        known.remember(store)
        known.refuse_a_loss(store)


def test_another_store_in_its_place_is_refused_until_it_is_taken(store: Store, known: KnownStores) -> None:
    known.remember(store)
    begun_anew(store)
    with pytest.raises(StoreCorrupt, match="is not the one that was there before") as refusal:
        known.refuse_a_loss(store)
    assert store.name in str(refusal.value)
    assert "spendtop db restore FILE" in str(refusal.value)
    assert "spendtop --new-store" in str(refusal.value)
    known.remember(store)
    known.refuse_a_loss(store)


def test_a_store_that_was_forgotten_may_be_any(store: Store, known: KnownStores) -> None:
    known.remember(store)
    known.forget(store)
    begun_anew(store)
    known.refuse_a_loss(store)


def test_a_database_without_our_tables_is_another_one(postgres_store: Store, known: KnownStores) -> None:
    known.remember(postgres_store)
    with postgres_store.writing() as connection:
        connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
    with pytest.raises(StoreCorrupt):
        known.refuse_a_loss(postgres_store)


@pytest.fixture
def on_file(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/data/spendtop.db")
    (tmp_path / "data").mkdir()
    upgrade(store)
    yield store
    store.close()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_that_is_gone_is_refused_and_nothing_is_made(on_file: Store, known: KnownStores, what: str) -> None:
    known.remember(on_file)
    on_file.close()
    assert on_file.path is not None
    for each in on_file.path.parent.iterdir():
        each.unlink()
    if what == "folder":
        on_file.path.parent.rmdir()
    with pytest.raises(StoreCorrupt, match="is gone"):
        known.refuse_a_loss(on_file)
    assert not on_file.path.exists()
    assert on_file.path.parent.exists() == (what == "file")


def test_a_file_that_is_empty_is_refused(on_file: Store, known: KnownStores) -> None:
    known.remember(on_file)
    on_file.close()
    assert on_file.path is not None
    on_file.path.write_bytes(b"")
    with pytest.raises(StoreCorrupt, match="once held data"):
        known.refuse_a_loss(on_file)
    assert on_file.path.stat().st_size == 0


def test_many_stores_are_known_for_this_user_only(tmp_path: Path, known: KnownStores) -> None:
    stores = [Store(f"sqlite:///{tmp_path}/{number}.db") for number in range(3)]
    for store in stores:
        upgrade(store)
        known.remember(store)
    for store in stores:
        known.refuse_a_loss(store)
        store.close()
    file = tmp_path / "state" / "spendtop" / "known-stores.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "rubbish", "[]", '{"a": 1}'])
def test_a_file_that_says_nothing_sensible_refuses_nothing_and_is_written_anew(
    store: Store, known: KnownStores, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "state" / "spendtop" / "known-stores.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    known.refuse_a_loss(store)
    known.remember(store)
    begun_anew(store)
    with pytest.raises(StoreCorrupt):
        known.refuse_a_loss(store)


def test_where_nothing_can_be_remembered_it_is_said(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").touch()
    known = KnownStores(tmp_path / "state" / "known-stores.json")
    known.remember(store)
    known.refuse_a_loss(store)
    assert "may go unnoticed" in caplog.text


def test_a_store_keeps_its_id(store: Store) -> None:
    with store.writing() as connection:
        assert store_id(connection) is None
        given = ensured_id(connection)
        assert ensured_id(connection) == given
    with store.reading() as connection:
        assert store_id(connection) == given


def test_what_holds_no_store_has_no_id(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/empty.db")
    with store.reading() as connection:
        assert store_id(connection) is None
    store.close()
