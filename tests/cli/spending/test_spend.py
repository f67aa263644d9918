from __future__ import annotations

import csv
import io
import json

import pytest

from spendtop.domain.requests.request import Status, Usage
from spendtop.services import tokens
from spendtop.store.engine import Store
from tests.cli.conftest import Cli, minutes_ago
from tests.services.recording.test_plan_calls import Desk, call
from tests.store.conftest import Recorded

ESCAPE = "eve\x1b[2J"


@pytest.fixture(autouse=True)
def _some_spend(spent: Recorded) -> None:
    usage = Usage(prompt=10, completion=5)
    requests = [
        spent.request(minutes_ago(5), 2_000_000_000, user_id="alice", model="gpt-4o", usage=usage),
        spent.request(minutes_ago(6), 1_000_000_000, user_id="alice", model="small", usage=usage),
        spent.request(minutes_ago(7), None, user_id="bob", model="private", usage=usage),
        spent.request(minutes_ago(8), None, user_id="alice", model="private", status=Status.ERROR),
        spent.request(minutes_ago(9), 5_000_000, user_id=ESCAPE, model="=cmd()"),
        spent.request(minutes_ago(10), 7_000_000_000, model="gpt-4o"),
        spent.request(minutes_ago(3 * 24 * 60), 90_000_000_000, user_id="old", model="gpt-4o", session_id="s1"),
    ]
    spent.add(requests)


def test_the_last_day_is_one_line_with_what_is_unpriced(cli: Cli) -> None:
    code, out, err = cli("spend")
    assert (code, err) == (0, "")
    assert out.splitlines()[2].split()[:5] == ["6", "$10.00", "+", "2", "unpriced"]


@pytest.mark.replaces("monitor/users-models")
def test_by_user_is_sorted_by_cost_with_the_nameless_and_a_total(cli: Cli) -> None:
    lines = cli("spend", "--by", "user").out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["(none)", "alice", "eve␛[2J", "bob", "total"]
    assert "$3.00 + 1 unpriced" in lines[1]
    assert " 1 unpriced " in lines[3] and "$0.00" not in lines[3]


def test_no_byte_of_a_name_steers_the_terminal(cli: Cli) -> None:
    for words in ((), ("--csv",), ("--json",)):
        assert "\x1b" not in cli("spend", "--by", "user,model", *words).out


def test_two_dimensions_give_pairs_that_add_up(cli: Cli) -> None:
    answer = json.loads(cli("spend", "--by", "user,model", "--json").out)
    found = {(row["user"], row["model"]): row["cost_nanousd"] for row in answer["data"]}
    assert found == {
        (None, "gpt-4o"): 7_000_000_000,
        ("alice", "gpt-4o"): 2_000_000_000,
        ("alice", "small"): 1_000_000_000,
        (ESCAPE, "=cmd()"): 5_000_000,
        ("alice", "private"): None,
        ("bob", "private"): None,
    }
    assert (answer["cost_nanousd"], answer["requests"], answer["unpriced"]) == (10_005_000_000, 6, 2)
    assert answer["tokens"] == {"prompt": 30, "completion": 15, "total": 45}


def test_releases_of_a_model_are_one_family(cli: Cli, spent: Recorded) -> None:
    spent.add([spent.request(minutes_ago(5), 4_000_000_000, user_id="bob", model="openai/gpt-4o-2024-08-06")])
    assert cli("spend", "--by", "model_family").out.splitlines()[2].split()[:3] == ["gpt-4o", "3", "$13.00"]
    answer = json.loads(cli("spend", "--by", "user,model_family", "--json").out)
    assert answer["by"] == ["user", "model_family"]
    found = {row["user"]: row["requests"] for row in answer["data"] if row["model_family"] == "gpt-4o"}
    assert found == {None: 1, "alice": 1, "bob": 1}
    first = next(csv.DictReader(io.StringIO(cli("spend", "--by", "model_family", "--csv").out, newline="")))
    assert (first["model_family"], first["cost_nanousd"]) == ("gpt-4o", "13000000000")


@pytest.mark.parametrize("by", ["user", "user,model", "session", "model_family"])
def test_everything_that_is_kept_is_found_without_a_beginning(cli: Cli, by: str) -> None:
    answer = json.loads(cli("spend", "--by", by, "--until", "1s", "--json").out)
    assert answer["since"] is None
    assert answer["requests"] == 7
    assert sum(row["requests"] for row in answer["data"]) == 7


def test_csv_is_exact_and_harmless(cli: Cli) -> None:
    out = cli("spend", "--by", "user,model", "--csv").out
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    eve = next(row for row in rows if row["user"].startswith("eve"))
    assert (eve["model"], eve["cost_usd"], eve["cost_nanousd"]) == ("'=cmd()", "0.005000000", "5000000")
    bob = next(row for row in rows if row["user"] == "bob")
    assert (bob["cost_usd"], bob["unpriced"]) == ("", "1")
    assert [row["requests"] for row in csv.DictReader(io.StringIO(cli("spend", "--csv").out, newline=""))] == ["6"]


