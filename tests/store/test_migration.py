"""A store of schema 0003, as that version wrote it, is brought to the present one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select, text
from sqlmodel import SQLModel

from spendtop.cli.options import opened_store
from spendtop.config.load import load
from spendtop.domain.alerting.episode import Message
from spendtop.domain.errors import UsageError
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.scoped_totals import rebuild_changed
from spendtop.sources.settings import SECTIONS
from spendtop.store import day_totals
from spendtop.store.engine import Store
from spendtop.store.past import PastStore
from spendtop.store.reads.alerts.announcements import announcements_of
from spendtop.store.reads.alerts.attention import alerts
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, applied_at, as_text, keep
from spendtop.store.schema import head, pending, upgrade, upgrading, version
from tests.services.conftest import Sums, day_sums, hour_sums_by_day, sums, totals
from tests.store import earlier_store
from tests.store.earlier_store import LIMITS, figures, figures_then

ROOT = Path(__file__).parents[2]
MIGRATION = "spendtop.store.migrations.versions.0004_quantities_and_levels"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """What an earlier store can be made of, on either database."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path / 'earlier.db'}")
    else:
        store = request.getfixturevalue("postgres_store")
    yield store
    store.close()


@pytest.fixture
def earlier(empty: Store) -> Store:
    """A store with the schema 0003 and what its version recorded."""
    earlier_store.make(empty)
    return empty


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows at once that a small store takes many steps."""
    monkeypatch.setattr(import_module(MIGRATION), "_AT_ONCE", 7)


def assert_whole(store: Store) -> None:
    """What the store held it holds, it says what it said, and its totals are the sums of its requests."""
    with store.reading() as connection:
        assert version(connection) == head()
        assert pending(connection) is None
        for table, before in earlier_store.rows().items():
            columns = [SQLModel.metadata.tables[table].c[name] for name in before[0]]
            after = [repr(dict(row)) for row in connection.execute(select(*columns)).mappings()]
            assert {*map(repr, before)} <= {*after}
            assert len(before) == len(after) or table == "meta"
    assert figures(store) == figures_then()
    recorded = {named: values for named, values in totals(store).items() if not named[0].startswith("limit/")}
    assert recorded == sums(store)
    assert day_sums(store) == hour_sums_by_day(store) != {}


def test_every_figure_is_kept_and_totals_have_days_and_failed_requests(earlier: Store) -> None:
    assert upgrade(earlier) == "0003"
    assert_whole(earlier)
    with earlier.reading() as connection:
        failed = connection.execute(text("SELECT sum(failed) FROM total WHERE dimension = 'all'")).scalar()
        assert failed
        assert day_totals.until(connection) > earlier_store.NOW
    assert upgrade(earlier) is None


def test_views_that_somebody_made_of_the_totals_stay(earlier: Store) -> None:
    """Also one of a table that is gone, which no migration asked for."""
    with earlier.writing() as connection:
        connection.execute(text("CREATE VIEW mine AS SELECT sum(cost_nano) AS nano FROM total WHERE dimension = 'all'"))
        before = connection.execute(text("SELECT nano FROM mine")).scalar()
        connection.execute(text("CREATE TABLE theirs (name TEXT)"))
        if earlier.is_sqlite:
            connection.execute(text("CREATE VIEW broken AS SELECT name FROM theirs"))
        connection.execute(text("DROP TABLE theirs"))
    assert upgrade(earlier) == "0003"
    with earlier.reading() as connection:
        assert connection.execute(text("SELECT nano FROM mine")).scalar() == before


@pytest.mark.usefixtures("small_steps")
def test_it_goes_in_steps_that_say_how_far_they_are(earlier: Store) -> None:
    shares = list(upgrading(earlier))
    assert len(shares) > 20
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert_whole(earlier)


@pytest.mark.usefixtures("small_steps")
def test_it_may_be_left_after_any_step(earlier: Store) -> None:
    share = 0.0
    while share < 1:
        share = next(upgrading(earlier))
    assert_whole(earlier)


@pytest.mark.usefixtures("small_steps")
def test_several_may_work_at_it_together(earlier: Store) -> None:
    second = Store(earlier.url.render_as_string(hide_password=False))
    ours, theirs = upgrading(earlier), upgrading(second)
    while next(ours, None) is not None:
        next(theirs, None)
    second.close()
    assert_whole(earlier)


@pytest.mark.usefixtures("small_steps")
def test_commands_do_not_read_a_store_that_is_half_upgraded(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'earlier.db'}")
    earlier_store.make(store)
    file = tmp_path / "spendtop.toml"
    file.touch(mode=0o600)
    file.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/earlier.db"\n')
    settings = load(file, sections=SECTIONS, environ={}).settings
    with pytest.raises(UsageError, match="is of an older spendtop"), opened_store(settings):
        pass
    for share in upgrading(store):
        if 0.2 < share < 1:
            with (
                pytest.raises(UsageError, match=f"being upgraded: {int(share * 100)} % is done"),
                opened_store(settings),
            ):
                pass
    with opened_store(settings) as opened:
        assert_whole(opened)
    store.close()


_KILLED_AT = """
import os, signal, sys
from importlib import import_module
from sqlalchemy import event
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade

import_module(sys.argv[3])._AT_ONCE = 7
store, left = Store(sys.argv[1]), [int(sys.argv[2])]

