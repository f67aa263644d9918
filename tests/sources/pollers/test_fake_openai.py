"""The fake says what OpenAI's published description says, where that is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from spendtop.sources.pollers.http_client import Fetcher
from spendtop.sources.pollers.openai.costs import OpenAICosts
from tests.sources.pollers.fake_openai import ADMIN_KEY, DAY, FIRST_DAY, FakeOpenAI, Used, a_month
from tests.waiting import DEADLINE

DESCRIBED: dict[str, Any] = msgspec.json.decode(
    (Path(__file__).parents[2] / "fixtures" / "openai_organization_api.json").read_bytes()
)
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float, str),  # amounts come as text, too
    "null": type(None),
    "boolean": bool,
}


def faults(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """Where a value is not as described."""
    if "$ref" in schema:
        return faults(value, DESCRIBED["components"]["schemas"][schema["$ref"].rpartition("/")[2]], at)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        found = [faults(value, choice, at) for choice in choices]
        return [] if [] in found else min(found, key=len)
    if not isinstance(value, TYPES[schema["type"]]):
        return [f"{at} is no {schema['type']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at} is none of its values"]
    if isinstance(value, list):
        return [fault for place, item in enumerate(value) for fault in faults(item, schema["items"], f"{at}[{place}]")]
    if isinstance(value, dict):
        missing = [f"{at} has no {name}" for name in schema.get("required", ()) if name not in value]
        known = schema.get("properties", {})
        within = [fault for name in value.keys() & known for fault in faults(value[name], known[name], f"{at}.{name}")]
        return missing + within
    return []


def usage() -> list[Used]:
    return [Used(at=FIRST_DAY * DAY, model="gpt-5", prompt=10, completion=1)]


@pytest.mark.parametrize(
    ("path", "width"), [("/v1/organization/costs", "1d"), ("/v1/organization/usage/completions", "1m")]
)
async def test_answers_are_as_described(path: str, width: str) -> None:
    with FakeOpenAI(a_month(), usage()) as fake:
        answered: Any = await Fetcher("OpenAI", fake.url, {"Authorization": f"Bearer {ADMIN_KEY}"}).json(
            "GET",
            path,
            query=(("start_time", FIRST_DAY * DAY), ("end_time", (FIRST_DAY + 1) * DAY), ("bucket_width", width)),
        )
    described = {"$ref": "#/components/schemas/UsageResponse"}
    plain = msgspec.json.decode(msgspec.json.encode(answered))
    assert plain["data"][0]["results"]
    assert faults(plain, described) == []
    assert faults({**plain, "data": [{}]}, described) != []


async def test_pollers_ask_only_what_is_described() -> None:
    with FakeOpenAI(a_month(), usage()) as fake:
        fake.days_per_page = 7
        poller = OpenAICosts(ADMIN_KEY, fake.url)
        await poller.costs(FIRST_DAY, FIRST_DAY + 29)
        await poller.usage(FIRST_DAY)
        asked = list(fake.asked)
    assert len(asked) == 6
    for question in asked:
        described = {
            each["name"]: each["schema"]
            for each in DESCRIBED["paths"][question.path.removeprefix("/v1")]["get"]["parameters"]
        }
        assert question.query.keys() <= described.keys()
        for name, texts in question.query.items():
            schema = described[name]
            values: list[Any] = [int(text) if schema["type"] == "integer" else text for text in texts]
            assert faults(values if schema["type"] == "array" else values[0], schema) == []


async def test_a_window_within_one_day_is_refused_as_described() -> None:
    with FakeOpenAI(a_month()) as fake:
        keyed = {"Authorization": f"Bearer {ADMIN_KEY}"}
        async with httpx.AsyncClient(base_url=fake.url, headers=keyed, timeout=DEADLINE) as client:
            window = {"start_time": FIRST_DAY * DAY, "end_time": FIRST_DAY * DAY + 3600}
            refused = await client.get("/v1/organization/costs", params=window)
    assert refused.status_code == 400
    assert faults(refused.json(), {"$ref": "#/components/schemas/ErrorResponse"}) == []
