from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from spendtop.domain.errors import UsageError
from spendtop.store.engine import Store
from spendtop.store.published_views import NAMES, publish
from tests.store.conftest import Recorded

AT = 1_795_183_387_250_000
OLD_QUERIES = (
    "SELECT timestamp, model, user_id, cost, tokens FROM requests",
    "SELECT id, model, cost, tokens, user_id, timestamp FROM llm_usage",
)


@pytest.fixture
def elsewhere(postgres_store: Store, postgres_url: str) -> Iterator[psycopg.Connection]:
    """A user's own connection, who knows nothing of the store's schema."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection
        for name in NAMES:
            connection.execute(f"DROP VIEW IF EXISTS public.{name}".encode())


def test_old_queries_find_them_and_they_can_be_made_again(postgres_store: Store, elsewhere: psycopg.Connection) -> None:
    recorded = Recorded(postgres_store)
    recorded.add([recorded.request(AT, 2_500_000_000, model="gpt-4o", user_id="alice")])
    for _ in range(2):
        publish(postgres_store, "public")
        for query in OLD_QUERIES:
            (row,) = elsewhere.execute(query.encode()).fetchall()
            assert {"gpt-4o", "alice", 2.5} <= set(row)


def test_a_relation_of_that_name_is_left_and_nothing_is_made(
    postgres_store: Store, elsewhere: psycopg.Connection
) -> None:
    elsewhere.execute("CREATE TABLE public.llm_usage (id int)")
    try:
        with pytest.raises(UsageError, match="public has a llm_usage already"):
            publish(postgres_store, "public")
        assert elsewhere.execute("SELECT to_regclass('public.requests')").fetchone() == (None,)
    finally:
        elsewhere.execute("DROP TABLE public.llm_usage")


@pytest.mark.parametrize("schema", ["nowhere", "spendtop", 'a"b'])
def test_a_schema_that_cannot_be_used_is_refused(postgres_store: Store, schema: str) -> None:
    with pytest.raises(UsageError):
        publish(postgres_store, schema)
