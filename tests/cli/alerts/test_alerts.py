"""What people do about alerts from the shell."""

from __future__ import annotations

import json
import re

import pytest

from spendtop.domain.clock import MINUTE
from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import Destination, PushHealth
from spendtop.domain.sources.records import ANTHROPIC_PUSH
from spendtop.domain.windows import Calendar
from spendtop.services import checkpoints
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, AlertTransitionTable
from tests.cli.conftest import Cli, minutes_ago
from tests.cli.test_lists import alert_values
from tests.store.conftest import Recorded


@pytest.fixture
def alert(home_store: Store) -> Store:
    """A store with one open alert, number 1."""
    with home_store.writing() as connection:
        connection.execute(table_of(AlertTable).insert().values(**alert_values("daily", "exceeded")))
    return home_store


def test_an_ack_is_shown_with_who_takes_care(cli: Cli, alert: Store) -> None:
    assert cli("alert", "ack", "1", "--by", "ana\x1b[2J").code == 0
    out = cli("alert", "list").out
    assert "acked by ana" in out and "\x1b" not in out
    assert cli("alert", "unack", "1").code == 0
    assert "acked" not in cli("alert", "list").out


def test_a_snooze_is_shown_with_its_end(cli: Cli, alert: Store) -> None:
    assert "4h" in cli("alert", "snooze", "1", "4h").out
    assert "snoozed until" in cli("alert", "list").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ack", "9"), "no alert 9"),
        (("snooze", "1", "8d"), "up to 7 days"),
        (("snooze", "1", "soon"), "30m, 4h or 2d"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(cli: Cli, alert: Store, words: tuple[str, ...], said: str) -> None:
    code, _, err = cli("alert", *words)
    assert code == 2
    assert said in err


def test_alerts_about_accounts_say_what_is_left_and_stale_data_no_amount(cli: Cli, home_store: Store) -> None:
    low = {"rule": "balance/openai", "used_nano": 9_996_000_000, "limit_nano": 10_000_000_000}
    stale = {"rule": "stale/openai-costs", "used_nano": 0, "limit_nano": 0}
    with home_store.writing() as connection:
        for values in (low, stale):
            known = alert_values("daily", "exceeded")
            connection.execute(table_of(AlertTable).insert().values(**{**known, "id": None, **values}))
    lines = [line.split() for line in cli("alert", "list").out.splitlines()[1:]]
    assert [(line[1:3], line[5:8]) for line in lines] == [
        (["source", "openai-costs"], ["-", "-", "-"]),
        (["balance", "openai"], ["$9.99", "-", "$10.00"]),
    ]


def test_a_destination_that_is_off_is_listed_with_the_way_back(cli: Cli, home_store: Store) -> None:
    off = Destination(id="d", name="spendtop", address="https://spend.example.org", is_enabled=False)
    amiss = push_health.way_back(ANTHROPIC_PUSH, off)
    assert amiss is not None and "`spendtop anthropic connect spend.example.org`" in amiss
    stale = {"rule": "stale/anthropic-push", "used_nano": 0, "limit_nano": 0}
    with home_store.writing() as connection:
        connection.execute(table_of(AlertTable).insert().values(**{**alert_values("", "approaching"), **stale}))
        packed = push_health.packed(PushHealth(amiss=amiss))
        checkpoints.succeeded(connection, "anthropic-push", minutes_ago(1), cursor=packed)
    assert f"1: {amiss}" in cli("alert", "list").out
    assert re.search(rf"^why +{re.escape(amiss)}$", cli("alert", "show", "1").out, re.MULTILINE)
    assert json.loads(cli("alert", "show", "1", "--json").out)["evidence"] == amiss


def test_unusual_spend_is_listed_in_numbers_with_what_it_is_of(cli: Cli, home_store: Store, spent: Recorded) -> None:
    at = minutes_ago(0)
    spent.add([spent.request(at - MINUTE, 4_200_000, user_id="al\x1bice", model="o3")])
    unusual = {
        **alert_values("", "approaching"),
        "rule": "anomaly/user",
        "entity": "al\x1bice",
        "window_start": at - 3 * MINUTE,
        "used_nano": 14_400_000_000,
        "limit_nano": 1_200_000_000,
        "unpriced": 0,
    }
    collector = CollectorInfo(version="1", host="here", pid=1, url="http://127.0.0.1:1", started_at=0)
    in_force = Applied(limits=(), calendar=Calendar("UTC"), channels=(), collector=collector, at=0, config_digest="")
    with home_store.writing() as connection:
        keep(connection, in_force)
        connection.execute(table_of(AlertTable).insert().values(**unusual))
    out = cli("alert", "list").out
    assert re.search(r"1  anomaly +user +al.?ice +unusual +\$14.40 +\$0.0042 +12 times the usual \$1.20", out)
    assert re.search(r"^1: user al.?ice, most of it model o3 \$0.0042$", out, re.MULTILINE)
    [item] = json.loads(cli("alert", "list", "--json").out)["data"]
    assert (item["kind"], item["used_usd"], item["limit_usd"]) == ("anomaly", 14.4, 1.2)
    assert [each["key"] for each in item["contributors"]] == ["o3"]


def test_a_silence_is_made_listed_ended_and_undone(cli: Cli, alert: Store) -> None:
    assert "Silence 1 lasts 2h" in cli("alert", "silence", "limit:daily", "--for", "2h", "--by", "ana").out
    assert "silenced until" in cli("alert", "list").out
    assert re.search(r"1 +limit:daily +ana", cli("alert", "silences").out)
    (item,) = json.loads(cli("alert", "silences", "--json").out)["data"]
    assert (item["id"], item["filter"], item["by"]) == (1, "limit:daily", "ana")
    assert cli("alert", "unsilence", "1").code == 0
    assert cli("alert", "silences").out == "No silence is in force.\n"
    assert cli("alert", "silence", "kind:limit", "--for", "1d").code == 0
    assert "Silence 2 (kind:limit) has ended" in cli("alert", "undo").out


def test_one_alert_is_shown_with_what_it_said_and_who_did_what_about_it(cli: Cli, alert: Store) -> None:
    with alert.writing() as connection:
        connection.execute(table_of(AlertTable).update().values(version=4, spoke=3, falls=1))
        for version, (spoke, falls, used) in enumerate([(1, 0, 41), (1, 0, 99), (2, 0, 55), (3, 1, 30)], 1):
            stood = {"alert_id": 1, "version": version, "at": minutes_ago(9 - version), "state": "exceeded"}
            stood |= {"severity": "critical", "spoke": spoke, "falls": falls, "crossed_at": 0}
            stood |= {"used_nano": used * 10**9, "limit_nano": 50 * 10**9}
            connection.execute(table_of(AlertTransitionTable).insert().values(**stood))
    assert cli("alert", "ack", "1", "--by", "ana").code == 0
    assert cli("alert", "snooze", "1", "2h").code == 0
    out = cli("alert", "show", "1").out
    assert re.findall(r"\S+: \S+ of .*", out) == [
        "exceeded: $41.00 of $50.00",
        "exceeded: $55.00 of $50.00",
        "resolved: $30.00 of $50.00",
    ]
    assert re.search(r"^alert +1 limit daily$", out, re.MULTILINE)
    assert re.search(r"acked by ana$", out, re.MULTILINE) and re.search(r"snoozed until .* by \S+$", out, re.MULTILINE)
    item = json.loads(cli("alert", "show", "1", "--json").out)
    assert [deed["what"] for deed in item["history"]] == ["ack", "snooze"]
    assert [(each["kind"], each["used_usd"]) for each in item["announcements"]] == [
        ("exceeded", 41.0),
        ("exceeded", 55.0),
        ("resolved", 30.0),
    ]
    assert "There is no alert 9" in cli("alert", "show", "9").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("silence", "usr:ann", "--for", "2h"), "did you mean 'user'"),
        (("silence", "cost>5", "--for", "2h"), "alerts have no field 'cost'"),
        (("silence", "user:ann", "--for", "soon"), "--for 30m"),
        (("silence", "user:ann", "--for", "31d"), "up to 30 days"),
        (("silence", "user:ann"), "--for"),
        (("unsilence", "7"), "No silence 7 is in force"),
        (("undo",), "nothing to undo"),
    ],
)
def test_what_cannot_be_silenced_or_undone_is_a_sentence(
    cli: Cli, alert: Store, words: tuple[str, ...], said: str
) -> None:
    code, _, err = cli("alert", *words)
    assert code == 2
    assert said in err
