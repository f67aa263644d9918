"""What is amiss with what sources sent, in words."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import Connection, text

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Cost
from spendtop.domain.sources.records import LITELLM
from spendtop.domain.sources.remarks import Remark, RemarkKind
from spendtop.services.recording.remarks import note
from spendtop.store.engine import Store
from spendtop.store.reads.sources.remarks import SourceRemark, source_remarks
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

NOW = START + 10 * DAY
NOT_A_CALL = "is no call of a model"


def noted(connection: Connection, source: str, kind: RemarkKind, name: str, reason: str, count: int, at: int) -> None:
    note(connection, {source: [Remark(kind, name, reason, count)]}, at)


def words(store: Store) -> list[str]:
    with store.reading() as connection:
        return [f"{each.source}: {each.words}" for each in source_remarks(connection, NOW)]


def test_what_was_not_read_not_taken_and_refused_is_said_the_newest_first(store: Store) -> None:
    with store.writing() as connection:
        noted(connection, "ingest", RemarkKind.UNREAD, "weird_units", "is not priced", 312, NOW - HOUR)
        noted(connection, "ingest", RemarkKind.UNREAD, "other", "is not priced", 1, NOW - 2 * HOUR)
        for number, name in enumerate(("AGENT span 'a'", "AGENT span 'my-agent'")):
            noted(connection, "otlp", RemarkKind.NOT_TAKEN, name, NOT_A_CALL, 20, NOW - 5 * HOUR + number)
        noted(connection, "otlp", RemarkKind.REFUSED, "span 'chat' of billing", "model is missing", 2, NOW - 3 * HOUR)
        noted(connection, "otlp", RemarkKind.UNREAD, "of long ago", "is not priced", 9, NOW - 8 * DAY)
    assert words(store) == [
        "ingest: 312 requests had `weird_units`, which is not priced",
        "ingest: 1 request had `other`, which is not priced",
        "otlp: 2 refused: span 'chat' of billing: model is missing",
        "otlp: 40 not taken, such as AGENT span 'my-agent': is no call of a model",
    ]
    with store.reading() as connection:
        assert [each.is_loss for each in source_remarks(connection, NOW)] == [True, True, True, False]


def test_names_that_nobody_knows_are_one_sentence_of_each_source(store: Store) -> None:
    with store.writing() as connection:
        for number in range(7):
            noted(connection, "azure/a", RemarkKind.UNKNOWN, f"x.{number}", "is new", 9, NOW - number)
    assert words(store) == [
        "azure/a: 7 fields or columns are not known here and passed over: `x.0`, `x.1`, `x.2`, `x.3`, `x.4` and 2 more"
    ]


def test_doubtful_costs_are_counted_by_source(store: Store, recorded: Recorded) -> None:
    far = Cost(amount=Usd(800_000_000), basis=Basis.REPORTED, doubtful=True)

    def doubtful(at: int, **facts: object) -> None:
        recorded.add([replace(recorded.request(at, **facts), cost=far)])  # type: ignore[arg-type]

    for number in range(3):
        doubtful(NOW - HOUR - number, source=LITELLM)
    doubtful(NOW - 2 * HOUR)
    doubtful(NOW - HOUR, counted=False)
    doubtful(NOW - 8 * DAY)
    recorded.add([recorded.request(NOW - HOUR)])
    with store.reading() as connection:
        assert source_remarks(connection, NOW) == (
            SourceRemark(NOW - HOUR, "litellm", "3 costs (~doubtful) are far from what is computed", True),
            SourceRemark(NOW - 2 * HOUR, "helicone", "1 cost (~doubtful) is far from what is computed", True),
        )


def test_doubtful_costs_are_found_by_their_index(recorded: Recorded) -> None:
    recorded.add([recorded.request(NOW)])
    if recorded.store.is_sqlite:
        with recorded.store.reading() as connection:
            query = "EXPLAIN QUERY PLAN SELECT count(*) FROM request WHERE request.doubtful AND occurred_at >= 5"
            assert "request_doubtful" in str(connection.execute(text(query)).all())


def test_names_are_harmless(store: Store) -> None:
    with store.writing() as connection:
        noted(connection, "ingest", RemarkKind.UNREAD, "a\x1b[2J", "is not priced", 1, NOW)
    assert words(store) == ["ingest: 1 request had `a␛[2J`, which is not priced"]
