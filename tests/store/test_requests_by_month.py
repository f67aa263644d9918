"""A PostgreSQL store of schema 0014, with what others built on it, whose requests become partitions by month."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text

from spendtop.domain.clock import DAY
from spendtop.domain.errors import CannotWrite, ExitCode
from spendtop.store.engine import Store
from spendtop.store.published_views import publish
from spendtop.store.schema import head, upgrade, version
from tests.store.conftest import Recorded
from tests.store.earlier_store import make_schema

AT = 1_795_183_387_250_000
ROLES = ("keeper", "analyst")
"""Who records and is no superuser, and who reads."""
VIEWS = ("spendtop.requests", "spendtop.llm_usage", "public.requests", "public.llm_usage", 'other."per cent%"')


@pytest.fixture
def admin(empty_postgres: str) -> Iterator[psycopg.Connection]:
    """The database's superuser. What these tests make goes with their roles."""
    with psycopg.connect(empty_postgres, autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute("GRANT CREATE ON DATABASE postgres TO keeper")
        connection.execute("GRANT CREATE ON SCHEMA public TO keeper")
        connection.execute("CREATE SCHEMA other")
        connection.execute("GRANT ALL ON SCHEMA other TO keeper, analyst")
        yield connection
        connection.execute("DROP SCHEMA other CASCADE")
        for role in ROLES:
            connection.execute(f"DROP OWNED BY {role} CASCADE")
            connection.execute(f"DROP ROLE {role}")


@pytest.fixture
def earlier(admin: psycopg.Connection, empty_postgres: str) -> Iterator[Store]:
    """The store of `keeper` with schema 0014, requests of two months, and both views published."""
    store = Store(make_url(empty_postgres).set(username="keeper"))
    make_schema(store, "0014", {})
    recorded = Recorded(store)
    recorded.add(
        recorded.request(AT + days * DAY, 1_500_000_000, user_id="ann", request_body=b"{}") for days in (-40, -1, 0)
    )
    publish(store, "public")
    yield store
    store.close()


def seen(connection: psycopg.Connection, sql: str, role: str = "keeper") -> list[tuple[Any, ...]]:
    """What a role reads."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"SET LOCAL ROLE {role}".encode())
        return connection.execute(sql.encode()).fetchall()


def test_views_and_grants_go_on_and_views_see_every_month(earlier: Store, admin: psycopg.Connection) -> None:
    admin.execute("SET search_path = spendtop")
    admin.execute("SET ROLE keeper")
    admin.execute(
        """CREATE VIEW other."per cent%" WITH (security_barrier) AS
           SELECT *, 'a % of :it' AS said FROM request JOIN body ON request_id = id"""
    )
    admin.execute("CREATE INDEX \"An Index\" ON request (model) WHERE model LIKE 'a%'")
    admin.execute("GRANT USAGE ON SCHEMA spendtop TO analyst")
    admin.execute('GRANT SELECT ON body, requests, public.llm_usage, other."per cent%" TO analyst')
    admin.execute("GRANT SELECT (id, cost_nano) ON request TO analyst WITH GRANT OPTION")
    admin.execute("RESET ROLE")
    figures = {view: seen(admin, f"SELECT * FROM {view} ORDER BY id") for view in VIEWS}
    assert [len(rows) for rows in figures.values()] == [3] * len(VIEWS)

    assert upgrade(earlier) == "0014"
    assert {view: seen(admin, f"SELECT * FROM {view} ORDER BY id") for view in VIEWS} == figures

    recorded = Recorded(earlier)
    recorded.add(
        recorded.request(AT + days * DAY, 5, request_body=b"{}", external_id=f"later {days}") for days in (1, 45, 4_000)
    )
    assert [seen(admin, f"SELECT count(*) FROM {view}") for view in VIEWS] == [[(6,)]] * len(VIEWS)
    for granted in (
        "SELECT id, cost_nano FROM request",
        "SELECT * FROM body",
        *(f"TABLE {VIEWS[n]}" for n in (0, 3, 4)),
    ):
        assert len(seen(admin, granted, "analyst")) == 6
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        seen(admin, "SELECT user_id FROM request", "analyst")
    (grantable,) = admin.execute(
        "SELECT bool_and(is_grantable = 'YES') FROM information_schema.column_privileges"
        " WHERE grantee = 'analyst' AND table_name = 'request' AND table_schema = 'spendtop'"
    ).fetchone() or (None,)
    assert grantable is True
    (options,) = admin.execute("SELECT reloptions FROM pg_class WHERE relname = 'per cent%'").fetchone() or (None,)
    assert options == ["security_barrier=true"]


IN_THE_WAY = {
    "materialized view other.daily of keeper": "CREATE MATERIALIZED VIEW other.daily AS SELECT model FROM request",
    "policy own on table request": "CREATE POLICY own ON request USING (user_id = current_user)",
    "table body of keeper": "CREATE RULE silent AS ON DELETE TO body DO INSTEAD NOTHING",
}
IN_THE_WAY_OF_OTHERS = {
    'view other."of us" of analyst': 'CREATE VIEW other."of us" AS SELECT id FROM request',
    "constraint note_id_fkey on table other.note": "CREATE TABLE other.note (id bigint REFERENCES body)",
}
"""What is named, by what made it."""


@pytest.mark.parametrize("revision", ["0003", "0014"])
def test_what_cannot_go_along_is_named_and_nothing_changes(
    earlier: Store, admin: psycopg.Connection, revision: str
) -> None:
    if revision != "0014":
        admin.execute("DROP VIEW public.requests, public.llm_usage")
        make_schema(earlier, revision, {})
    admin.execute("SET search_path = spendtop")
    admin.execute("GRANT USAGE ON SCHEMA spendtop TO analyst")
    admin.execute("GRANT SELECT, REFERENCES ON request, body TO analyst")
    for role, made in (("keeper", IN_THE_WAY), ("analyst", IN_THE_WAY_OF_OTHERS)):
        admin.execute(f"SET ROLE {role}".encode())
        for statement in made.values():
            admin.execute(statement.encode())
        admin.execute("RESET ROLE")
    with pytest.raises(CannotWrite) as refused:
        upgrade(earlier)
    assert refused.value.exit_code == ExitCode.CANNOT_WRITE
    assert f": {', '.join(sorted([*IN_THE_WAY, *IN_THE_WAY_OF_OTHERS]))}. Drop what" in str(refused.value)
    with earlier.reading() as connection:
        assert version(connection) == revision
        assert connection.execute(text("SELECT relkind FROM pg_class WHERE oid = 'request'::regclass")).scalar() == "r"

    admin.execute('DROP MATERIALIZED VIEW other.daily; DROP VIEW other."of us"; DROP TABLE other.note')
    admin.execute("DROP POLICY own ON request; DROP RULE silent ON body")
    assert upgrade(earlier) == revision
    with earlier.reading() as connection:
        assert version(connection) == head()
