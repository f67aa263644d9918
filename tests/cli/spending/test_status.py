from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from spendtop.cli.options import Options, load_settings
from spendtop.cli.spending.status import _in_plain_sight, _in_settings, status_file
from spendtop.config.paths import data_folder
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.services.stores.presence import CollectorState, RunningCollector, announce, process_start
from tests.cli.conftest import Cli, write_config

DAILY = {
    "name": "daily",
    "entity": "",
    "state": "approaching",
    "used_nano": 41_820_000_000,
    "limit_nano": 50_000_000_000,
    "unpriced": 3,
}


def write_status(
    *limits: dict[str, Any],
    age: float = 0,
    path: Path | None = None,
    conditions: tuple[Condition, ...] | None = (),
    **further: Any,
) -> None:
    """As the collector writes it; without `conditions` none runs any more."""
    path = path or data_folder() / "spendtop.db.status.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "at": int((time.time() - age) * 1e6),
        "url": "http://127.0.0.1:8000",
        "today": {"nano": 41_820_000_000, "unpriced": 3, "requests": 120},
        "hour": {"nano": 2_100_000_000, "unpriced": 0, "requests": 12},
        "limits": limits,
        **further,
    }
    path.write_text(json.dumps(found))
    if conditions is None:
        return
    me = RunningCollector(
        pid=os.getpid(),
        state=CollectorState.READY,
        url="http://127.0.0.1:8000",
        started_by="service",
        since=0,
        process_started=process_start(os.getpid()),
        conditions=conditions,
    )
    announce(path.with_name(path.name.replace(".status.", ".collector.")), me)


def test_one_line_says_spend_and_the_fullest_limit(cli: Cli) -> None:
    write_status({**DAILY, "name": "other", "used_nano": 1, "state": "ok"}, DAILY)
    said = cli("status")
    assert said == (10, "$41.82 + 3 unpriced today · $2.10 last hour · daily 83% · approaching\n", "")
    assert cli("status", "--line").out == said.out


def test_usage_under_a_plan_is_said_beside_the_spend(cli: Cli) -> None:
    write_status(api_equivalent={"requests": 2, "tokens": 9, "nano": 12_400_000_000})
    assert cli("status").out == "$41.82 + 3 unpriced today · $2.10 last hour · ~$12.40 under plans\n"
    assert cli("status", "--line", "{plan}").out == "~$12.40\n"


def test_it_says_about_when_the_fullest_limit_is_reached(cli: Cli) -> None:
    at = 1_700_000_000_000_000
    band = {"reaches_at": at, "low": at, "high": None}
    write_status({**DAILY, "forecast": {**band, "enough_data": True, "words": "about 21:40 (from 20:50)"}})
    assert "daily 83% · approaching · 100% about 21:40 (from 20:50)" in cli("status").out
    assert cli("status", "--line", "{worst_name} {reaches}").out == "daily about 21:40 (from 20:50)\n"
    [limit] = json.loads(cli("status", "--json").out)["limits"]
    moment = "2023-11-14T22:13:20.000000Z"
    assert limit["forecast"] == {"enough_data": True, "reaches_at": moment, "low": moment, "high": None}
    write_status(DAILY)
    assert cli("status", "--line", "{reaches}").out == "\n"


@pytest.mark.parametrize(
    ("states", "code"), [((), 0), (("ok",), 0), (("ok", "approaching"), 10), (("exceeded", "approaching", "ok"), 11)]
)
def test_it_exits_by_the_worst_limit(cli: Cli, states: tuple[str, ...], code: int) -> None:
    write_status(*({**DAILY, "state": state} for state in states))
    assert cli("status").code == code
    assert cli("status", "--json").code == code


def test_messages_that_no_channel_took_are_said(cli: Cli) -> None:
    write_status()
    path = data_folder() / "spendtop.db.status.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "undelivered": 2}))
    assert " · 2 messages undelivered: spendtop delivery list" in cli("status").out
    assert json.loads(cli("status", "--json").out)["undelivered"] == 2
    assert cli("status", "--line", "{undelivered}").out == "2\n"


def test_without_its_process_nobody_collects_at_once(cli: Cli) -> None:
    write_status(DAILY, age=7, conditions=None)
    said = cli("status")
    how = "No collector runs, so nothing is recorded: start `spendtop --no-ui`"
    assert said.out.endswith(f" · NOT RECORDING for 7s: {how}\n")
    assert said.code == 10
    answer = json.loads(cli("status", "--json").out)
    assert (answer["collecting"], answer["standing"], answer["state"]) == (False, "NOT RECORDING", "approaching")
    assert answer["collector"] == "gone"
    assert cli("status", "--line", "{state} {standing}").out == "stale NOT RECORDING\n"
    assert cli("status", "--line", "{collector}").out == "gone\n"


def test_what_is_amiss_is_told_and_changes_no_exit_code(cli: Cli) -> None:
    since = int((time.time() - 125) * 1e6)
    locked = Condition(name="writer", status=ConditionStatus.DEGRADED, sentence="It waits. Free it.", since=since)
    write_status(conditions=(locked,))
    said = cli("status")
    assert (said.code, said.out.rpartition(" · ")[2]) == (0, "DEGRADED for 2m: It waits\n")
    (told,) = json.loads(cli("status", "--json").out)["conditions"]
    assert (told["name"], told["status"], told["sentence"]) == ("writer", "degraded", "It waits. Free it.")


