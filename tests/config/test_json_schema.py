from __future__ import annotations

import re
import tomllib
from typing import Any

import jsonschema
import pytest

from spendtop.config.json_schema import json_schema
from spendtop.config.settings import settings_class
from spendtop.config.shape import fields_by_key
from spendtop.config.template import render
from spendtop.sources.settings import SECTIONS
from tests.config.conftest import LoadText
from tests.readme import README

SCHEMA = json_schema(SECTIONS)
LIMIT = '[[limit]]\nname = "a"\nwindow = "day"\nusd = 1\n'


def faults(text: str) -> list[str]:
    """Where an editor would mark something; as there, dates are texts."""
    document = tomllib.loads(text)
    for table in document.values():
        if isinstance(table, dict):
            table |= {key: value.isoformat() for key, value in table.items() if hasattr(value, "isoformat")}
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [error.json_path for error in validator.iter_errors(document)]


def test_it_is_a_schema_in_which_every_key_is_described() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(fields_by_key(settings_class(SECTIONS)))
    tables: list[dict[str, Any]] = [shape for shape in SCHEMA["$defs"].values() if shape["type"] == "object"]
    assert len(tables) > 15
    assert all(table["additionalProperties"] is False and table["description"] for table in tables)
    assert all(key["description"] for table in tables for key in table["properties"].values())


def test_defaults_are_spelled_as_a_file_spells_them() -> None:
    described = SCHEMA["$defs"]
    assert described["HeliconeSettings"]["properties"]["poll_every"]["default"] == "5m"
    assert described["DatabaseSettings"]["properties"]["disk_reserve"]["default"] == "200MB"
    assert described["AnomalySettings"]["properties"]["min_usd"]["default"] == 1
    assert described["LimitSettings"]["properties"]["warn"]["default"] == [0.8]
    assert "default" not in described["DatabaseSettings"]["properties"]["url"], "it differs from machine to machine"


def test_the_written_file_and_the_examples_of_the_readme_are_valid() -> None:
    everything = re.sub(r"(?m)^# (?=[\w\"-]+ = |\[)", "", render(SECTIONS))
    assert faults(render(SECTIONS)) == faults(everything) == []
    examples = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) > 2
    assert [faults(example) for example in examples] == [[]] * len(examples)


@pytest.mark.parametrize(
    "text",
    [
        'limits = "x"\n',
        "[server]\nprot = 1\n",
        "[server]\nport = 70000\n",
        '[server]\nport = "8000"\n',
        '[privacy]\nbodies = "some"\n',
        "[retention]\nbodies = 30\n",
        '[retention]\nbodies = "30 days"\n',
        '[database]\ndisk_reserve = "much"\n',
        '[openai]\nbase_url = "api.openai.com"\n',
        '[[limit]]\nname = "a"\nwindow = "day"\n',
        LIMIT + "warn = [80]\n",
        LIMIT + 'each = "team"\n',
        LIMIT.replace("day", "year"),
        LIMIT.replace("usd = 1", "usd = 0"),
        LIMIT.replace("usd = 1", 'usd = "much"'),
        '[[limit]]\nname = ""\nwindow = "day"\nusd = 1\n',
        '[prices."m"]\ninput = -1\n',
        '[prices."m"]\ninputs = 1\n',
    ],
)
def test_what_the_program_refuses_is_marked(text: str, load_text: LoadText) -> None:
    assert faults(text)
    with pytest.raises(Exception, match=r"spendtop\.toml"):
        load_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        LIMIT.replace("usd = 1", 'usd = "$1,250.50"'),
        LIMIT.replace('"day"', '"1.5h"') + 'warn = []\neach = "model_family"\nnotify = []\n',
        "[database]\ndisk_reserve = 0\n",
        '[prices."*"]\ninput = 0\noutput = "0.5 USD"\n',
        '[server]\npublic_url = ""\ningest_keys = { a = "0123456789abcdef" }\n',
        "[openai]\nepoch = 2026-11-01\n",
    ],
)
def test_what_the_program_takes_is_not_marked(text: str, load_text: LoadText) -> None:
    load_text(text)
    assert faults(text) == []
