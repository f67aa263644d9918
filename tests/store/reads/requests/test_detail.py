from __future__ import annotations

import pytest

from spendtop.domain.errors import StoreCorrupt
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState
from spendtop.domain.sources.records import HELICONE_API, INGEST, OTLP
from spendtop.domain.windows import Calendar
from spendtop.services.tokens import create
from spendtop.store.reads.requests.detail import detail, find
from spendtop.store.reads.requests.identities import known_as
from spendtop.store.reads.requests.lists import RequestQuery, page
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


def test_holds_row_bodies_and_revisions(recorded: Recorded) -> None:
    first = recorded.request(
        START, None, request_body=b'{"a": 1}', response_body=b'{"b": 2}', body_state=BodyState.STORED, model="gpt-4o"
    )
    (request_id,) = recorded.add([first])
    again = recorded.request(START, 9, external_id=first.external_id, received_at=START + 5)
    assert recorded.add([again]) == [request_id]
    with recorded.store.reading() as connection:
        found = detail(connection, request_id)
    assert found is not None
    assert (found.request_body, found.response_body) == (b'{"a": 1}', b'{"b": 2}')
    assert found.row.cost.amount == Usd(9)
    assert found.row.external_ids == {"helicone": first.external_id}
    (revision,) = found.revisions
    assert (revision.at, revision.source) == (START + 5, "helicone")
    assert revision.changes
    assert all(isinstance(change, tuple) and len(change) == 2 for change in revision.changes.values())


def test_without_bodies_says_none(recorded: Recorded) -> None:
    (request_id,) = recorded.add([recorded.request(START)])
    with recorded.store.reading() as connection:
        found = detail(connection, request_id)
        assert found is not None
        assert (found.request_body, found.response_body, found.revisions) == (None, None, ())
        assert detail(connection, request_id + 1) is None


def test_damaged_bodies_are_an_error_of_their_own(recorded: Recorded) -> None:
    (request_id,) = recorded.add([recorded.request(START, request_body=b"{}")])
    with recorded.store.writing() as connection:
        connection.execute(table_of(BodyTable).update().values(data=b"broken"))
    with recorded.store.reading() as connection, pytest.raises(StoreCorrupt):
        detail(connection, request_id)


def test_a_request_is_found_by_our_id_and_by_every_sources_id(recorded: Recorded) -> None:
    ids = recorded.add(
        [
            recorded.request(START, source=INGEST, external_id="same"),
            recorded.request(START, source=HELICONE_API, external_id="same"),
            recorded.request(START, source=OTLP, external_id="span-1"),
        ]
    )
    with recorded.store.reading() as connection:
        for reference, request_id in (("same", ids[1]), ("span-1", ids[2]), (str(ids[0]), ids[0])):
            found = find(connection, reference)
            assert found is not None and found.row.id == request_id
        for reference in ("nobody's", "", "9" * 19, "9" * 30, "²"):
            assert find(connection, reference) is None


def test_a_clients_id_is_found_whatever_token_it_came_under(recorded: Recorded) -> None:
    ids = recorded.add(
        [
            recorded.request(START, source=INGEST, external_id="r-1", token="first"),
            recorded.request(START, source=INGEST, external_id="r-1", token="second"),
            recorded.request(START, source=INGEST, external_id="r-2", token="shadow", counted=False),
        ]
    )
    with recorded.store.writing() as connection:
        create(connection, "application", START, value="second")
    with recorded.store.reading() as connection:
        assert known_as(connection, "r-1") == [ids[1], ids[0]]
        assert known_as(connection, "r-2") == [ids[2]]
        context = FilterContext(START, Calendar())
        found = page(connection, RequestQuery(parse_filter("id:=r-1")), context, None, 5)
        assert {row.id for row in found.rows} == set(ids[:2])
