"""One definition of a request's fields: whatever holds requests has all of them, and derives them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from spendtop.api.routes.requests import router
from spendtop.domain.clock import HOUR
from spendtop.domain.money import Usd
from spendtop.domain.reports.merging import StoredRequest, differences, statement
from spendtop.domain.requests.fields import FIELDS, REPORTED, RequestField
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import (
    Basis,
    Billing,
    BodyState,
    Cost,
    Reporter,
    Request,
    RequestFields,
    ServiceLevel,
    Status,
    TimeSource,
    Usage,
)
from spendtop.domain.sources.records import LITELLM, OTLP
from spendtop.services.exchange.export import COLUMNS, csv_chunks, jsonl_chunks, record
from spendtop.services.exchange.lines import Wording, request_lines
from spendtop.services.recording.rows import from_row, to_values
from spendtop.sources.files import exported
from spendtop.store.engine import Store
from spendtop.store.reads.requests.detail import RequestDetail
from spendtop.store.reads.rows import from_row as shown_row
from spendtop.store.reads.rows import selected
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

SOURCE = Path(__file__).parents[1] / "src" / "spendtop"
FULL = Request(
    source=LITELLM,
    external_id="call-1",
    occurred_at=1_795_000_000_000_000,
    time_source=TimeSource.API,
    time_suspect=True,
    received_at=1_795_000_000_000_001,
    provider="openai",
    model="gpt-4o",
    status=Status.ERROR,
    http_status=429,
    user_id="alice",
    session_id="s",
    session_path="/a",
    token="app",
    properties={"env": "prod"},
    usage=Usage(
        prompt=10,
        completion=5,
        cache_read=4,
        cache_write=1,
        reasoning=2,
        units={"web_searches": 3, "audio_seconds": 1.5},
    ),
    cost=Cost(
        amount=Usd(5),
        basis=Basis.REPORTED,
        reported=Usd(6),
        reported_by=Reporter.GATEWAY,
        computed=Usd(7),
        price_version="v",
        level_assumed=True,
        unpriced_units={"web_searches": 3},
        doubtful=True,
    ),
    verified=True,
    cached=True,
    latency_ms=900,
    ttft_ms=100,
    response_id="chatcmpl-1",
    counted=False,
    body_state=BodyState.TRUNCATED,
    service_level=ServiceLevel.FLEX,
    inference_geo="us",
    served_model="gpt-4o-2024-08-06",
    provider_usage=pack({"prompt_tokens": 10}),
    billing=Billing.API,
    output_final=False,
)
STORED = StoredRequest(
    id=7,
    request=FULL,
    external_ids={"litellm": "call-1", "otlp": "span-1"},
    reports={
        LITELLM: statement(FULL),
        OTLP: Request(source=OTLP, external_id="span-1", occurred_at=0, time_source=TimeSource.CLIENT, received_at=0),
    },
)
DERIVING = (
    "domain/reports/merging.py",
    "services/recording/preparation.py",
    "services/recording/group.py",
    "services/exchange/export.py",
    "services/exchange/imports.py",
    "services/exchange/lines.py",
    "services/recording/rows.py",
    "store/reads/rows.py",
    "sources/files/exported.py",
    "api/shapes/spending.py",
    "cli/requests/request.py",
)
ORDINARY = (
    "http_status",
    "latency_ms",
    "reasoning_tokens",
    "ttft_ms",
    "computed_cost",
)
"""Fields that nothing treats specially, of several kinds."""


def declared() -> set[str]:
    parts = {"": RequestFields, "usage.": Usage, "cost.": Cost}
    names = {f"{part}{name}" for part, struct in parts.items() for name in struct.__struct_fields__}
    return names - {"usage", "cost"}


def value(request: Request, field: RequestField) -> Any:
    found: Any = request
    for name in field.path.split("."):
        found = getattr(found, name)
    return found


@pytest.fixture
def row(store: Store) -> Any:
    """`STORED` in a database, as faces select it."""
    request = table_of(RequestTable)
    with store.writing() as connection:
        connection.execute(request.insert(), [to_values(STORED)])
        return connection.execute(select(*selected())).one()


def test_the_definition_has_every_field_of_a_report_once() -> None:
    paths = [field.path for field in REPORTED]
    assert (set(paths), len(set(paths))) == (declared(), len(paths))
    assert len({field.name for field in FIELDS}) == len(FIELDS)


@pytest.mark.parametrize("field", REPORTED, ids=lambda field: field.name)
def test_the_example_differs_from_a_report_that_says_nothing(field: RequestField) -> None:
    assert value(FULL, field) not in (field.default, None)


def test_the_table_has_a_column_for_each_and_comes_back_as_it_was(row: Any) -> None:
    columns = {
        field.column
        for field in FIELDS
        if field.name not in ("total_tokens", "partial", "token_name", "api_equivalent", "imported")
    }
    assert set(RequestTable.__table__.columns.keys()) == columns | {"source", "given_by"}  # type: ignore[attr-defined]
    assert from_row(row) == STORED
    seen = shown_row(row)
    assert [value(seen, field) for field in REPORTED] == [value(FULL, field) for field in REPORTED]  # type: ignore[arg-type]


def test_a_revision_tells_of_each_that_it_is_to_tell_of() -> None:
    nothing = Request(source=LITELLM, external_id="call-1", occurred_at=0, time_source=TimeSource.CLIENT, received_at=0)
    changes = differences(nothing, FULL)
    assert set(changes) == {field.revision for field in REPORTED if field.revised}
    assert msgspec.json.decode(msgspec.json.encode(changes))["cost_nano"] == [None, 5]


def test_exports_and_the_api_have_each_in_one_order_and_an_import_gives_it_back(row: Any) -> None:
    seen = shown_row(row)
    names = [name for field in FIELDS for name in field.exported]
    assert list(COLUMNS) == list(record(seen)) == names
    app = FastAPI()
    app.include_router(router())
    schemas = app.openapi()["components"]["schemas"]
    assert list(schemas["Record"]["properties"]) == schemas["Record"]["required"] == names
    assert list(schemas["RequestAnswer"]["properties"])[: len(names)] == names
    for chunks, read in ((csv_chunks, exported.read_csv), (jsonl_chunks, exported.read_jsonl)):
        lines = b"".join(chunks([[seen]])).splitlines(keepends=True)
        (restored,) = read(lines, FULL.received_at + HOUR)
        assert (restored.request, restored.external_ids) == (FULL, STORED.external_ids)  # type: ignore[union-attr]


def test_people_read_each_that_has_a_label(row: Any) -> None:
    detail = RequestDetail(shown_row(row), None, None, ())
    lines = dict(request_lines(detail, Wording(instant=str, tokens=str, milliseconds=str)))
    named = {
        "external_ids": ["id of litellm", "id of otlp"],
        "properties": ["property env"],
        "quantities": ["quantity of web_searches", "quantity of audio_seconds"],
        "unpriced_units": ["unpriced web_searches"],
    }
    labels = [named.get(field.name, [field.label]) for field in FIELDS if field.label is not None]
    assert list(lines) == [label for several in labels for label in several]
    assert [label for label, text in lines.items() if text is None] == ["probable twin of"]


@pytest.mark.parametrize("name", ORDINARY)
def test_what_derives_from_the_definition_names_no_ordinary_field(name: str) -> None:
    assert name in {field.name for field in FIELDS}
    word = re.compile(rf"\b{name}\b")
    assert [module for module in DERIVING if word.search((SOURCE / module).read_text(encoding="utf-8"))] == []


def test_a_field_is_defined_stored_filled_by_sources_and_shown_where_somebody_wants_it() -> None:
    """A new field touches the definition, the table with its migration, who fills it, and who shows it specially."""
    naming = {
        str(module.relative_to(SOURCE))
        for module in SOURCE.rglob("*.py")
        if re.search(r"\bttft_ms\b", module.read_text(encoding="utf-8"))
    }
    filling = {name for name in naming if name.startswith(("sources/", "collector/demo/"))}
    assert naming - filling == {
        "domain/requests/request.py",
        "domain/requests/fields.py",
        "store/tables/usage.py",
        "store/migrations/versions/0001_the_first_schema.py",
        "store/migrations/versions/0004_quantities_and_levels.py",
        "store/migrations/versions/0006_views_with_every_name.py",
        "tui/requests/transcript.py",
        "tui/widgets/request_table.py",
    }
    assert "sources/files/exported.py" not in filling
