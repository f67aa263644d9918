from __future__ import annotations

import json
import socket

from spendtop.services import agent_files
from spendtop.store.engine import Store
from tests.cli.conftest import Cli
from tests.services.test_agent_files import LOOK
from tests.services.test_plan_calls import Desk, call


def test_what_was_found_is_listed_with_what_could_not_be_read(cli: Cli, home_store: Store) -> None:
    assert cli("agents").out.startswith("No files of coding agents were found here.")
    Desk(home_store).record(call(output_final=False))
    with home_store.writing() as connection:
        agent_files.note_root(connection, socket.gethostname(), LOOK, {"files that cannot be read": 1})
    out = cli("agents").out
    assert "/home/mira/.claude" in out and ">=" in out
    assert "claude-code: 1 of 3 files are still to be read." in out
    assert "claude-code, left out: 2 malformed lines, 1 files that cannot be read" in out
    (item,) = json.loads(cli("agents", "--json").out)["data"]
    assert (item["agent"], item["files"], item["calls"], item["lower_bounds"]) == ("claude-code", 3, 1, 1)
    assert (item["cost_nanousd"], item["api_equivalent_nanousd"]) == (0, 23)


def test_a_rescan_forgets_how_far_files_are_read(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        agent_files.note_file(connection, socket.gethostname(), "codex", "/f", "{}")
    assert "1 were read before" in cli("agents", "rescan").out
    with home_store.reading() as connection:
        assert agent_files.bookmarks(connection, socket.gethostname()) == {}