def test_times_are_durations_dates_and_instants(cli: Cli) -> None:
    assert json.loads(cli("spend", "--since", "7m", "--json").out)["requests"] in (2, 3)
    assert json.loads(cli("spend", "--since", "7d", "--json").out)["requests"] == 7
    assert json.loads(cli("spend", "--since", "7d", "--until", "1d", "--json").out)["requests"] == 1
    assert json.loads(cli("spend", "--since", "2020-01-01", "--until", "2020-01-02", "--json").out)["requests"] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--by", "usr"), "user, model"),
        (("--by", "user,user"), "--by"),
        (("--by", "user,model,token"), "--by"),
        (("--since", "soon"), "'soon'"),
        (("--since", "1h", "--until", "2h"), "--since"),
        (("--json", "--csv"), "--json and --csv"),
    ],
)
def test_what_cannot_be_answered_is_a_usage_error(cli: Cli, words: tuple[str, ...], sentence: str) -> None:
    said = cli("spend", *words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err


def test_many_keys_end_in_one_line_of_others(cli: Cli, spent: Recorded, home_store: Store) -> None:
    spent.add([spent.request(minutes_ago(4), number, user_id=f"user {number}") for number in range(1, 80)])
    for by in ("user", "user,model"):
        assert "others)" in cli("spend", "--by", by).out
        assert "others)" not in cli("spend", "--by", by, "--csv").out


def test_days_are_in_their_order_also_those_without_spend(cli: Cli) -> None:
    answer = json.loads(cli("spend", "--by", "day", "--json").out)
    assert len(answer["data"]) == 30
    assert [row["day"] for row in answer["data"]] == sorted({row["day"] for row in answer["data"]})
    assert sum(row["requests"] for row in answer["data"]) == answer["requests"] == 7
    lines = cli("spend", "--by", "day").out.splitlines()
    assert (lines[1].split()[0], lines[-1].split()[0], len(lines)) == ("day", "total", 33)


def test_days_combine_with_another_dimension_in_either_order(cli: Cli) -> None:
    by_day = json.loads(cli("spend", "--by", "day,user", "--json").out)
    by_user = json.loads(cli("spend", "--by", "user,day", "--json").out)
    assert {row["user"] for row in by_day["data"]} == {None, "alice", "bob", ESCAPE, "old"}
    key = [(row["day"], row["user"], row["cost_nanousd"]) for row in by_day["data"]]
    assert key == [(row["day"], row["user"], row["cost_nanousd"]) for row in by_user["data"]]
    assert cli("spend", "--by", "user,day", "--csv").out.startswith('"user","day",')


@pytest.mark.parametrize("by", ["error", "error,model", "day,error", "user,error"])
@pytest.mark.replaces("fetcher/errors")
def test_errors_are_counted_apart_with_the_money_they_cost(cli: Cli, spent: Recorded, by: str) -> None:
    spent.add(
        [
            spent.request(minutes_ago(1), 4_000_000, model="o3", user_id="a", status=Status.ERROR, http_status=500),
            spent.request(minutes_ago(1), 5_000_000, model="o3", user_id="a", status=Status.CANCELLED),
        ]
    )
    answer = json.loads(cli("spend", "--by", by, "--json").out)
    assert {(row["error"], row["requests"], row["cost_nanousd"]) for row in answer["data"]} == {
        ("500", 1, 4_000_000),
        ("cancelled", 1, 5_000_000),
        ("error", 1, None),
    }
    assert (answer["requests"], answer["cost_nanousd"]) == (3, 9_000_000)


def test_a_day_and_an_empty_store(cli: Cli) -> None:
    answer = json.loads(cli("spend", "--by", "day", "--since", "2020-01-01", "--until", "2020-01-02", "--json").out)
    assert [(row["day"], row["requests"]) for row in answer["data"]] == [("2020-01-01", 0), ("2020-01-02", 0)]
    assert json.loads(cli("spend", "--by", "error", "--since", "1m", "--json").out)["data"] == []


def test_tokens_go_by_their_names_and_programs_read_both(cli: Cli, spent: Recorded) -> None:
    with spent.store.writing() as connection:
        tokens.create(connection, "Production App", 0, value="t-1")
    spent.add([spent.request(minutes_ago(3), 1_000, token=value) for value in ("t-1", "t-gone")])
    words = ("spend", "--by", "token")
    assert {line.split("  ")[0] for line in cli(*words).out.splitlines()[2:]} >= {"Production App", "t-gone"}
    both = {("t-1", "Production App"), ("t-gone", "")}
    found = {(row["token"], row["token_name"]) for row in csv.DictReader(io.StringIO(cli(*words, "--csv").out))}
    assert found - {("", "")} == both
    data = json.loads(cli(*words, "--json").out)["data"]
    assert {(row["token"], row["token_name"] or "") for row in data if row["token"]} == both


def test_usage_under_plans_has_a_column_of_its_own_by_project_branch_and_day(cli: Cli, home_store: Store) -> None:
    properties = {"project": "/src/willow", "branch": "fix"}
    Desk(home_store).record(
        call("a", minutes_ago(20), properties=properties),
        call("b", minutes_ago(30), properties={**properties, "branch": "main"}),
        call("c", minutes_ago(40), properties=properties),
    )
    lines = cli("spend", "--by", "project,branch").out.splitlines()[1:]
    assert lines[0].split()[:2] == ["project", "branch"] and lines[0].endswith("API-equivalent")
    of_fix, of_main = (next(line for line in lines if name in line) for name in ("fix", "main"))
    assert (of_fix.split()[2:4], of_fix.split()[-1]) == (["0", "$0.00"], "~<$0.000001")
    assert of_main.split()[-1] == "~<$0.000001"
    answer = json.loads(cli("spend", "--by", "branch", "--json").out)
    assert answer["api_equivalent"]["requests"] == 3
    assert {item["prop.branch"]: item["api_equivalent"]["requests"] for item in answer["data"]} == {
        None: 0,
        "fix": 2,
        "main": 1,
    }
    days = json.loads(cli("spend", "--by", "day,user", "--json").out)["data"]
    assert sum(item["api_equivalent"]["requests"] for item in days) == 3
    rows = list(csv.DictReader(io.StringIO(cli("spend", "--by", "branch", "--csv").out)))
    assert [row["api_equivalent_nanousd"] for row in rows if row["prop.branch"] == "fix"] == ["46"]
    assert "project" in cli("spend", "--by", "nonsense").err
