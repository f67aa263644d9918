from __future__ import annotations

import pytest
from sqlalchemy import text

from spendtop.domain.requests.request import Usage
from spendtop.services import tokens
from tests.store.conftest import Recorded

AT = 1_795_183_387_250_000


@pytest.mark.replaces("flow/views")
def test_both_views_hold_counted_requests_only(recorded: Recorded) -> None:
    ids = recorded.add([recorded.request(AT), recorded.request(AT, None), recorded.request(AT, 5, counted=False)])
    with recorded.store.reading() as connection:
        for view in ("requests", "llm_usage"):
            rows = connection.execute(text(f"SELECT id, cost FROM {view} ORDER BY id"))
            assert [(row.id, row.cost is None) for row in rows] == [(ids[0], False), (ids[1], True)]


def test_the_views_have_the_names_of_the_api_as_well(recorded: Recorded) -> None:
    with recorded.store.writing() as connection:
        tokens.create(connection, "Production App", AT, value="t-1")
    recorded.add([recorded.request(AT, 2_500_000_000, token="t-1", usage=Usage(prompt=10, completion=5))])
    with recorded.store.reading() as connection:
        row = connection.execute(text("SELECT * FROM requests")).one()
        old = connection.execute(text("SELECT * FROM llm_usage")).one()
    for each in (row, old):
        assert (float(each.cost), each.tokens, each.timestamp) == (
            float(each.cost_usd),
            each.total_tokens,
            each.occurred_at,
        )
        assert (each.cost_nanousd, each.total_tokens) == (2_500_000_000, 15)
    assert (row.token, row.token_name) == ("t-1", "Production App")
