"""A store that spendtop wrote with schema 0003 and what it then said about it; see `schema_0003.json`.

Both were made by that version itself: some days of requests of two collectors with corrections, errors, shadow tokens
and requests without a price, limits with totals of their own, and a ledger.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Boolean, Connection, text
from sqlmodel import SQLModel

from spendtop.domain.clock import DAY
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.filters.parser import parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.accounts import account_now, days
from spendtop.store.reads.limits.uses import uses
from spendtop.store.reads.requests.lists import RequestQuery, page
from spendtop.store.reads.spending.sums import by_key, per_bucket, spend
from tests.accounts import OPENAI

NOW = 1_795_183_387_250_000
"""Friday, 20 November 2026, 14:03:07.25 UTC."""
FILE = Path(__file__).with_name("schema_0003.json")
LIMITS = (
    Limit(name="daily", window=parse_window("day"), amount=Usd(5_000_000_000)),
    Limit(name="each", window=parse_window("lifetime"), amount=Usd(5_000_000_000), each=Each.USER),
    Limit(
        name="small",
        window=parse_window("lifetime"),
        amount=Usd(5_000_000_000),
        each=Each.MODEL,
        where=parse_filter("-user:ann"),
        where_text="-user:ann",
    ),
)


def rows() -> dict[str, list[dict[str, Any]]]:
    """The rows of each table that was not empty."""
    return {
        table: [
            {name: _of_json(table, name, value) for name, value in zip(dump["columns"], row, strict=True)}
            for row in dump["rows"]
        ]
        for table, dump in json.loads(FILE.read_text())["tables"].items()
    }


def figures_then() -> dict[str, Any]:
    """What `figures` gave by the version that wrote it."""
    then: dict[str, Any] = json.loads(FILE.read_text())["figures"]
    return then


def figures(store: Store) -> dict[str, Any]:
    """What faces say about it at `NOW`: sums by day, user and model, the list, limits and the ledger."""
    with store.reading() as connection:
        return json.loads(json.dumps(_figures(connection)))  # type: ignore[no-any-return]


def _figures(connection: Connection) -> dict[str, Any]:
    first, today = NOW // DAY - 6, NOW // DAY
    context = FilterContext(NOW, Calendar())
    listed: list[Any] = []
    cursor = None
    while True:
        some = page(connection, RequestQuery(), context, cursor, 50)
        listed += some.rows
        cursor = some.next_cursor
        if cursor is None:
            break
    spans = [(None, None), (None, NOW), (NOW - 30 * DAY - 12_345_678, NOW - DAY // 3)]
    spans += [(day * DAY, (day + 1) * DAY) for day in range(first, today + 1)]
    return {
        "sums": [_sums(spend(connection, since, until)) for since, until in spans],
        "keys": {
            dimension: [
                [
                    *([str(row.key), *_sums(row.spend)] for row in by_key(connection, dimension, since, until, 9).rows),
                    _sums(by_key(connection, dimension, since, until, 2).others),
                ]
                for since, until in spans
            ]
            for dimension in ("user", "model", "provider", "source", "session", "token")
        },
        "ann": [_sums(spend(connection, since, until, "user", "ann")) for since, until in spans],
        "buckets": [[each.start, *_sums(each.spend)] for each in per_bucket(connection, (first - 30) * DAY, NOW, DAY)],
        "list": [
            [row.id, str(row.model), row.cost.amount and row.cost.amount.nano, row.cost.basis.value, row.status.value]
            for row in listed
        ],
        "limits": [
            [use.limit.name, use.entity.raw, use.used.nano, use.unpriced, use.state.value]
            for use in uses(connection, LIMITS, Calendar(), NOW)
        ],
        "ledger": [
            str(account_now(connection, OPENAI, NOW).balance),
            *(
                [each.day, str(each.billed), each.ours.nano, each.unpriced, each.restated]
                for each in days(connection, OPENAI, first, today)
            ),
        ],
    }


def _sums(spent: Any) -> list[int]:
    """Without `failed`, which was not counted then."""
    return [
        spent.requests,
        spent.cost.nano,
        spent.unpriced,
        spent.errors,
        spent.prompt_tokens,
        spent.completion_tokens,
    ]


def make(store: Store) -> None:
    """Bring an empty store to schema 0003 and put the rows in."""
    make_schema(store, "0003", rows())


def make_schema(store: Store, revision: str, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Bring an empty store to an earlier schema with these rows."""
    config = Config()
    config.set_main_option("script_location", str(files("spendtop.store") / "migrations"))
    with store.writing() as connection:
        if not store.is_sqlite:
            connection.execute(text("DROP SCHEMA IF EXISTS spendtop CASCADE"))
            connection.execute(text("CREATE SCHEMA spendtop"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for table, some in rows.items():
            names = list(some[0])
            places = ", ".join(f":{name}" for name in names)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"), list(some))


def _of_json(table: str, column: str, value: Any) -> Any:
    if isinstance(value, dict):
        return b64decode(value["bytes"])
    is_flag = isinstance(SQLModel.metadata.tables[table].c[column].type, Boolean)
    return bool(value) if is_flag and value is not None else value
