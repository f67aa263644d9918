"""Tracking tokens from the shell."""

from __future__ import annotations

import os

import pytest

from spendtop.collector.process.store_lock import places
from spendtop.config.paths import data_folder
from spendtop.services import tokens
from spendtop.services.snippets import snippets
from spendtop.services.stores.presence import CollectorState, RunningCollector, announce, process_start
from spendtop.store.engine import Store
from spendtop.store.schema import version
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.store.conftest import Recorded


def values(store: Store) -> list[tuple[str, str, bool, bool]]:
    with store.reading() as connection:
        return [(one.name, one.token, one.active, one.shadow) for one in tokens.tokens(connection)]


def test_a_token_can_be_made_before_anything_ran(cli: Cli) -> None:
    code, out, err = cli("token", "create", "checkout")
    assert (code, err) == (0, "")
    store = Store(f"sqlite:///{data_folder() / 'spendtop.db'}")
    with store.reading() as connection:
        assert version(connection) is not None
        (made,) = tokens.tokens(connection)
    store.close()
    assert (made.name, len(made.token)) == ("checkout", 22)
    assert f"Tracking token checkout: {made.token}" in out
    assert (data_folder() / "spendtop.db").stat().st_mode & 0o777 == 0o600


def test_a_token_comes_with_snippets_for_each_kind_of_client(cli: Cli, home_store: Store) -> None:
    write_config('[server]\npublic_url = "https://spend.example.org"\ningest_keys = { default = "canary-key" }\n')
    out = cli("token", "create", "web", "--token", "web-1").out
    assert [line for line in out.splitlines() if line.startswith("---")] == [
        "--- python ---",
        "--- curl ---",
        "--- litellm ---",
        "--- opentelemetry ---",
    ]
    assert "https://spend.example.org/ingest" in out and "web-1" in out
    assert "canary-key" not in out


def test_the_snippets_name_the_running_collector_and_the_key_that_is_set(cli: Cli, home_store: Store) -> None:
    write_config('[server]\nport = 9000\ningest_keys = { apps = "canary-key" }\n')
    out = cli("token", "create", "before").out
    assert "http://127.0.0.1:9000/ingest" in out and "No collector runs on this machine now" in out
    pid = os.getpid()
    running = RunningCollector(
        pid=pid,
        state=CollectorState.READY,
        url="http://127.0.0.1:9123",
        started_by="service",
        since=minutes_ago(1),
        process_started=process_start(pid),
    )
    announce(places(home_store, data_folder()).holder, running)
    out = cli("token", "create", "web").out
    assert "http://127.0.0.1:9123/ingest" in out and ":9000" not in out
    assert 'the ingest key "apps"' in out and "canary-key" not in out


def test_without_an_ingest_key_it_says_what_is_missing(cli: Cli, home_store: Store) -> None:
    assert "ingest_keys" in cli("token", "create", "web").out


def test_the_value_of_existing_clients_is_kept_and_shadows_are_marked(cli: Cli, home_store: Store) -> None:
    assert cli("token", "create", "old app", "--token", "OLD_1.x-y", "--shadow").code == 0
    assert values(home_store) == [("old app", "OLD_1.x-y", True, True)]
    assert "shadow" in cli("token", "list").out


@pytest.mark.parametrize("reference", ["web-1", "web", "1"])
def test_a_token_is_switched_by_value_name_or_number(cli: Cli, home_store: Store, reference: str) -> None:
    cli("token", "create", "web", "--token", "web-1")
    assert "switched off" in cli("token", "disable", reference).out
    assert values(home_store)[0][2] is False
    assert "off" in cli("token", "list").out
    assert "switched on" in cli("token", "enable", reference).out
    assert values(home_store)[0][2] is True
    assert "what it pushed stays" in cli("token", "delete", reference).out
    assert values(home_store) == []


def test_the_list_says_what_was_pushed(cli: Cli, home_store: Store, spent: Recorded) -> None:
    cli("token", "create", "web", "--token", "web-1")
    spent.add([spent.request(minutes_ago(number), 5, token="web-1") for number in (3, 2, 1)])
    (row,) = [line for line in cli("token", "list").out.splitlines() if "web-1" in line]
    assert " 3 " in row


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "web"), "this name already"),
        (("create", "other", "--token", "web-1"), "this value already"),
        (("create", "  "), "needs a name"),
        (("create", "b", "--token", "has space"), "letters, digits"),
        (("disable", "nobody"), "no such tracking token"),
        (("delete", "99"), "no such tracking token"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(cli: Cli, home_store: Store, words: tuple[str, ...], said: str) -> None:
    cli("token", "create", "web", "--token", "web-1")
    code, _, err = cli("token", *words)
    assert code == 2
    assert said in err
    assert len(values(home_store)) == 1


def test_an_empty_list_says_how_to_make_one(cli: Cli, home_store: Store) -> None:
    assert "token create NAME" in cli("token", "list").out


def test_the_client_alone_can_be_kept_in_a_file(cli: Cli) -> None:
    code, out, err = cli("client")
    assert (code, err) == (0, "") and out in snippets("value", "http://host")["python"]
