from __future__ import annotations

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.store.reads.entities import last_seen, limits_of, names_of_keys
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

MODELS = {"gpt-4o": {"gpt-4o", "openai/gpt-4o-2024-08-06"}, "o3": {"o3"}}


def a_limit(each: Each, name: str = "", window: str = "day") -> Limit:
    return Limit(name=name or f"each {each.value}", window=parse_window(window), amount=Usd(100), each=each)


def test_what_was_seen_lately_is_told_to_the_moment_and_the_rest_to_the_hour(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(START + 7, user_id="alice", model="gpt-4o"),
            recorded.request(START + 5 * MINUTE, user_id="alice", model="openai/gpt-4o-2024-08-06"),
            recorded.request(START - HOUR + 9, user_id="bob", model="o3"),
            recorded.request(START - DAY + 9, user_id="dora"),
            recorded.request(START + 6 * MINUTE, user_id="bob", counted=False),
        ]
    )
    with recorded.store.reading() as connection:
        users = last_seen(connection, "user", names_of_keys("user", ["alice", "bob", "dora", "nobody"], {}))
        models = last_seen(connection, "model_family", names_of_keys("model_family", ["gpt-4o", "o3"], MODELS))
    assert users == {"alice": START + 5 * MINUTE, "bob": START - HOUR + 9, "dora": START - DAY}
    assert models == {"gpt-4o": START + 5 * MINUTE, "o3": START - HOUR + 9}


def test_the_limits_that_hold_come_fullest_first_and_a_familys_models_have_their_own(recorded: Recorded) -> None:
    now = START + 9 * MINUTE
    limits = [
        a_limit(Each.USER),
        a_limit(Each.USER, "tight", "1h"),
        a_limit(Each.MODEL),
        a_limit(Each.TOKEN),
        Limit(name="all", window=parse_window("day"), amount=Usd(9)),
        a_limit(Each.USER, "single", "request"),
    ]
    recorded.add([recorded.request(START + 7, 50, user_id="alice", model="gpt-4o")], limits)
    recorded.add([recorded.request(START - 2 * HOUR, 20, user_id="alice", model="o3")], limits)
    with recorded.store.reading() as connection:
        users = limits_of(connection, limits, "user", names_of_keys("user", ["alice", ""], {}), Calendar(), now)
        names = names_of_keys("model_family", ["gpt-4o", "o3"], MODELS)
        models = limits_of(connection, limits, "model_family", names, Calendar(), now)
    assert {key: [(use.limit.name, use.used.nano) for use in uses] for key, uses in users.items()} == {
        "alice": [("each user", 70), ("tight", 50)]
    }
    assert [use.used.nano for use in models["gpt-4o"]] == [50, 0]
    assert [use.used.nano for use in models["o3"]] == [20]