def test_what_is_refused_is_told(cli: Cli) -> None:
    fact = "5 webhooks refused: the signature does not match"
    refused = Condition(name="refused", status=ConditionStatus.NOTICE, sentence=f"{fact}. Compare it.", since=0)
    write_status(conditions=(refused,))
    assert cli("status").out.endswith(f" · {fact}\n")
    answer = json.loads(cli("status", "--json").out)
    assert (answer["standing"], answer["collector"]) == ("LIVE", "running")
    assert cli("status", "--line", "{remark}").out == f"{fact}\n"


@pytest.mark.parametrize("content", ["{}", "[]", '{"at": 1}', "rubbish"])
def test_a_status_that_cannot_be_read_says_what_to_do(cli: Cli, content: str) -> None:
    write_status()
    (data_folder() / "spendtop.db.status.json").write_text(content)
    said = cli("status")
    assert (said.code, said.out) == (2, "")
    assert "Delete it" in said.err


def test_an_old_status_says_so_and_never_reads_as_no_spend(cli: Cli) -> None:
    write_status(DAILY, age=3 * 3600 + 5)
    assert "approaching · DEGRADED for 3h: The collector gives no sign of life" in cli("status").out
    assert cli("status", "--line", "{state} {age}").out == "stale 3h\n"
    assert json.loads(cli("status", "--json").out)["collecting"] is False


def test_a_format_has_its_own_words(cli: Cli) -> None:
    write_status({**DAILY, "entity": "al\x1bice"})
    line = "{today}|{hour}|{unpriced}|{requests}|{worst}|{worst_name}|{state}|{{"
    assert cli("status", "--line", line).out == "$41.82 + 3 unpriced|$2.10|3|120|83%|daily al␛ice|approaching|{\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("{tody}", "Did you mean {today}?"), ("{}", "{worst_name}"), ("{today", "brace"), ("{today.x}", "{today}")],
)
def test_a_format_that_cannot_be_filled_is_a_usage_error(cli: Cli, line: str, sentence: str) -> None:
    write_status(DAILY)
    said = cli("status", "--line", line)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err


def test_json_gives_dollars_and_exact_amounts(cli: Cli) -> None:
    write_status(DAILY)
    answer = json.loads(cli("status", "--json").out)
    assert answer["today"] == {
        "cost_usd": 41.82,
        "cost_nanousd": 41_820_000_000,
        "unpriced": 3,
        "failed": 0,
        "requests": 120,
    }
    assert answer["limits"][0]["limit_nanousd"] == 50_000_000_000
    assert (answer["state"], answer["collecting"]) == ("approaching", True)
    assert answer["api_equivalent"] == {"requests": 0, "tokens": 0, "usd": 0.0}


def test_without_a_collector_so_far_it_says_what_to_do(cli: Cli) -> None:
    said = cli("status")
    assert (said.code, said.out) == (2, "")
    assert "Start `spendtop`" in said.err


def test_half_a_file_is_named(cli: Cli) -> None:
    write_status()
    (data_folder() / "spendtop.db.status.json").write_text("{")
    assert "spendtop.db.status.json" in cli("status").err


@pytest.mark.parametrize(
    ("config", "environ", "words", "expected"),
    [
        ("", {}, {}, "data/spendtop/spendtop.db"),
        ('[database]\nurl = "sqlite:///own.db"', {}, {}, "own.db"),
        ('[database]\nurl = "sqlite:///own.db"', {"SPENDTOP_DATABASE__URL": "sqlite:///other.db"}, {}, "other.db"),
        ('[database]\nurl = "sqlite:///own.db"', {}, {"database_url": "sqlite:///~/third.db"}, "third.db"),
    ],
)
def test_the_quick_way_finds_the_file_that_the_configuration_names(
    monkeypatch: pytest.MonkeyPatch, config: str, environ: dict[str, str], words: dict[str, Any], expected: str
) -> None:
    home = Path.cwd()
    if config:
        write_config(config)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    path = home / f"{expected}.status.json"
    write_status(path=path)
    options = Options(**words)
    assert _in_plain_sight(options, environ) == _in_settings(options) == path


@pytest.mark.parametrize(
    ("config", "environ", "env"),
    [
        ('[database]\nurl = "env:STORE"', {"STORE": "sqlite:///far.db"}, ""),
        ("", {}, "DAILY_SPEND_LIMIT=5\nDATABASE_PATH=far.db"),
        ("", {"SPENDTOP_OLD_NAMES": "1", "DB_FILENAME": "far.db"}, ""),
    ],
)
def test_what_only_the_configuration_can_tell_is_asked_of_it(
    monkeypatch: pytest.MonkeyPatch, config: str, environ: dict[str, str], env: str
) -> None:
    home = Path.cwd()
    write_status(path=data_folder() / "spendtop.db.status.json")
    if config:
        write_config(config)
    if env:
        Path(".env").write_text(env)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert str(home / "far.db") in load_settings(Options()).settings.database.url.get_secret_value()
    assert status_file(Options()) == home / "far.db.status.json"


def test_a_wrong_configuration_is_named(cli: Cli) -> None:
    write_config("[server]\nprot = 1")
    assert "spendtop.toml:2: [server] prot" in cli("status").err
