"""`spendtop reprice`: comparing, correcting, listing, going on and taking back."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Cost, Usage
from spendtop.services import tasks
from spendtop.services.repricing import repricing
from spendtop.services.repricing.current_costs import PAGE
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.statements import table_of
from spendtop.store.tables import RepriceTable, RequestTable, RevisionTable
from tests.cli.conftest import Cli, Said, minutes_ago, write_config
from tests.cli.test_run_task import doing_one, pretend_to_collect
from tests.services.conftest import rows, sums, totals
from tests.store.conftest import Recorded

LONG = "accounts/fireworks/models/llama-v3p1-405b-instruct-long-context-2026-11-01"
A_MILLION = Usage(prompt=1_000_000, completion=0)


def prices(dollars: float, *models: str) -> None:
    """In the configuration: what a million tokens of a model cost."""
    write_config("".join(f'[prices."{model}"]\ninput = {dollars}\noutput = {dollars}\n' for model in models))


@pytest.fixture(autouse=True)
def requests(spent: Recorded) -> None:
    """Two of 2 $ and one unpriced, all of a model that costs 3 $ now; one that is reported, and one without a price."""
    at = minutes_ago(5)
    computed = Cost(amount=Usd.of(2), basis=Basis.COMPUTED, computed=Usd.of(2), price_version="old")
    spent.add(
        [replace(spent.request(at, model="acme-7b", user_id="alice", usage=A_MILLION), cost=computed) for _ in range(2)]
        + [
            spent.request(at, None, model="acme-7b", usage=A_MILLION),
            spent.request(at, 10**10, model="acme-7b", usage=A_MILLION),
            spent.request(at, None, model="nobody-knows", usage=A_MILLION),
        ]
    )
    prices(3, "acme-7b")


def nano(store: Store) -> list[int | None]:
    return [row.cost_nano for row in rows(store, RequestTable)]


BEFORE = [2 * 10**9, 2 * 10**9, None, 10**10, None]
AFTER = [3 * 10**9, 3 * 10**9, 3 * 10**9, 10**10, None]


def test_a_dry_run_shows_the_difference_and_changes_nothing(cli: Cli, home_store: Store) -> None:
    said = cli("reprice", "--since", "1d", "--dry-run")
    assert (said.code, said.err) == (0, "")
    heads, row, total, sentence = said.out.splitlines()
    assert heads.split() == ["day", "model", "requests", "before", "after", "difference", "unpriced"]
    assert row.split()[1:] == ["acme-7b", "3", "$4.00", "$9.00", "+$5.00", "1", "->", "0"]
    assert total.split()[:2] == ["total", "-"]
    assert sentence == "Computed and unknown costs compared: 4. Nothing was changed."
    assert (nano(home_store), rows(home_store, RepriceTable), rows(home_store, RevisionTable)) == (BEFORE, [], [])


def test_a_run_corrects_and_says_how_it_is_taken_back(cli: Cli, home_store: Store) -> None:
    said = cli("reprice", "--since", "1d")
    assert said == Said(
        0,
        "3 of 4 requests have another cost now: $4.00 -> $9.00, unpriced 1 -> 0.\n"
        "`spendtop reprice --undo 1` takes it back.\n",
        "",
    )
    assert nano(home_store) == AFTER
    assert totals(home_store) == sums(home_store)
    again = cli("reprice")
    assert again.code == 0
    assert again.out == "Requests looked at: 4; every cost is what the prices of now make of it.\n"
    undone = cli("reprice", "--undo", "1")
    assert undone == Said(0, "Reprice 1 is taken back: 3 as before.\n", "")
    assert nano(home_store) == BEFORE
    assert totals(home_store) == sums(home_store)


def test_json_is_json_alone_on_every_path(cli: Cli, home_store: Store) -> None:
    def told(*words: str) -> Any:
        said = cli("reprice", *words, "--json")
        assert (said.code, said.err) == (0, "")
        return json.loads(said.out)

    compared = told("--dry-run")
    assert (compared["dry_run"], compared["looked_at"], compared["requests"]) == (True, 4, 3)
    assert (compared["difference_usd"], compared["difference_nanousd"]) == (5.0, 5 * 10**9)
    assert [day["model"] for day in compared["days"]] == ["acme-7b"]
    assert told("--reported")["difference_usd"] == -7.0
    assert told("list") == {"data": []}
    done = told("user:alice")
    assert (done["id"], done["state"], done["changed"], done["filter"]) == (1, "done", 2, "user:alice")
    assert (done["versions_before"], done["version"]) == (["old"], "own")
    assert told("~unpriced")["changed"] == 1
    assert told("no-such-model")["looked_at"] == 0
    assert [run["id"] for run in told("list")["data"]] == [3, 2, 1]
    assert told("--undo", "1")["state"] == "undone"


def test_what_was_reported_is_compared_and_never_written(cli: Cli, home_store: Store) -> None:
    said = cli("reprice", "--reported")
    assert said.code == 0
    assert said.out.splitlines()[1].split()[1:] == ["acme-7b", "1", "$10.00", "$3.00", "-$7.00"]
    assert said.out.endswith("Reported costs compared: 1. What was reported stays as it is.\n")
    assert nano(home_store) == BEFORE
    prices(10, "acme-7b")
    assert cli("reprice", "--reported").out == "Reported costs compared: 1; none differs.\n"


def test_nothing_to_do_is_no_failure(cli: Cli) -> None:
    cli("reprice")
    said = cli("reprice", "--dry-run")
    assert said.out == "Computed and unknown costs compared: 4; no cost would change.\n"
    assert said.code == 0
    assert cli("reprice", "model:none-such") == Said(
        0, "Requests looked at: 0; every cost is what the prices of now make of it.\n", ""
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--undo", "17"), "There is no reprice 17. `spendtop reprice list` names all."),
        (("--resume", "17"), "There is no reprice 17. `spendtop reprice list` names all."),
        (("--undo", "99999999999999999999"), "There is no reprice 99999999999999999999."),
        (("--undo", "first"), "has to be a whole number, not 'first'"),
        (("--undo", "1", "user:alice"), "--undo takes the whole run that its number names; leave a filter out."),
        (("--undo", "1", "--dry-run"), "leave --dry-run out"),
        (("--undo", "1", "--resume", "1"), "leave --resume out"),
        (("--resume", "1", "--since", "1d"), "--resume takes the whole run"),
        (("--resume", "1", "--reported"), "leave --reported out"),
        (("--since", "2199-01-01"), "--since lies in the future."),
        (("--since", "soon"), "--since or --until"),
        (("--since", "1d", "--until", "2d"), "--since lies behind --until."),
        (("colour:red",), "The filter: there is no field 'colour'"),
        (("--dry-run", "model:/(/"), "The filter: "),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(cli: Cli, home_store: Store, words: tuple[str, ...], sentence: str) -> None:
    said = cli("reprice", *words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert rows(home_store, RepriceTable) == []


def test_a_run_is_taken_back_once_and_what_is_done_is_not_gone_on_with(cli: Cli) -> None:
    cli("reprice")
    assert cli("reprice", "--resume", "1") == Said(
        2, "", "spendtop: Reprice 1 is done; there is nothing to go on with.\n"
    )
    cli("reprice", "--undo", "1")
    again = cli("reprice", "--undo", "1")
    assert again.code == 2
    assert "Reprice 1 was taken back already, by " in again.err


def test_a_list_of_runs_says_by_whom_and_from_which_prices(cli: Cli, home_store: Store) -> None:
    assert "Nothing was priced anew yet." in cli("reprice", "list").out
    cli("reprice", "user:alice")
    cli("reprice", "--undo", "1")
    cli("reprice")
    lines = cli("reprice", "list").out.splitlines()
    assert lines[0].split() == ["id", "state", "begun", "by", "changed", "difference", "prices"]
    assert lines[1].split()[:2] == ["2", "done"]
    assert lines[1].endswith("3      +$5.00  old -> own")
    assert lines[2].split()[:2] == ["1", "undone"]


def test_a_run_that_nobody_works_on_is_interrupted_and_gone_on_with(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        run_id = repricing.begin(connection, RequestQuery(None), "", "ann", minutes_ago(1))
        repricing.leave(connection, run_id)
    said = cli("reprice", "list")
    assert said.out.splitlines()[1].split()[:2] == ["1", "interrupted"]
    assert said.out.endswith("Reprice 1 was interrupted; `spendtop reprice --resume 1` goes on there.\n")
    assert json.loads(cli("reprice", "list", "--json").out)["data"][0]["state"] == "interrupted"
    assert cli("reprice", "--resume", "1").code == 0
    assert nano(home_store) == AFTER
    assert cli("reprice", "list").out.splitlines()[1].split()[:2] == ["1", "done"]


def many(spent: Recorded) -> int:
    """More than a page; returns how many there are to correct."""
    spent.add(spent.request(minutes_ago(9), None, model="acme-7b", usage=A_MILLION) for _ in range(PAGE))
    return PAGE + 3


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_leaves_a_run_that_can_be_gone_on_with(
    cli: Cli, spent: Recorded, home_store: Store, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    count = many(spent)
    monkeypatch.setattr("spendtop.cli.requests.reprice.show", interrupt_once())
    said = cli("reprice", *(["--json"] if as_json else []))
    assert (said.code, said.err) == (130, "")
    if as_json:
        assert json.loads(said.out)["state"] == "interrupted"
    else:
        assert said.out == "Interrupted. `spendtop reprice --resume 1` goes on there.\n"
    assert cli("reprice", "list").out.splitlines()[1].split()[:2] == ["1", "interrupted"]
    cli("reprice", "--resume", "1")
    assert len(rows(home_store, RevisionTable)) == count
    monkeypatch.setattr("spendtop.cli.requests.reprice.show", interrupt_once())
    assert cli("reprice", "--undo", "1").out == "Interrupted. `spendtop reprice --undo 1` goes on there.\n"
    assert cli("reprice", "--resume", "1").err == (
        "spendtop: Reprice 1 is being taken back; there is nothing to go on with.\n"
    )
    assert cli("reprice", "--undo", "1").code == 0
    assert totals(home_store) == sums(home_store)
    assert nano(home_store)[:5] == BEFORE


def interrupt_once() -> Any:
    shown: list[str] = []

    def show(words: str) -> None:
        shown.append(words)
        if len(shown) == 1:
            raise KeyboardInterrupt

    return show


def test_progress_is_on_a_terminals_stderr_alone(cli: Cli, spent: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    many(spent)
    assert cli("reprice", "--dry-run").err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    said = cli("reprice", "--dry-run", "--json")
    assert json.loads(said.out)["requests"] == PAGE + 3
    assert said.err.split("\r\x1b[K")[1:] == ["200 requests looked at", "204 requests looked at", ""]
    said = cli("reprice")
    assert said.err.split("\r\x1b[K")[1:] == ["200 requests looked at, 200 changed", ""]


def test_a_table_fits_80_columns(cli: Cli, spent: Recorded) -> None:
    old = Cost(amount=Usd.of("12345.678"), basis=Basis.COMPUTED)
    spent.add(
        [
            *(replace(spent.request(minutes_ago(9), model=LONG, usage=A_MILLION), cost=old) for _ in range(3)),
            *(spent.request(minutes_ago(9), None, model=LONG, usage=A_MILLION) for _ in range(12)),
        ]
    )
    prices(2345.678, LONG, "acme-7b")
    lines = cli("reprice", "--dry-run").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split()[1].startswith("acco") and line.split()[1].endswith("…-11-01") for line in lines[:-1])
    cli("reprice")
    assert max(map(len, cli("reprice", "list").out.splitlines())) <= 80


def test_help_names_the_list(cli: Cli) -> None:
    said = cli("reprice", "--help")
    assert said.code == 0
    assert "`spendtop reprice list`" in " ".join(said.out.split())


# With a collector


def run_row(store: Store) -> Any:
    (row,) = rows(store, RepriceTable)
    return row


def test_a_collector_that_runs_is_asked(cli: Cli, home_store: Store) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.DONE, "3 of 4 requests have another cost now.") as done:
        said = cli("reprice", "user:alice", "--since", "1d")
    assert said == Said(0, "3 of 4 requests have another cost now.\n", "")
    (task,) = done
    assert (task.kind, task.arguments["run"]) == (TaskKind.REPRICE, run_row(home_store).id)
    assert (run_row(home_store).filter, run_row(home_store).looked_at) == ("user:alice", 0)
    assert nano(home_store) == BEFORE
    with doing_one(home_store, TaskState.DONE, "Taken back.") as done:
        assert cli("reprice", "--undo", "1").out == "Taken back.\n"
    assert done[0].kind is TaskKind.REPRICE_UNDO


def test_a_wrong_number_is_not_asked_of_a_collector(cli: Cli, home_store: Store) -> None:
    pretend_to_collect(home_store)
    assert cli("reprice", "--undo", "17").code == 2
    with home_store.reading() as connection:
        assert not tasks.are_queued(connection)


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_stops_the_collectors_run(
    cli: Cli, home_store: Store, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    pretend_to_collect(home_store)
    is_waiting = threading.Event()

    def look(*_: object) -> None:
        if not is_waiting.is_set():
            is_waiting.set()
            with home_store.writing() as connection:
                repricing.leave(connection, 1)
            raise KeyboardInterrupt

    monkeypatch.setattr("spendtop.cli.run_task.show", look)
    said = cli("reprice", *(["--json"] if as_json else []))
    assert (said.code, said.err) == (130, "")
    if as_json:
        assert json.loads(said.out)["state"] == "interrupted"
    else:
        assert said.out == "Stopped before it began.\n"
    with home_store.reading() as connection:
        assert connection.execute(select(table_of(RepriceTable).c.state)).scalars().all() == ["running"]
