from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Basis, BodyState, NotUnderstood, Restored, Usage
from spendtop.domain.requests.request import TestEvent as DashboardEvent
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM
from spendtop.services.recording.preparation import Prepared, Preparer, SetAside
from spendtop.store import bodies
from spendtop.store.engine import Store
from spendtop.store.ids import identity
from spendtop.store.tables import BodyTable, RequestTable
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, request, rows

AT = 1_795_000_000_000_000
PRICER = Pricer(
    {"m": Price.of({"input_tokens": Rate(10**15), "output_tokens": Rate(10**15)})},
    None,
    lambda provider, model, terms, at: None,
)


def preparer(keep_bodies: bool = True) -> Preparer:
    return Preparer(PRICER, lambda body: body.replace(b"secret", b"[redacted]"), keep_bodies)


def ready(*, keep_bodies: bool = True, **fields: object) -> Prepared:
    event = preparer(keep_bodies).prepare(replace(request(1, AT, None), **fields))
    assert isinstance(event, Prepared)
    return event


def test_a_request_is_priced_and_identified() -> None:
    event = ready(model="M", usage=Usage(prompt=2, completion=3))
    assert (event.request.cost.amount, event.request.cost.basis) == (Usd(5_000), Basis.COMPUTED)
    assert event.digest == identity(HELICONE, "id-1")


def test_bodies_are_redacted_compressed_and_taken_out_of_the_request() -> None:
    event = ready(request_body=b'"a secret"', response_body=None, body_state=BodyState.STORED)
    assert event.body is not None
    assert bodies.decode(event.body[1]) == (b'"a [redacted]"', None)
    assert (event.request.request_body, event.request.body_state) == (None, BodyState.STORED)


TEXTS = st.lists(
    st.sampled_from(
        (
            *("sk-proj-", "a1B2c3D4e5F6", "AKIA", "ABCDEFGH12345678", "eyJ", ".", "Bearer ", "authorization: basic "),
            *('password" : "', "\\", '"', "-----BEGIN PRIVATE KEY-----", "secret", "\n", "\\n", "{", " ", "="),
        )
    ),
    max_size=6,
).map(lambda parts: "".join(parts).encode())


@given(TEXTS, TEXTS)
def test_two_bodies_are_masked_as_each_is_alone(asked: bytes, answered: bytes) -> None:
    redact = Redactor([b"secret"]).redact
    event = Preparer(PRICER, redact, keep_bodies=True).prepare(
        replace(request(1, AT, None), request_body=asked, response_body=answered)
    )
    assert isinstance(event, Prepared) and event.body is not None
    assert bodies.decode(event.body[1]) == (redact(asked), redact(answered))


def test_bodies_that_are_not_to_be_kept_are_said_to_be_so() -> None:
    event = ready(keep_bodies=False, response_body=b"{}", body_state=BodyState.STORED)
    assert (event.body, event.request.response_body, event.request.body_state) == (None, None, BodyState.NOT_KEPT)
    assert ready(keep_bodies=False).request.body_state is BodyState.NOT_SENT


def test_an_empty_name_is_none() -> None:
    event = ready(user_id="", model="", session_id="", token="", provider="", response_id="")
    cleaned = event.request
    named = (cleaned.user_id, cleaned.model, cleaned.session_id, cleaned.token, cleaned.provider, cleaned.response_id)
    assert set(named) == {None}


def test_text_that_a_database_refuses_is_stored_in_a_form_that_it_takes(store: Store, clock: SettableClock) -> None:
    nasty = "a\0b\ud800" + "c" * 400
    event = preparer().prepare(
        replace(
            request(1, AT),
            external_id=nasty,
            user_id=nasty,
            model=nasty,
            session_path=nasty,
            properties={nasty: nasty},
            request_body=b'{"a": "\\u0000\0"}',
        )
    )
    collector = Collecting(store, clock)
    for _ in range(2):
        with store.writing() as connection:
            collector.recording.record(connection, [event])
    (row,) = rows(store, RequestTable)
    assert row.user_id.startswith("a\u2400b")
    assert len(row.user_id) <= 256
    (body,) = rows(store, BodyTable)
    assert bodies.decode(body.data) == (b'{"a": "\\u0000\0"}', None)


def test_names_that_differ_only_beyond_what_is_stored_are_still_two_requests() -> None:
    first, second = ready(external_id="x" * 300 + "1"), ready(external_id="x" * 300 + "2")
    assert first.digest != second.digest
    assert first.request.external_id == second.request.external_id


def restored(keep_bodies: bool = True, **fields: object) -> Prepared:
    ids = {"helicone-api": "id-1", "helicone": "id-1", "litellm": "call\0-1", "ingest": "mine"}
    request_ = replace(request(1, AT, 4), source=HELICONE_API, token="app", **fields)
    event = preparer(keep_bodies).prepare(Restored(request=request_, external_ids=ids))
    assert isinstance(event, Prepared)
    return event


def test_a_restored_request_is_known_by_the_ids_of_all_its_sources() -> None:
    event = restored()
    assert event.digest == identity(HELICONE, "id-1")
    assert set(event.other_digests) == {
        identity(LITELLM, "call\0-1"),
        identity(INGEST, "mine", "app"),
    }
    assert event.external_ids is not None
    assert event.external_ids["litellm"] == "call\u2400-1"


def test_a_restored_request_keeps_its_cost_and_its_bodies_are_packed_as_any_other() -> None:
    event = restored(model="m", usage=Usage(prompt=2, completion=3), request_body=b'"a secret"')
    assert event.request.cost == request(1, AT, 4).cost
    assert event.body is not None
    assert bodies.decode(event.body[1]) == (b'"a [redacted]"', None)
    assert (event.request.request_body, event.request.body_state) == (None, BodyState.STORED)
    assert restored(keep_bodies=False, request_body=b"{}").request.body_state is BodyState.NOT_KEPT
    assert restored(body_state=BodyState.PURGED).request.body_state is BodyState.PURGED


def test_what_is_not_understood_is_known_by_its_bytes_and_kept_redacted() -> None:
    event = NotUnderstood(source=HELICONE, received_at=AT, reason="why", raw=b"a secret")
    aside = preparer().prepare(event)
    assert isinstance(aside, SetAside)
    assert (aside.kind, aside.reason, aside.size, aside.source) == ("unrecognized", "why", 8, "helicone")
    assert aside.raw is not None
    assert bodies.decode(aside.raw)[0] == b"a [redacted]"
    later, other = preparer().prepare(replace(event, received_at=9)), preparer().prepare(replace(event, raw=b"b"))
    assert isinstance(later, SetAside) and isinstance(other, SetAside)
    assert later.digest == aside.digest != other.digest
    without = preparer(keep_bodies=False).prepare(event)
    assert isinstance(without, SetAside)
    assert without.raw is None


def test_a_test_event_is_known_by_its_id() -> None:
    event = DashboardEvent(source=HELICONE, external_id="t", received_at=AT, raw=b"{}")
    aside = preparer().prepare(event)
    assert isinstance(aside, SetAside)
    assert (aside.kind, aside.digest) == ("test", identity(HELICONE, "t"))
