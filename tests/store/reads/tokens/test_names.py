from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import FilterContext, Subject, matches, parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.requests.token_names import apart
from spendtop.domain.sources.records import INGEST
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services import tokens
from spendtop.store.engine import Store
from spendtop.store.reads.limits.uses import uses
from spendtop.store.reads.requests.lists import RequestQuery, observed_values, page
from spendtop.store.reads.spending.sums import by_key
from tests.store.conftest import Recorded

AT = 1_795_000_000_000_000
CONTEXT = FilterContext(AT, Calendar())
HOSTILE = "eve\N{RIGHT-TO-LEFT OVERRIDE}"
NAMES = {"t-1": "Production App", "t-2": apart("Production App", "t-2"), "t-3": "web", "web": "staging"}
"""Two of one name, as an import keeps them, and one whose value is another one's name."""
BY_NAME, BY_VALUE = 'token:"Production App"', "token:t-3"
DAILY: dict[str, Any] = {"window": parse_window("day"), "amount": Usd.of(1), "warn": ()}
LIMITS = [
    Limit(name="by name", where=parse_filter(BY_NAME), where_text=BY_NAME, **DAILY),
    Limit(name="by value", where=parse_filter(BY_VALUE), where_text=BY_VALUE, **DAILY),
    Limit(name="each", each=Each.TOKEN, **DAILY),
]


@pytest.fixture
def pushed(recorded: Recorded) -> Recorded:
    """A request under each token, and one under a token that is deleted by now."""
    with recorded.store.writing() as connection:
        for value, name in NAMES.items():
            tokens.create(connection, name, AT, value=value)
    recorded.add([recorded.request(AT, 1_000, source=INGEST, token=value) for value in (*NAMES, "gone", None)], LIMITS)
    return recorded


def listed(store: Store, text: str) -> set[str | None]:
    with store.reading() as connection:
        rows = page(connection, RequestQuery(filter=parse_filter(text)), CONTEXT, None, 50).rows
    return {row.token and row.token.raw for row in rows}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('token:"Production App"', {"t-1", "t-2"}),
        ('token:"production app"', {"t-1", "t-2"}),
        ('token:"Production App (t-2)"', {"t-2"}),
        ("~k Prod*", {"t-1", "t-2"}),
        ("token:t-1", {"t-1"}),
        ("token:web", {"t-3", "web"}),
        ("token:gone", {"gone"}),
        ('-token:"Production App"', {"t-3", "web", "gone", None}),
    ],
)
def test_a_token_is_found_by_its_name_and_by_its_value_in_the_store_and_in_memory(
    pushed: Recorded, text: str, values: set[str | None]
) -> None:
    assert listed(pushed.store, text) == values
    subjects = {value: Subject(token=value, token_name=NAMES.get(value or "")) for value in (*NAMES, "gone", None)}
    tree = parse_filter(text)
    assert {value for value, subject in subjects.items() if matches(tree, subject, CONTEXT)} == values


def test_rows_and_sums_have_the_name_beside_the_value_and_tokens_of_one_name_stay_apart(pushed: Recorded) -> None:
    with pushed.store.reading() as connection:
        rows = page(connection, RequestQuery(), CONTEXT, None, 50).rows
        sums = by_key(connection, "token", None, None, 10).rows
        half_an_hour = by_key(connection, "token", AT - HOUR // 4, AT + HOUR // 4, 10).rows
    assert {row.token.raw: row.token_name and row.token_name.raw for row in rows if row.token} == {
        **NAMES,
        "gone": None,
    }
    assert {row.token.raw: str(row.token_label) for row in rows if row.token} == {**NAMES, "gone": "gone"}
    for each in (sums, half_an_hour):
        assert {row.key.raw: str(row.token_name) for row in each} == {**NAMES, "gone": "gone"}


def test_limits_count_by_name_and_are_shown_by_it(pushed: Recorded) -> None:
    with pushed.store.reading() as connection:
        standing = uses(connection, LIMITS, Calendar(), AT + 2 * HOUR)
    used = {(use.limit.name, use.entity.raw): (use.used.nano, str(use.name)) for use in standing}
    assert used["each", "t-1"] == (1_000, "Production App")
    assert used["each", "t-2"] == (1_000, "Production App (t-2)")
    assert used["by name", ""] == (2_000, "")
    assert used["by value", ""] == (1_000, "")


def test_what_is_proposed_for_a_filter_are_names(pushed: Recorded) -> None:
    with pushed.store.reading() as connection:
        assert [str(name) for name in observed_values(connection, "token", "prod", 5)] == [
            "Production App",
            "Production App (t-2)",
        ]


def test_a_hostile_name_is_shown_clean(recorded: Recorded) -> None:
    with recorded.store.writing() as connection:
        tokens.create(connection, "eve", AT, value="t-9")
        connection.exec_driver_sql(f"UPDATE token SET name = '{HOSTILE}'")
    recorded.add([recorded.request(AT, token="t-9", source=INGEST)])
    with recorded.store.reading() as connection:
        (row,) = page(connection, RequestQuery(), CONTEXT, None, 5).rows
        (spent,) = by_key(connection, "token", None, None, 5).rows
    assert f"{row.token_label}" == f"{spent.token_name}" == "eve<U+202E>"
