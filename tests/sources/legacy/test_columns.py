from __future__ import annotations

import pytest

from spendtop.sources.legacy.columns import NotTaken, Table, recognised


@pytest.mark.parametrize(
    ("columns", "mapped"),
    [
        (
            ["id", "timestamp", "model", "user_id", "cost", "tokens"],
            {"key": "id", "occurred_at": "timestamp", "cost": "cost", "total_tokens": "tokens", "user_id": "user_id"},
        ),
        (
            ["request_id", "createdAt", "model", "user", "costUsd", "promptTokens", "completionTokens", "jobId"],
            {"request_id": "request_id", "occurred_at": "createdAt", "cost": "costUsd", "session_id": "jobId"},
        ),
        (["ID", "TS", "COST_USD", "INPUT_TOKENS"], {"key": "ID", "occurred_at": "TS", "prompt_tokens": "INPUT_TOKENS"}),
    ],
)
def test_columns_are_known_by_their_names(columns: list[str], mapped: dict[str, str]) -> None:
    found = recognised("Requests", columns, ())
    assert isinstance(found, Table)
    assert mapped.items() <= found.columns.items()
    assert found.unused == ()


def test_what_has_no_place_is_named() -> None:
    found = recognised("llm_usage", ["id", "timestamp", "cost", "weather", "created_at"], ["id"])
    assert isinstance(found, Table)
    assert found.unused == ("weather", "created_at")


@pytest.mark.parametrize(
    ("name", "columns", "reason"),
    [
        ("sessions", ["id"], "only requests"),
        ("requests", ["id", "model"], "time"),
        ("requests", ["id", "timestamp"], "model, cost or tokens"),
        ("llm_usage", ["timestamp", "cost"], "tells its rows apart"),
        ("ingest_tokens", ["id", "name"], "token"),
    ],
)
def test_a_table_that_cannot_be_taken_is_left_with_the_reason(name: str, columns: list[str], reason: str) -> None:
    found = recognised(name, columns, ())
    assert isinstance(found, NotTaken)
    assert reason in found.reason
