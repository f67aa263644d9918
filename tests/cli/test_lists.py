"""What waits for a person: alerts, deliveries and quarantine."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from sqlalchemy import update

from spendtop.cli.commands import COMMANDS
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, DeliveryTable, QuarantineTable
from tests.cli.conftest import Cli, minutes_ago

BAD = "\x1b]52;c;eA==\x07[/red]"


@pytest.mark.parametrize("words", [("alert", "list"), ("delivery", "list"), ("quarantine", "list")])
def test_an_empty_list_is_a_sentence(cli: Cli, home_store: Store, words: Sequence[str]) -> None:
    code, out, err = cli(*words)
    assert (code, err, len(out.splitlines())) == (0, "", 1)


@pytest.mark.parametrize(
    "words",
    [
        ("alert", "list"),
        ("delivery", "list"),
        ("quarantine", "list"),
        ("channel", "list"),
        ("token", "list"),
        ("ledger", "list"),
        ("limit", "list"),
        ("reprice", "list"),
        ("requests",),
    ],
)
def test_every_list_is_json_when_asked(cli: Cli, home_store: Store, words: Sequence[str]) -> None:
    code, out, err = cli(*words, "--json")
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out)["data"], list)


def test_every_command_that_lists_takes_json() -> None:
    listing = [name for name in COMMANDS if name.endswith(" list")]
    assert len(listing) >= 8
    assert [
        name for name in listing if "--json" not in [flag for each in COMMANDS[name].arguments for flag in each.names]
    ] == []


def alert_values(name: str, state: str) -> dict[str, object]:
    return {
        "rule": f"limit/{name}",
        "entity": BAD,
        "window_start": 0,
        "window_end": None,
        "state": state,
        "severity": "critical",
        "announced": 1.0,
        "used_nano": 12_000_000_000,
        "limit_nano": 10_000_000_000,
        "unpriced": 2,
        "crossed_at": minutes_ago(9),
        "late": False,
        "falls": 0,
        "spoke": 1,
        "opened_at": minutes_ago(9),
        "updated_at": minutes_ago(9),
        "version": 1,
    }


def test_open_alerts_are_listed_and_with_all_the_resolved_too(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        for name, state in (("daily", "exceeded"), ("weekly", "resolved")):
            connection.execute(table_of(AlertTable).insert().values(**alert_values(name, state)))
    out = cli("alert", "list").out
    assert "daily" in out and "weekly" not in out
    assert "$12.00 + 2 unpriced" in out and "\x1b" not in out and "[/red]" in out
    assert "weekly" in cli("alert", "list", "--all").out


def test_deliveries_are_listed_without_a_url_or_a_control_character(cli: Cli, home_store: Store) -> None:
    message = Message(kind=MessageKind.EXCEEDED, limit_name="daily", entity=BAD, used_nano=5, limit_nano=4, others=5991)
    with home_store.writing() as connection:
        outbox_rules.enqueue(
            connection,
            alert_id=1,
            seq=1,
            message=message,
            severity="critical",
            channels=["ops", "boss"],
            now=minutes_ago(3),
        )
        delivery = table_of(DeliveryTable)
        connection.execute(update(delivery).where(delivery.c.channel == "boss").values(state="sent"))
        connection.execute(update(delivery).where(delivery.c.channel == "ops").values(state="dead", last_error=BAD))
    out = cli("delivery", "list").out
    assert "ops" in out and "dead" in out and "exceeded daily" in out and "and 5,991 more" in out and "boss" not in out
    assert "\x1b" not in out
    assert "boss" in cli("delivery", "list", "--all").out


def test_quarantine_lists_what_was_not_understood_and_tests(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        for number, kind in enumerate(("unrecognized", "test")):
            connection.execute(
                table_of(QuarantineTable)
                .insert()
                .values(
                    digest=bytes([number]),
                    source="helicone",
                    kind=kind,
                    state="open",
                    reason=BAD,
                    received_at=minutes_ago(1),
                    size=77,
                )
            )
    out = cli("quarantine", "list").out
    assert "unrecognized" in out and "test" in out and " 77 " in out and "\x1b" not in out
