from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from spendtop.api.shapes.spending import LimitsAnswer, RequestsAnswer, SummaryAnswer
from spendtop.cli.mcp.protocol import Tool
from spendtop.cli.mcp.tools import tools
from spendtop.config.load import load
from spendtop.domain.errors import UsageError
from spendtop.domain.requests.request import Usage
from spendtop.sources.settings import SECTIONS
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.store.conftest import Recorded

LIMIT = '[[limit]]\nname = "daily"\nwindow = "24h"\nusd = 4\n'
PROMPT = b'{"messages": [{"role": "user", "content": "a secret plan"}]}'


def _tools(text: str = LIMIT) -> dict[str, Tool]:
    settings = load(write_config(text), sections=SECTIONS, environ={}, folder=Path.cwd()).settings
    return {tool.name: tool for tool in tools(settings)}


@pytest.fixture
def answers(spent: Recorded) -> dict[str, Tool]:
    usage = Usage(prompt=10, completion=5)
    spent.add(
        [
            spent.request(minutes_ago(5), 2_000_000_001, user_id="alice", model="m", usage=usage, request_body=PROMPT),
            spent.request(minutes_ago(6), None, user_id="bob", model="m", usage=usage),
            spent.request(minutes_ago(3 * 24 * 60), 7_000_000_000, user_id="alice", model="n"),
        ]
    )
    return _tools()


def test_spend_is_what_the_command_says(answers: dict[str, Tool], cli: Cli) -> None:
    told = answers["spend"].answer({"by": "user", "hours": 24})
    SummaryAnswer.model_validate(told)
    printed = json.loads(cli("spend", "--by", "user", "--json").out)
    assert (told["cost_nanousd"], told["unpriced"], told["requests"]) == (2_000_000_001, 1, 2)
    assert {row["key"]: row["cost_nanousd"] for row in told["by"]} == {
        row["user"]: row["cost_nanousd"] for row in printed["data"]
    }


def test_limits_stand_as_the_configuration_has_them_without_a_collector(answers: dict[str, Tool]) -> None:
    told = answers["limits"].answer({})
    LimitsAnswer.model_validate(told)
    (limit,) = told["data"]
    assert (limit["name"], limit["used_nanousd"], limit["state"], limit["unpriced"]) == (
        "daily",
        2_000_000_001,
        "ok",
        1,
    )


def test_requests_are_told_without_prompts_and_page_by_page(answers: dict[str, Tool]) -> None:
    told = answers["requests"].answer({"q": "user:alice", "limit": 1})
    RequestsAnswer.model_validate(told)
    assert (told["totals"]["requests"], told["data"][0]["cost_nanousd"]) == (2, 2_000_000_001)
    rest = answers["requests"].answer({"q": "user:alice", "limit": 1, "cursor": told["next_cursor"]})
    assert [row["model"] for row in rest["data"]] == ["n"]
    everything = json.dumps([tool.answer({}) for tool in answers.values()])
    assert "secret plan" not in everything and "alice" in everything


@pytest.mark.parametrize(
    ("tool", "arguments", "problem"),
    [
        ("spend", {"by": "colour"}, "by: "),
        ("spend", {"since": "gestern"}, "since must be a time"),
        ("spend", {"prompt": 1}, "prompt: is not known here; .*known: by, from, "),
        ("requests", {"q": "user:("}, "q is no filter"),
        ("requests", {"cursor": "x"}, "cursor is none of this list"),
        ("requests", {"limit": 100_000}, "limit: must be at most 200$"),
        ("limits", {"x": 1}, "x: "),
        ("alerts", {"open": "perhaps"}, "open: must be true or false$"),
    ],
)
def test_wrong_arguments_are_named(
    answers: dict[str, Tool], tool: str, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        answers[tool].answer(arguments)


def test_schemas_say_what_is_taken(answers: dict[str, Tool]) -> None:
    for tool in answers.values():
        jsonschema.Draft202012Validator.check_schema(tool.parameters)
        assert tool.parameters["additionalProperties"] is False
        assert all(each["description"] for each in tool.parameters["properties"].values())
    assert "title" not in answers["spend"].parameters["properties"]["by"]


def test_without_a_store_each_answer_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="Nothing is recorded yet"):
        _tools("")["spend"].answer({})
