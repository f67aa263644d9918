from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.store.conftest import Recorded

AT = 1_795_183_387_250_000


@pytest.mark.replaces("flow/views")
def test_both_views_hold_counted_requests_only(recorded: Recorded) -> None:
    ids = recorded.add([recorded.request(AT), recorded.request(AT, None), recorded.request(AT, 5, counted=False)])
    with recorded.store.reading() as connection:
        for view in ("requests", "llm_usage"):
            rows = connection.execute(text(f"SELECT id, cost FROM {view} ORDER BY id"))
            assert [(row.id, row.cost is None) for row in rows] == [(ids[0], False), (ids[1], True)]
