"""The month that the demo starts with: a store in the package, made by sample_data/record.py, whose times are counted
from the last full hour."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import zstandard

from spendtop.collector.demo.sample_files import MONTH, sample_file
from spendtop.domain.clock import HOUR
from spendtop.domain.sources.records import source_named
from spendtop.store import bodies
from spendtop.store.ids import SLOTS, identity

_KEY, _NAMED = "identity(each.key, each.value)", "request, json_each(request.external_ids) AS each"
"""The key of a request's id from a source, in SQL, and what it is read from."""
_LARGEST = 256 * 1024 * 1024
_STANDING = ("window_end", "crossed_at", "below_since", "resolved_at", "acked_at")
_TIMES = {
    "request": ("occurred_at", "received_at"),
    "total": ("bucket",),
    "alert": ("window_start", "opened_at", "updated_at", *_STANDING),
    "alert_transition": ("at", *_STANDING),
    "alert_action": ("at", "until"),
    "gap": ("since", "until", "found_at"),
}
"""Columns with UTC µs, by table."""
_NAMED_BY_ID = "limit/one request"
"""The rule whose alerts are about a request, by its id."""
_IDS = {"request": ("id", "probable_twin_of"), "request_key": ("request_id",), "body": ("request_id",)}
"""Columns with ids of requests, which carry a time."""


def full_hour(now: int) -> int:
    """The last full hour before `now` (UTC µs): up to there the month goes."""
    return now // HOUR * HOUR


def unpack(file: Path, now: int) -> None:
    """Write the month as a store that ends at the last full hour before `now` (UTC µs)."""
    packed = sample_file(MONTH).read_bytes()
    file.touch(mode=0o600)
    file.write_bytes(zstandard.ZstdDecompressor().decompress(packed, max_output_size=_LARGEST))
    with _hasty(file) as connection:
        _shift(connection, full_hour(now))
        connection.create_function("packed", 2, lambda request, response: bodies.encode(request, response)[1])
        connection.create_function("dictionary", 0, lambda: bodies.encode(None, None)[0])
        connection.execute(
            "INSERT INTO body (request_id, dictionary, data)"
            " SELECT request_id, dictionary(), packed(request, response) FROM plain_body"
        )
        connection.execute(
            f"INSERT INTO request_key (digest, request_id) SELECT {_KEY}, request.id FROM {_NAMED}"
            " WHERE request.id NOT IN (SELECT request_id FROM request_key) ORDER BY 1"
        )
        for (statement,) in connection.execute("SELECT sql FROM left_out").fetchall():
            connection.execute(statement)
        connection.execute("DROP TABLE plain_body")
        connection.execute("DROP TABLE left_out")


def pack(file: Path, end: int) -> bytes:
    """What `unpack` reads, of a store whose month ends at `end`, a full hour (UTC µs). The file is of no use any more.

    Bodies are kept plain, as all together compress better than each alone; and what follows from the requests, keys and
    indexes, is left out.
    """
    with _hasty(file) as connection:
        connection.execute("CREATE TABLE left_out (sql TEXT)")
        connection.execute(
            "INSERT INTO left_out SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'request'"
        )
        for (statement,) in connection.execute("SELECT sql FROM left_out").fetchall():
            connection.execute(f"DROP INDEX {statement.split()[2]}")
        connection.execute("CREATE TABLE plain_body (request_id INTEGER PRIMARY KEY, request BLOB, response BLOB)")
        kept = connection.execute("SELECT request_id, data FROM body ORDER BY request_id").fetchall()
        connection.executemany("INSERT INTO plain_body VALUES (?, ?, ?)", ((key, *bodies.decode(b)) for key, b in kept))
        connection.execute("DELETE FROM body")
        connection.execute(f"DELETE FROM request_key WHERE content IS NULL AND digest IN (SELECT {_KEY} FROM {_NAMED})")
        _shift(connection, -end)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM")
    return zstandard.ZstdCompressor(level=19).compress(file.read_bytes())


def _shift(connection: sqlite3.Connection, by: int) -> None:
    """Move all times by so many µs, so far that no old key meets a new one."""
    connection.execute("UPDATE plain_body SET request_id = request_id + ?", (by * SLOTS,))
    for columns_by_table, amount in ((_TIMES, by), (_IDS, by * SLOTS)):
        for table, columns in columns_by_table.items():
            moved = ", ".join(f"{column} = {column} + {amount}" for column in columns)
            connection.execute(f"UPDATE {table} SET {moved}")
    connection.execute("UPDATE alert SET entity = entity + ? WHERE rule = ?", (by * SLOTS, _NAMED_BY_ID))


@contextmanager
def _hasty(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that no power failure need spare: the file is made anew for each demo."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("identity", 2, lambda source, name: identity(source_named(source), name))
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
