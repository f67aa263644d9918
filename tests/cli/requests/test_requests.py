"""`spendtop requests` and `spendtop request`."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from spendtop.domain.money import Usd
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.requests.provider_usage import pack
from spendtop.domain.requests.request import Basis, BodyState, Cost, ServiceLevel, Status, Usage
from spendtop.domain.sources.records import INGEST
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.cli.conftest import Cli, minutes_ago
from tests.store.conftest import Recorded

ESCAPE = "eve\x1b[2J\u202e"
CHAT = json.dumps({"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": f"a {ESCAPE}"}]})
ANSWER = json.dumps({"choices": [{"message": {"role": "assistant", "content": "an answer"}}]})


@pytest.fixture(autouse=True)
def ids(spent: Recorded) -> list[int]:
    """Our ids, the newest request first."""
    first = spent.request(
        minutes_ago(5),
        2_000_000_000,
        user_id="alice",
        model="gpt-4o",
        usage=Usage(prompt=1_000, completion=234, cache_read=100),
        latency_ms=900,
        http_status=200,
        request_body=CHAT.encode(),
        response_body=ANSWER.encode(),
        body_state=BodyState.STORED,
    )
    failed = spent.request(
        minutes_ago(6), None, user_id=ESCAPE, status=Status.ERROR, http_status=429, session_id="s", model="own"
    )
    pushed = spent.request(minutes_ago(7), 5, source=INGEST, external_id="r/1", token="app")
    unknown = spent.request(minutes_ago(8), 6, request_body=b'"a\\u001b"', body_state=BodyState.STORED)
    return spent.add([first, failed, pushed, unknown])


def test_the_table_has_the_id_and_the_seven_columns(cli: Cli, ids: list[int]) -> None:
    code, out, err = cli("requests")
    assert (code, err) == (0, "")
    header, first, second, *_ = out.splitlines()
    assert header.split() == ["id", "time", "who", "model", "tokens", "cost", "status", "latency"]
    assert first.split()[0] == str(ids[0])[-8:]
    assert first.split()[3:] == ["alice", "gpt-4o", "1,234", "$2.00", "ok", "0.90s"]
    assert second.split()[3:] == ["eve␛[2J<U+202E>", "own", "-", "unpriced", "error", "429", "-"]
    assert len(out.splitlines()) == 5


def test_the_end_of_an_id_is_enough(cli: Cli, ids: list[int], spent: Recorded, home_store: Store) -> None:
    end = str(ids[0])[-8:]
    assert cli("request", end).out == cli("request", str(ids[0])).out
    assert json.loads(cli("requests", f"id:{end}", "--json").out)["data"][0]["id"] == str(ids[0])
    with home_store.writing() as connection:
        other = ids[0] - 10**8
        connection.execute(update(table_of(RequestTable)).where(table_of(RequestTable).c.id == ids[1]).values(id=other))
    code, out, err = cli("request", end)
    assert (code, out) == (2, "")
    assert f"2 ids end in {end}: {ids[0]}, {other}." in err
    assert cli("request", end[-7:]).code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("user:nobody",), "Nothing matches the filter."),
        (("--since", "1s"), "Nothing was recorded in this span of time."),
        (("user:nobody", "--since", "1d"), "Nothing matches the filter."),
    ],
)
def test_an_empty_list_says_why(cli: Cli, words: tuple[str, ...], said: str) -> None:
    assert cli("requests", *words).out == f"{said}\n"


def test_a_limit_says_that_there_are_more(cli: Cli) -> None:
    out = cli("requests", "--limit", "1").out.splitlines()
    assert len(out) == 3 and "--limit 10" in out[2]
    assert cli("requests", "--limit", "0").code == 2
    assert len(cli("requests", "--limit", "4").out.splitlines()) == 5


def test_filter_and_span_select(cli: Cli) -> None:
    assert len(cli("requests", "user:alice").out.splitlines()) == 2
    assert cli("requests", "user:nobody").out == "Nothing matches the filter.\n"
    assert len(cli("requests", "--until", "7m").out.splitlines()) >= 2
    assert cli("requests", "id:r/1", "--json").out == cli("requests", "token:app", "--json").out
    assert cli("requests", "nofield:1").code == 2


def test_machines_get_every_field(cli: Cli, ids: list[int]) -> None:
    rows = json.loads(cli("requests", "--json").out)["data"]
    assert [row["id"] for row in rows] == [str(each) for each in ids]
    assert rows[1]["cost_usd"] is None
    assert [json.loads(line) for line in cli("requests", "--jsonl").out.splitlines()] == rows
    found = csv.DictReader(io.StringIO(cli("requests", "--csv").out, newline=""))
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert cli("requests", "--json", "--csv").code == 2


def test_one_request_with_all_that_is_known(cli: Cli, ids: list[int]) -> None:
    code, out, err = cli("request", str(ids[0]))
    assert (code, err) == (0, "")
    assert "\x1b" not in out and "\u202e" not in out
    for words in ("alice", "$2.00 reported by helicone", "system:\n  be kind", "user:\n  a eve␛"):
        assert words in out
    fields = dict(re.split(r" {2,}", line, maxsplit=1) for line in out.split("\n\n")[0].splitlines())
    assert (fields["prompt tokens"], fields["cache read"]) == ("1,000", "100")
    assert out.endswith("assistant:\n  an answer\n")


def test_a_request_names_the_list_that_priced_it_and_how_old_that_was(cli: Cli, spent: Recorded) -> None:
    list_name = ListVersion.of_fetched("ab12cd34", minutes_ago(2 * 24 * 60), 0).name
    names = (list_name, "genai-prices 0.2.3", "own")
    priced = [
        replace(spent.request(minutes_ago(0)), cost=Cost(basis=Basis.COMPUTED, computed=Usd(7), price_version=name))
        for name in names
    ]
    ids = spent.add(priced)
    shown = [next(line for line in cli("request", str(id)).out.splitlines() if "price version" in line) for id in ids]
    assert [re.split(r" {2,}", line)[1] for line in shown] == [
        f"{list_name}, fetched 2 days before the request",
        "genai-prices 0.2.3, came with the program, age not known",
        "own",
    ]


def test_a_partial_cost_a_level_and_the_providers_usage_are_told(cli: Cli, spent: Recorded) -> None:
    cost = Cost(amount=Usd(3_100_000), basis=Basis.COMPUTED, level_assumed=True, unpriced_units={"web_searches": 2})
    usage = pack({"prompt_tokens": 7, "server_tool_use": {"web_search_requests": 2}})
    request = spent.request(minutes_ago(0), service_level=ServiceLevel.BATCH, provider_usage=usage)
    (id,) = spent.add([replace(request, cost=cost)])
    out = cli("request", str(id)).out
    assert "$0.0031 + 2 web searches unpriced, computed from what it used" in out
    assert re.search(r"service level +batch \(standard price assumed\)", out)
    assert 'usage as the provider said it:\n  {\n    "prompt_tokens": 7,' in out
    as_json = json.loads(cli("request", str(id), "--json").out)
    assert (as_json["partial"], as_json["unpriced_units"], as_json["level_assumed"]) == (
        True,
        {"web_searches": 2},
        True,
    )


def test_counts_that_contradict_each_other_are_told_with_an_unknown_cost(cli: Cli, spent: Recorded) -> None:
    (id,) = spent.add([spent.request(minutes_ago(0), None, usage=Usage(prompt=900, completion=1, cache_read=1_000))])
    why = "1,000 cache read tokens are more than 900 prompt tokens"
    assert f"unknown: contradictory counts, {why}" in cli("request", str(id)).out
    assert json.loads(cli("request", str(id), "--json").out)["contradiction"] == why


def test_signs_in_the_list_are_explained_below_it(cli: Cli, spent: Recorded) -> None:
    assert len(cli("requests").out.splitlines()) == 5
    partial = Cost(amount=Usd(3_100_000), basis=Basis.COMPUTED, unpriced_units={"web_searches": 2})
    doubtful = Cost(amount=Usd(800_000_000), basis=Basis.REPORTED, doubtful=True)
    spent.add([replace(spent.request(minutes_ago(0)), cost=cost) for cost in (partial, partial, doubtful)])
    lines = cli("requests").out.splitlines()
    assert sum(" $0.0031+ " in line for line in lines) == 2
    assert sum(" $0.800? " in line for line in lines) == 1
    assert [line[:3] for line in lines[-2:]] in (["+  ", "?  "], ["?  ", "+  "])
    assert " $0.80? " in cli("requests", "--exact").out


def test_corrections_are_listed(cli: Cli, spent: Recorded, ids: list[int]) -> None:
    spent.add([spent.request(minutes_ago(7), 9, source=INGEST, external_id="r/1", token="app", user_id=ESCAPE)])
    out = cli("request", "r/1").out
    assert "by ingest\n" in out and "user_id: null -> eve␛[2J<U+202E>" in out
    assert "The source sent no prompt and response." in out


def test_what_a_source_said_against_itself_is_listed(cli: Cli, spent: Recorded, ids: list[int]) -> None:
    for model, prompt in (("gpt-4o", 50), (f"gpt{ESCAPE}", 40)):
        spent.add([spent.request(minutes_ago(7), 9, external_id="r/2", model=model, usage=Usage(prompt=prompt))])
    out = cli("request", "r/2").out
    assert "contradicted " in out
    assert "  model: gpt-4o stays, gpteve␛[2J<U+202E> was not taken\n" in out
    assert "  prompt_tokens: 50 stays, 40 was not taken\n" in out
    (revision,) = json.loads(cli("request", "r/2", "--json").out)["revisions"]
    assert (revision["changes"], revision["refused"]["prompt_tokens"]) == ({}, [50, 40])


def test_a_body_of_no_known_shape_is_shown_as_it_is(cli: Cli, ids: list[int]) -> None:
    assert 'request body:\n  "a\\u001b"' in cli("request", str(ids[3])).out


def test_one_request_as_json_is_what_the_api_gives(cli: Cli, ids: list[int]) -> None:
    found = json.loads(cli("request", str(ids[0]), "--json").out)
    assert (found["id"], found["response"], found["body_state"]) == (str(ids[0]), "an answer", "stored")
    assert found["request_body"] == json.loads(CHAT)
    assert found["revisions"] == []


def test_an_unknown_request_is_a_usage_error(cli: Cli) -> None:
    code, out, err = cli("request", "nobody's")
    assert (code, out) == (2, "") and "no request with this id" in err
