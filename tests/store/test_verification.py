"""What does not fit together in a store is found, and what does is left in peace."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from spendtop.domain.clock import DAY, HOUR
from spendtop.services.retention import RetentionPeriods, forget_some
from spendtop.store.engine import Store
from spendtop.store.verification import Verified, verify
from tests.store.conftest import Recorded
from tests.store.full_store import AT, fill


def verified(store: Store) -> Verified:
    return verify(store, lambda share: None)


def changed(store: Store, sql: str) -> Verified:
    """What is found after somebody changed the store by hand."""
    with store.writing() as connection:
        done = connection.execute(text(sql))
        assert done.rowcount
    return verified(store)


def test_an_empty_store_is_whole(store: Store) -> None:
    assert verified(store) == Verified(0, 0, 0, (), ())


def test_what_recording_wrote_is_whole_and_all_of_it_is_looked_at(store: Store) -> None:
    fill(store)
    shares: list[float] = []
    found = verify(store, shares.append)
    assert found == Verified(40, 26, 9, (), ())
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sql", "flaw"),
    [
        ("UPDATE request SET cost_nano = cost_nano + 1 WHERE cost_nano = 1000003", "total of all for the hour"),
        ("UPDATE request SET user_id = 'eve' WHERE user_id = 'user 1'", "total of user eve"),
        ("DELETE FROM total WHERE dimension = 'model'", "total of model gpt-4o"),
        ("UPDATE total SET requests = requests + 1 WHERE dimension = 'minute'", "for the minute"),
        ("UPDATE total SET prompt_tokens = 5 WHERE dimension = 'session'", "total of session"),
        ("UPDATE day_total SET cost_nano = 5 WHERE dimension = 'provider'", "for the day"),
        ("UPDATE request SET counted = (1 = 0) WHERE user_id = 'user 2'", "total of"),
        ("UPDATE body SET data = '\\x00'", "Prompt and response of the request"),
        ("DELETE FROM request WHERE model = 'gpt-4o'", "prompts and responses without their request"),
        ("UPDATE revision SET request_id = 5", "2 corrections without their request"),
        ("UPDATE delivery_attempt SET delivery_id = 500", "2 attempts without their message"),
    ],
)
def test_what_does_not_fit_is_said(store: Store, sql: str, flaw: str) -> None:
    fill(store)
    found = changed(store, sql)
    assert not found.damage
    assert any(flaw in each for each in found.flaws), found.flaws


def test_names_from_outside_are_clean_in_what_is_said(store: Store) -> None:
    recorded = Recorded(store)
    recorded.add([recorded.request(AT, user_id="\x1b[31mred\nline")])
    found = changed(store, "DELETE FROM total WHERE dimension = 'user'")
    assert found.flaws
    assert not any("\x1b" in each or "\n" in each for each in found.flaws)


def test_a_missing_table_or_column_is_damage(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("DROP TABLE gap"))
    assert verified(store).damage == ("The table gap is missing.",)
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE gap (id INTEGER)"))
    assert "The column source of the table gap is missing." in verified(store).damage


def test_requests_that_are_forgotten_are_not_missed(store: Store) -> None:
    recorded = Recorded(store)
    recorded.add(recorded.request(AT + days * DAY) for days in range(0, 200, 9))
    with store.writing() as connection:
        while forget_some(connection, RetentionPeriods(DAY, 60 * DAY), AT + 200 * DAY):
            pass
        assert connection.execute(text("SELECT count(*) FROM request")).scalar_one() < 15
    found = verified(store)
    assert (found.damage, found.flaws) == ((), ())
    assert found.days > 5
    assert any("total of all" in each for each in changed(store, "DELETE FROM request").flaws)


def test_what_happened_after_a_forgotten_arrival_is_not_missed(store: Store) -> None:
    """A clock that is a few minutes ahead, at the end of a month that is forgotten."""
    month = 20_058 * DAY
    recorded = Recorded(store)
    recorded.add([recorded.request(month + HOUR // 2, received_at=month - 1), recorded.request(month + 2 * HOUR)])
    with store.writing() as connection:
        while forget_some(connection, RetentionPeriods(DAY, DAY), month + 2 * DAY):
            pass
        assert connection.execute(text("SELECT count(*) FROM request")).scalar_one() == 1
    assert verified(store).flaws == ()
