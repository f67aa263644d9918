"""Polling now from the shell."""

from __future__ import annotations

import pytest

from spendtop.services import tasks
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store.engine import Store
from tests.cli.conftest import Cli, write_config
from tests.cli.test_run_task import doing_one, pretend_to_collect


@pytest.fixture
def _asks_helicone() -> None:
    write_config('[helicone]\napi_key = "sk-helicone-canary"\n')


@pytest.mark.usefixtures("_asks_helicone")
@pytest.mark.parametrize(("words", "arguments"), [((), {}), (("helicone-api",), {"poller": "helicone-api"})])
def test_the_collector_polls_and_what_came_is_printed(
    cli: Cli, home_store: Store, words: tuple[str, ...], arguments: dict[str, object]
) -> None:
    pretend_to_collect(home_store)
    with doing_one(home_store, TaskState.DONE, "Polled: helicone-api.") as done:
        assert cli("poll", *words) == (0, "Polled: helicone-api.\n", "")
    assert (done[0].kind, done[0].arguments) == (TaskKind.POLL_NOW, arguments)


@pytest.mark.usefixtures("_asks_helicone")
def test_a_poller_that_there_is_not_is_told_with_those_that_there_are(cli: Cli, home_store: Store) -> None:
    said = cli("poll", "openai")
    assert (said.code, said.err) == (2, "spendtop: There is no such poller. There are: helicone-api.\n")


def test_without_a_key_nothing_can_be_polled(cli: Cli, home_store: Store) -> None:
    said = cli("poll")
    assert said.code == 2
    assert "Nothing is polled" in said.err


@pytest.mark.usefixtures("_asks_helicone")
def test_without_a_collector_nothing_is_asked(cli: Cli, home_store: Store) -> None:
    said = cli("poll")
    assert (said.code, said.err) == (2, "spendtop: No collector holds this store; start `spendtop`.\n")
    with home_store.reading() as connection:
        assert not tasks.are_queued(connection)
