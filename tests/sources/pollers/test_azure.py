"""What Azure billed for Azure OpenAI."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from spendtop.domain.clock import to_micros
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.azure import AzureBills
from tests.provider_pages import FakeApi, document
from tests.sources.pollers.fake_provider import answer
from tests.sources.pollers.polled import ONCE, TODAY

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


QUERY = "/subscriptions/SUB/providers/Microsoft.CostManagement/query"


async def test_azure_is_read_by_the_names_of_columns_and_never_asked_elsewhere() -> None:
    table = document("others/azure_query")["response"]
    first, second = msgspec.json.decode(msgspec.json.encode(table)), table
    second["properties"]["columns"] = [
        {"name": "Surprise", "type": "String"},
        *reversed(table["properties"]["columns"]),
    ]
    rows = [["?", *reversed(row)] for row in table["properties"]["rows"]]
    second["properties"]["rows"] = [
        ["2026-11-27T00:00:00" if cell == 20261127 else cell for cell in row] for row in rows
    ]
    with FakeApi({QUERY: b"", "/next": answer(second)}, authorization="Bearer canary") as fake:
        first["properties"]["nextLink"] = f"{fake.url}/next?page=2"
        fake.pages[QUERY] = answer(first)
        poller = AzureBills("canary", fake.url, "/subscriptions/SUB/", bounds=ONCE)
        costs = await poller.costs(TODAY - 1, TODAY)
        assert [(asked.method, asked.path) for asked in fake.asked] == [("POST", QUERY), ("POST", "/next")]
        assert fake.asked[0].one("api-version") == "2025-03-01"
        first["properties"]["nextLink"] = "http://elsewhere.invalid/next"
        fake.pages[QUERY] = answer(first)
        with pytest.raises(PollFailed, match="another host"):
            await poller.costs(TODAY - 1, TODAY)
    assert sum(each.amount for each in costs.parts) == Decimal(4)
    assert {(each.day - TODAY, each.project) for each in costs.parts} == {(-1, "oai")}
    assert {each.line_item for each in costs.parts} == {"gpt-4o Input Tokens", "gpt-4o Output Tokens"}
    assert costs.flaws == ()
