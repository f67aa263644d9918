"""Records and readers belong together, and a source that is added is found everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from spendtop.collector.active_config import ActiveConfig
from spendtop.config.load import load
from spendtop.config.settings import settings_class
from spendtop.config.shape import fields_by_key, type_at
from spendtop.domain.reports.merging import StoredRequest, merge
from spendtop.domain.requests.request import Cost, Request, TimeSource
from spendtop.domain.sources.records import (
    IMPORTED,
    INGEST,
    LITELLM,
    SOURCES,
    AgentSource,
    AskedSource,
    KeyRule,
    PushedSource,
    Source,
    pushed_sources,
)
from spendtop.sources.registry import READERS
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.reads.sources import sources as reads
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.api.listening import settings_of
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.made_up_source import ACME, BODY, with_acme

KEY = "an-ingest-key-that-is-long-enough"
KEYED = {"X-Ingest-Key": KEY}


def names(kind: type[object]) -> set[str]:
    return {name for name, source in SOURCES.items() if isinstance(source, kind)}


def test_every_record_has_one_reader_and_every_reader_a_record() -> None:
    assert set(READERS.signed) == {source.name for source in pushed_sources(KeyRule.SIGNED)}
    assert set(READERS.batches) == {source.name for source in pushed_sources(KeyRule.INGEST_KEY)}
    assert set(READERS.asked) == names(AskedSource)
    assert set(READERS.agents) == names(AgentSource)
    pushed: list[Any] = [*READERS.signed.items(), *READERS.batches.items()]
    by_name = {source.name: source for source in pushed_sources()}
    assert all(receiver.source is by_name[name] for name, receiver in pushed)


@pytest.mark.parametrize("source", [each for each in SOURCES.values() if each not in IMPORTED], ids=str)
def test_what_switches_a_source_on_is_a_key_of_the_configuration(source: Source) -> None:
    texts = [source.setting, *([source.unsigned_setting] if isinstance(source, PushedSource) else [])]
    for text in filter(None, texts):
        named = re.fullmatch(r"(\w+) under \[(\w+)\]", text)
        assert named is not None
        assert named[1] in fields_by_key(type_at(settings_class(SECTIONS), (named[2],)))


async def test_a_new_source_is_posted_to_recorded_and_described(
    store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = with_acme(monkeypatch)
    settings = settings_of({"ingest_keys": {"apps": KEY}})
    async with recording(store, clock, settings, readers=readers) as (live, _):
        assert (await live.client.post("/acme", content=BODY)).status_code == 401
        answer = await live.client.post("/acme", content=BODY, headers=KEYED)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
        described = (await live.client.get("/openapi.json")).json()["paths"]["/acme"]["post"]
    assert described["summary"] == "Takes calls of Acme's gateway."
    assert described["security"] == [{"IngestKey": []}, {"HTTPBearer": []}]
    with store.reading() as connection:
        found = reads.sources(connection, 0, clock())
        rows = connection.execute(table_of(RequestTable).select()).all()
    assert [(row.source, row.user_id) for row in rows] == [("acme", "ann"), ("acme", "bob")]
    assert {row.source.name: row.today for row in found.sources}["acme"] == 2


def test_a_new_source_is_trusted_as_its_record_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with_acme(monkeypatch)

    def report(source: Source) -> Request:
        return Request(
            source=source,
            external_id=source.name,
            received_at=1,
            occurred_at=1,
            time_source=TimeSource.RECEIVED,
            user_id=f"user of {source}",
        )

    record = StoredRequest(id=1, request=report(ACME), external_ids={"acme": "acme"})
    for other, prevailing in ((INGEST, ACME), (LITELLM, LITELLM)):
        merged = merge(record, report(other), lambda request: Cost())
        assert (merged.request.source, merged.request.user_id) == (prevailing, f"user of {prevailing}")


def test_a_new_source_has_its_place_in_the_banner(
    tmp_path: Path, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_acme(monkeypatch)
    file = tmp_path / "spendtop.toml"
    file.touch(0o600)
    file.write_text(f'[server]\ningest_keys = {{ apps = "{KEY}" }}\n[time]\nzone = "UTC"\n')
    facts = ActiveConfig(load(file, sections=SECTIONS, environ={}), clock).facts("http://localhost", "store", None)
    assert dict(facts)["Pushes"] == "/ingest, /litellm, /v1/traces, /acme, /agents  (keys: apps)"
