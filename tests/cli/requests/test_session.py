"""What one session cost, from the shell."""

from __future__ import annotations

import json

import pytest

from spendtop.domain.requests.request import Status, Usage
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store.engine import Store
from tests.cli.conftest import Cli, minutes_ago
from tests.cli.test_run_task import doing_one, pretend_to_collect
from tests.store.conftest import Recorded

DOLLAR = 1_000_000_000


@pytest.mark.replaces("fetcher/shell")
def test_a_session_is_shown_by_model_and_path(cli: Cli, home_store: Store, spent: Recorded) -> None:
    usage = Usage(prompt=10, completion=5)
    spent.add(
        [
            spent.request(
                minutes_ago(3), DOLLAR, session_id="pr-1", session_path="/review/a", model="gpt-4o", usage=usage
            ),
            spent.request(minutes_ago(2), DOLLAR, session_id="pr-1", session_path="/review/b", model="o3", usage=usage),
            spent.request(minutes_ago(1), None, session_id="pr-1", session_path="/review/b", model="o3", usage=usage),
            spent.request(minutes_ago(1), DOLLAR, session_id="other"),
        ]
    )
    code, out, err = cli("session", "pr-1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("pr-1: $2.00 + 1 unpriced · 3 requests · all costs are Helicone")
    assert [line.split()[0] for line in lines if line.split()[:1] in (["gpt-4o"], ["o3"])] == ["o3", "gpt-4o"]
    assert any("/review" in line and "$2.00 + 1 unpriced" in line for line in lines)


def test_sessions_are_listed_with_whose_they_are_and_how_they_stand(
    cli: Cli, home_store: Store, spent: Recorded
) -> None:
    spent.add(
        [
            spent.request(minutes_ago(1), DOLLAR, session_id="busy", user_id="al\x1bice"),
            spent.request(minutes_ago(90), DOLLAR, session_id="idle", user_id="bob"),
            spent.request(minutes_ago(2), 0, session_id="broken", status=Status.ERROR),
        ]
    )
    code, out, err = cli("sessions")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert {(row[0], row[1]) for row in rows[1:]} == {("busy", "running"), ("idle", "idle"), ("broken", "failed")}
    assert rows[1][2] == "al␛ice"
    data = json.loads(cli("sessions", "user:bob", "--json").out)["data"]
    assert [(each["session_id"], each["state"], each["users"]) for each in data] == [("idle", "idle", ["bob"])]
    assert "--limit 10 shows more" in cli("sessions", "--limit", "1").out


def test_a_session_that_is_not_there_is_a_sentence(cli: Cli, home_store: Store) -> None:
    code, _, err = cli("session", "nobody")
    assert code == 2
    assert "spendtop spend --by session" in err


def test_fetching_needs_a_collector(cli: Cli, home_store: Store, spent: Recorded) -> None:
    (number,) = spent.add([spent.request(minutes_ago(1), DOLLAR)])
    code, _, err = cli("request", str(number), "--fetch")
    assert code == 2
    assert "No collector holds this store" in err


def test_an_unknown_session_is_asked_for_first(cli: Cli, home_store: Store, spent: Recorded) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.DONE, "Helicone has 0 of its requests.") as done:
        code, out, err = cli("session", "nobody", "--fetch")
    assert (code, out) == (2, "")
    assert err.startswith("Helicone has 0 of its requests.\n") and "no session with this id" in err
    assert (done[0].kind, done[0].arguments) == (TaskKind.FETCH_BODIES, {"session": "nobody"})


@pytest.mark.replaces("fetcher/shell")
def test_a_session_as_json_is_what_the_api_says(cli: Cli, home_store: Store, spent: Recorded) -> None:
    spent.add([spent.request(minutes_ago(3), DOLLAR, session_id="pr-1", model="gpt-4o")])
    answer = json.loads(cli("session", "pr-1", "--json").out)
    assert (answer["session_id"], answer["totalCostUSD"], answer["requestCount"]) == ("pr-1", 1.0, 1)
    assert [row["model"] for row in answer["breakdown"]] == ["gpt-4o"]
