"""Which users were ever seen."""

from __future__ import annotations

from spendtop.store.reads.spending.sums import is_known_user
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


def test_a_user_is_known_who_was_counted_or_is_stored(recorded: Recorded) -> None:
    recorded.add([recorded.request(START, user_id="alice"), recorded.request(START, user_id="bob", counted=False)])
    with recorded.store.reading() as connection:
        assert [is_known_user(connection, name) for name in ("alice", "bob", "Alice", "eve")] == [
            True,
            True,
            False,
            False,
        ]
