"""What was refused of sources of which nothing came since."""

from __future__ import annotations

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.sources.records import HELICONE, INGEST, LITELLM
from spendtop.domain.sources.refusals import RefusalReason, RefusedPosts
from spendtop.services.recording.missed_requests import note_refusals
from spendtop.store.reads.sources.refusals import refused_since_heard
from tests.store.conftest import Recorded

NOW = 1_794_000_000_000_000 // HOUR * HOUR


def found(recorded: Recorded) -> list[RefusedPosts]:
    with recorded.store.reading() as connection:
        return list(refused_since_heard(connection, NOW - DAY))


def note(recorded: Recorded, ago: int, counts: dict[tuple[str, str], int]) -> None:
    with recorded.store.writing() as connection:
        note_refusals(connection, counts, NOW - ago, 0)


def test_refusals_are_summed_by_source_reason_and_token(recorded: Recorded) -> None:
    note(recorded, HOUR, {("helicone", "bad_signature"): 2, ("ingest", "disabled_token/Web/App"): 4})
    note(recorded, 0, {("helicone", "bad_signature"): 1})
    assert found(recorded) == [
        RefusedPosts(source=INGEST, reason=RefusalReason.DISABLED_TOKEN, count=4, token="Web/App"),
        RefusedPosts(source=HELICONE, reason=RefusalReason.BAD_SIGNATURE, count=3),
    ]


def test_what_came_later_of_a_source_settles_its_refusals(recorded: Recorded) -> None:
    note(recorded, 3 * HOUR, {("helicone", "bad_signature"): 2, ("litellm", "bad_key"): 2})
    recorded.add([recorded.request(NOW - 2 * HOUR, source=HELICONE)])
    assert [(each.source, each.reason) for each in found(recorded)] == [(LITELLM, RefusalReason.BAD_KEY)]


def test_other_reasons_and_older_ones_and_names_from_elsewhere_are_left_out(recorded: Recorded) -> None:
    note(recorded, 0, {("helicone", "ingest_not_json"): 2, ("nobody", "bad_key"): 1, ("helicone-api", "bad_key"): 1})
    note(recorded, 2 * DAY, {("ingest", "bad_key"): 1})
    assert found(recorded) == []
