"""Answers as providers' documents show them, what they are read as, and what genai-prices makes of the same ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot

from spendtop.domain.money import Usd
from spendtop.domain.requests.provider_usage import unpack
from spendtop.domain.usage import contradiction, read_kept, read_response

ANSWERS = json.loads((Path(__file__).parents[2] / "fixtures" / "answers.json").read_text())
EXTRACTED = [answer for answer in ANSWERS if answer["provider"] is not None]


def by_id(answers: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", [pytest.param(answer, id=answer["id"]) for answer in answers])


@by_id(ANSWERS)
def test_an_answer_is_read(entry: dict[str, Any]) -> None:
    reading = read_response(entry["answer"], entry.get("request"), entry["provider"], entry.get("model"))
    expected = entry["reading"]
    assert reading.usage.quantities == expected["quantities"]
    assert reading.service_level == expected.get("service_level")
    assert reading.inference_geo == expected.get("inference_geo")
    assert reading.cost == (Usd.of(expected["cost"]) if "cost" in expected else None)
    assert reading.model == expected.get("model")
    assert list(reading.unread) == expected.get("unread", [])
    assert reading.miscounted == ()
    assert contradiction(reading.usage) is None


@by_id(ANSWERS)
def test_what_is_kept_of_it_says_the_same_again(entry: dict[str, Any]) -> None:
    reading = read_response(entry["answer"], entry.get("request"), entry["provider"], entry.get("model"))
    kept = unpack(reading.provider_usage)
    assert kept is not None
    again = read_kept(kept, entry["provider"], reading.model or entry.get("model"))
    assert (again.usage, again.service_level, again.cost) == (reading.usage, reading.service_level, reading.cost)
    assert (again.inference_geo, again.unread) == (reading.inference_geo, reading.unread)


@by_id(EXTRACTED)
def test_the_library_reads_the_same_or_the_table_says_why_not(entry: dict[str, Any]) -> None:
    provider = next(each for each in get_snapshot().providers if each.id == entry["provider"])
    _, usage = provider.extract_usage(entry["answer"], api_flavor=entry["flavor"])
    theirs = {unit: value for unit in vars(usage) if (value := getattr(usage, unit))}
    ours = read_response(entry["answer"], entry.get("request")).usage.quantities
    assert (theirs != ours) is ("difference" in entry), (theirs, ours)