@event.listens_for(store.write_engine, "before_cursor_execute")
def count(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

upgrade(store)
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("statements", [[3, 30], [45, 20, 60], [75, 40, 1], [110, 90]])
def test_a_killed_migration_goes_on(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, statements: list[int]
) -> None:
    if database == "sqlite":
        store = Store(f"sqlite:///{tmp_path / 'earlier.db'}")
    else:
        store = request.getfixturevalue("postgres_store")
    earlier_store.make(store)
    url = store.url.render_as_string(hide_password=False)
    for statement in statements:
        script = [sys.executable, "-c", _KILLED_AT, url, str(statement), MIGRATION]
        assert subprocess.run(script, check=False, cwd=ROOT).returncode == -signal.SIGKILL
    upgrade(store)
    assert_whole(store)
    store.close()


def test_totals_of_limits_of_their_own_are_completed_by_who_knows_the_limits(earlier: Store) -> None:
    upgrade(earlier)
    small = next(limit for limit in LIMITS if limit.where is not None)
    book = LimitBook(LIMITS, Calendar(), {})
    with earlier.writing() as connection:
        assert rebuild_changed(connection, book) == []
    completed = own(earlier)
    assert sum(values[-1] for values in completed.values()) > 0
    assert day_sums(earlier) == hour_sums_by_day(earlier)
    with earlier.writing() as connection:
        assert rebuild_changed(connection, LimitBook([], Calendar(), {})) == []
    assert own(earlier) == {}
    with earlier.writing() as connection:
        assert rebuild_changed(connection, book) == [small.name]
    assert own(earlier) == completed


def own(store: Store) -> Sums:
    return {named: values for named, values in totals(store).items() if named[0].startswith("limit/")}


@pytest.fixture
def with_digests(empty: Store) -> Store:
    """A store with the schema 0004 and three messages, two of which are lists of many alerts."""
    earlier_store.make_schema(
        empty,
        "0004",
        {
            "delivery": [
                _delivery(1, "exceeded", "critical", alert_id=7),
                _delivery(2, "digest", "critical", lines=['of "kind":"digest" 5 of 4 dollars', "b"]),
                _delivery(3, "digest", "warning", lines=["c"]),
            ]
        },
    )
    return empty


def _delivery(number: int, kind: str, severity: str, alert_id: int | None = None, **said: Any) -> dict[str, Any]:
    payload = {"kind": kind, "limit_name": "daily", **said}
    return {
        "id": number,
        "ref": f"ref {number}",
        "alert_id": alert_id,
        "kind": kind,
        "channel": "ops",
        "severity": severity,
        "payload": msgspec.json.encode(payload).decode(),
        "state": "pending",
        "attempts": 0,
        "next_at": 1000 + number,
        "created_at": number,
    }


def test_messages_that_were_lists_of_alerts_say_what_the_worst_of_them_says(with_digests: Store) -> None:
    assert upgrade(with_digests) == "0004"
    with with_digests.reading() as connection:
        found = connection.execute(text("SELECT kind, payload, gathers_until, rule FROM delivery ORDER BY id")).all()
        told = connection.execute(text("SELECT delivery_id, alert_id, joined_at FROM delivery_alert")).all()
    messages = [msgspec.json.decode(row.payload, type=Message) for row in found]
    assert [row.kind for row in found] == [message.kind for message in messages]
    assert [message.kind for message in messages] == ["exceeded", "exceeded", "approaching"]
    assert [message.lines for message in messages] == [(), ('of "kind":"digest" 5 of 4 dollars', "b"), ("c",)]
    assert {(row.gathers_until, row.rule) for row in found} == {(None, None)}
    assert [tuple(row) for row in told] == [(1, 7, 1)]


def test_alerts_are_known_as_they_began_and_as_they_stand(empty: Store) -> None:
    known = {"rule": "limit/daily", "entity": "", "severity": "critical", "announced": 1.0, "spoke": 2, "late": False}
    known |= {"used_nano": 7, "limit_nano": 5, "unpriced": 0, "falls": 0, "crossed_at": 3, "opened_at": 4}
    new = {"state": "exceeded", "version": 1, "resolved_at": None, "updated_at": 4, "acked_at": None}
    over = {"state": "resolved", "version": 3, "resolved_at": 9, "updated_at": 9, "acked_at": 8}
    earlier_store.make_schema(
        empty,
        "0015",
        {"alert": [{**known, **new, "id": 1, "window_start": 1}, {**known, **over, "id": 2, "window_start": 2}]},
    )
    assert upgrade(empty) == "0015"
    for at, stood in ((4, [("exceeded", None), ("exceeded", None)]), (9, [("exceeded", None), ("resolved", 8)])):
        past = PastStore(empty.url, at)
        with past.reading() as connection:
            listed = alerts(connection, False, 9)
            assert [(each.state, each.acked_at) for each in reversed(listed)] == stood
            assert {*announcements_of(connection, listed)} == {1}
        past.close()


def test_the_limits_in_force_are_the_first_that_are_known(empty: Store) -> None:
    info = CollectorInfo(version="0", host="here", pid=1, url="http://here", started_at=1)
    present = Applied(limits=LIMITS, calendar=Calendar(), channels=(), collector=info, at=7, config_digest="d")
    earlier_store.make_schema(empty, "0016", {"meta": [{"name": "applied", "value": as_text(present)}]})
    assert upgrade(empty) == "0016"
    with empty.writing() as connection:
        keep(connection, replace(present, at=8))
        keep(connection, replace(present, at=9, limits=()))
        assert [applied_at(connection, at) for at in (1, 8)] == [present, present]
        assert applied_at(connection, 9) == replace(present, at=9, limits=())
