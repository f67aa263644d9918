from __future__ import annotations

from random import Random

import pytest
from sqlalchemy import update

from spendtop.domain.clock import DAY
from spendtop.domain.errors import StoreCorrupt
from spendtop.services.stores.reset import reset
from spendtop.store import bodies, dictionaries
from spendtop.store.dictionaries import Pair
from spendtop.store.engine import Store
from spendtop.store.reads.requests.detail import detail
from spendtop.store.statements import table_of
from spendtop.store.tables import DictionaryTable
from tests.store.conftest import Recorded

AT = 1_790_000_000_000_000
WORDS = [f"{Random(number).getrandbits(60):x}" for number in range(2_000)]
SYSTEM = " ".join(WORDS[:100])


def pair(number: int) -> Pair:
    """A prompt that begins as all of them do."""
    random = Random(number)
    said = " ".join(random.choices(WORDS, k=12))
    return f'{{"system": "{SYSTEM}", "user": "{said}"}}'.encode(), f'{{"answer": "{number} {said[:40]}"}}'.encode()


PAIRS = [pair(number) for number in range(1_100)]
TRAINED = dictionaries.train(PAIRS, None)


def kept(store: Store) -> list[int]:
    with store.reading() as connection:
        dictionaries.learn_all(connection)
        rows = connection.execute(table_of(DictionaryTable).select()).all()
    return sorted(row.id for row in rows)


def add(store: Store, now: int, content: bytes = TRAINED.content) -> int:
    with store.writing() as connection:
        return dictionaries.add(connection, content, now).id


def test_a_trained_dictionary_packs_what_is_alike_into_less_than_half_and_gives_it_back() -> None:
    assert TRAINED.share < 0.5
    dictionary = bodies.learn(TRAINED.content)
    new = pair(5_000)
    used, data = bodies.encode(*new, dictionary)
    assert used == dictionary and bodies.decode(data) == new
    assert len(data) < len(bodies.encode(*new)[1]) / 2


def test_of_too_little_none_is_made() -> None:
    with pytest.raises(ValueError, match="of 1 bodies"):
        dictionaries.train([(b"{}", None)] * 2, None)


def test_a_body_brings_its_dictionary_along_whatever_became_of_it(store: Store, recorded: Recorded) -> None:
    dictionary = bodies.learn(TRAINED.content)
    (request_id,) = recorded.add([recorded.request(AT, request_body=b"{}")], dictionary=dictionary)
    assert kept(store) == [dictionary]
    with store.reading() as connection:
        found = detail(connection, request_id)
    assert found is not None and found.request_body == b"{}"


def test_samples_are_the_newest_bodies_where_there_are_enough(store: Store, recorded: Recorded) -> None:
    recorded.add(recorded.request(AT, request_body=asked, response_body=answered) for asked, answered in PAIRS[:999])
    with store.reading() as connection:
        assert dictionaries.samples(connection, AT) == []
    recorded.add([recorded.request(AT + 1, request_body=b"the last", response_body=None)])
    with store.reading() as connection:
        samples = dictionaries.samples(connection, AT)
    assert samples[0] == (b"the last", None) and sorted(samples[1:]) == sorted(PAIRS[:999])


def test_a_dictionary_goes_with_the_last_body_that_may_need_it(store: Store, recorded: Recorded) -> None:
    first = add(store, AT)
    second = add(store, AT + 3 * DAY, dictionaries.train(PAIRS[::-1], None).content)
    recorded.add([recorded.request(AT + 4 * DAY, request_body=b"{}")])
    with store.writing() as connection:
        dictionaries.forget_unused(connection)
    assert kept(store) == sorted([first, second]), "the first was followed only a day before"
    recorded.clear_requests()
    recorded.add([recorded.request(AT + 6 * DAY, request_body=b"{}")])
    with store.writing() as connection:
        dictionaries.forget_unused(connection)
    assert kept(store) == [second]
    recorded.clear_requests()
    with store.writing() as connection:
        dictionaries.forget_unused(connection)
    assert kept(store) == []


def test_a_clock_that_went_back_makes_no_dictionary_older_than_what_is_stored(store: Store, recorded: Recorded) -> None:
    recorded.add([recorded.request(AT, request_body=b"{}")])
    add(store, AT - 100 * DAY)
    with store.reading() as connection:
        newest = dictionaries.newest(connection, AT)
        assert dictionaries.newest(connection, AT + 7 * DAY) is None, "it packs for a week"
    assert newest is not None and newest.made_at >= AT


def test_a_damaged_dictionary_is_not_used_and_its_bodies_say_so(store: Store, recorded: Recorded) -> None:
    content = dictionaries.train(PAIRS[:1_050], None).content
    dictionary = add(store, AT, content)
    data = bodies.encode(*PAIRS[0], dictionary)[1]
    with store.writing() as connection:
        connection.execute(update(table_of(DictionaryTable)).values(data=b"nonsense" * 9))
    forgotten = bodies._trained.pop(dictionary)
    bodies._decompressor.cache_clear()
    try:
        with store.reading() as connection:
            assert dictionaries.newest(connection, AT) is None
        with pytest.raises(StoreCorrupt, match="missing"):
            bodies.decode(data)
    finally:
        bodies._trained[dictionary] = forgotten


def test_a_reset_takes_the_dictionaries_along(sqlite_store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    add(sqlite_store, AT)
    with sqlite_store.writing() as connection:
        reset(sqlite_store, connection, tmp_path_factory.mktemp("backups"), AT)
    assert kept(sqlite_store) == []
