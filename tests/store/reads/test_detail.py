from __future__ import annotations

import pytest

from spendtop.domain.errors import StoreCorrupt
from spendtop.domain.money import Usd
from spendtop.domain.request import BodyState, Source
from spendtop.store.reads.detail import detail, find_external
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
    assert found.row.cost == Usd(9)
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


def test_find_external_knows_every_source_and_prefers_the_most_trusted(recorded: Recorded) -> None:
    ids = recorded.add(
        [
            recorded.request(START, source=Source.INGEST, external_id="same"),
            recorded.request(START, source=Source.HELICONE_API, external_id="same"),
            recorded.request(START, source=Source.OTLP, external_id="span-1"),
        ]
    )
    with recorded.store.reading() as connection:
        assert find_external(connection, "same") == ids[1]
        assert find_external(connection, "span-1") == ids[2]
        assert find_external(connection, "nobody's") is None
