from __future__ import annotations

from collections import defaultdict

from spendtop.domain.requests.request import Status
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ERROR, by_keys, oldest_hour
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

HOUR = 3_600_000_000


def test_pairs_add_up_to_the_requests_in_the_span(recorded: Recorded) -> None:
    users, models = ("alice", "bob", None), ("gpt-4o", None)
    requests = [
        recorded.request(START + number, None if number % 5 == 0 else number, user_id=users[number % 3], model=model)
        for number in range(30)
        for model in models
    ]
    recorded.add([*requests, recorded.request(START, 10**9, user_id="alice", counted=False)])
    expected: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for request in requests:
        if 3 <= request.occurred_at - START < 20:
            sums = expected[request.user_id or "", request.model or ""]
            sums[0] += 1
            sums[1] += request.cost.amount.nano if request.cost.amount else 0
            sums[2] += request.cost.amount is None
    with recorded.store.reading() as connection:
        found = by_keys(connection, ("user", "model"), Span(START + 3, START + 20))
        assert by_keys(connection, ("user", "model"), Span(START - 9, START)) == {}
    assert {key: [spend.requests, spend.cost.nano, spend.unpriced] for key, spend in found.items()} == expected
    assert all(isinstance(spend, Spend) for spend in found.values())


def test_models_of_a_family_are_one_key_of_a_pair(recorded: Recorded) -> None:
    models = ("gpt-4o", "gpt-4o-2024-08-06", None)
    recorded.add(recorded.request(START, 5, user_id="alice", model=model) for model in models)
    with recorded.store.reading() as connection:
        found = by_keys(connection, ("user", "model_family"), Span(START, START + 1))
        exact = by_keys(connection, ("model", "model_family"), Span(START, START + 1))
    assert {pair: spend.requests for pair, spend in found.items()} == {("alice", "gpt-4o"): 2, ("alice", ""): 1}
    assert set(exact) == {("gpt-4o", "gpt-4o"), ("gpt-4o-2024-08-06", "gpt-4o"), ("", "")}


def test_errors_are_told_by_their_status_with_what_they_cost(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(START, 7, user_id="alice"),
            recorded.request(START, 5, user_id="alice", status=Status.ERROR, http_status=429),
            recorded.request(START + 1, 4, user_id="bob", status=Status.ERROR, http_status=429),
            recorded.request(START, None, user_id="bob", status=Status.ERROR),
            recorded.request(START, 3, status=Status.CANCELLED, http_status=200),
        ]
    )
    with recorded.store.reading() as connection:
        by_kind = by_keys(connection, (ERROR,), Span(START, START + 2))
        by_user = by_keys(connection, (ERROR, "user"), Span(START, START + 2))
    assert {keys: (spend.requests, spend.cost.nano) for keys, spend in by_kind.items()} == {
        ("429",): (2, 9),
        ("error",): (1, 0),
        ("cancelled",): (1, 3),
    }
    assert set(by_user) == {("429", "alice"), ("429", "bob"), ("error", "bob"), ("cancelled", "")}


def test_the_oldest_hour_is_where_counting_begins(recorded: Recorded) -> None:
    with recorded.store.reading() as connection:
        assert oldest_hour(connection) is None
    recorded.add([recorded.request(START + 5), recorded.request(START + 3 * HOUR)])
    with recorded.store.reading() as connection:
        assert oldest_hour(connection) == START
