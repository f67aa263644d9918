from __future__ import annotations

import json
import socket
from pathlib import Path

from spendtop.services.agents import files as agent_files
from spendtop.services.agents import spool as agent_spool
from spendtop.store.engine import Store
from tests.cli.conftest import Cli, write_config
from tests.services.agents.test_files import LOOK
from tests.services.recording.test_plan_calls import Desk, call


def test_what_was_found_is_listed_with_what_could_not_be_read(cli: Cli, home_store: Store) -> None:
    assert cli("agents").out.startswith("No files of coding agents were found here.")
    desk = Desk(home_store)
    desk.record(call(output_final=False))
    with home_store.writing() as connection:
        agent_files.note_root(connection, socket.gethostname(), LOOK, {"files that cannot be read": 1})
    out = cli("agents").out
    assert "/home/mira/.claude" in out and ">=" in out
    assert "claude-code: still to be read: 1 of 3 files." in out
    assert "claude-code, left out: malformed lines (2), files that cannot be read (1)" in out
    (item,) = json.loads(cli("agents", "--json").out)["data"]
    assert (item["agent"], item["files"], item["calls"], item["lower_bounds"]) == ("claude-code", 3, 1, 1)
    assert (item["cost_nanousd"], item["api_equivalent_nanousd"], item["unpriced"]) == (0, 23, 0)
    desk.record(call("msg_2", model="unpriced"))
    assert "+ 1 unpriced" in cli("agents").out


def test_check_names_the_agents_that_keep_files_here(cli: Cli, home_store: Store) -> None:
    assert "claude-code" not in cli("check").out
    folder = Path.home() / ".claude"
    folder.mkdir(parents=True)
    assert f"{folder}: its calls are usage under a plan, which is no spend" in " ".join(cli("check").out.split())
    write_config('[server]\nport = 0\n[agents.claude-code]\nbilling = "api"\n')
    assert f"{folder}: its calls are spend" in " ".join(cli("check").out.split())
    write_config("[server]\nport = 0\n[agents]\nenabled = false\n")
    assert "claude-code" not in cli("check").out


def test_a_rescan_forgets_how_far_files_are_read(cli: Cli, home_store: Store) -> None:
    with home_store.writing() as connection:
        agent_files.note_file(connection, socket.gethostname(), "codex", "/f", "{}")
    assert "read before: 1 file." in cli("agents", "rescan").out
    with home_store.reading() as connection:
        assert agent_files.bookmarks(connection, socket.gethostname()) == {}


def test_pushing_needs_a_key_and_an_address_that_nobody_reads_along_with(cli: Cli, home_store: Store) -> None:
    assert (cli("agents", "push").code, cli("agents", "push", "ftp://x").code) == (2, 2)
    in_the_clear = cli("agents", "push", "http://spend.example.org")
    assert (in_the_clear.code, "https://" in in_the_clear.err) == (2, True)
    without_key = cli("agents", "push", "https://spend.example.org")
    assert (without_key.code, "SPENDTOP_AGENTS__PUSH_KEY" in without_key.err) == (78, True)
    write_config('[server]\nport = 0\n[agents]\npush_to = "http://spend.example.org"\n')
    assert "push_to" in cli("agents", "push").err
    write_config('[server]\nport = 0\n[agents]\npush_to = "https://spend.example.org"\n')
    assert "there is no key to push with" in " ".join(cli("check").out.split())


def test_how_pushes_stand_and_what_others_pushed_is_said(cli: Cli, home_store: Store) -> None:
    Desk(home_store).record(call(properties={"host": "laptop"}))
    with home_store.writing() as connection:
        agent_spool.begin(connection, socket.gethostname(), "https://there")
        agent_spool.append(connection, socket.gethostname(), [b"{}"])
        agent_spool.failed(connection, socket.gethostname(), "nobody answers")
    out = cli("agents").out
    assert "claude-code on laptop: 1 call, the newest" in out
    assert "pushed to https://there: 0 calls, 1 call to go; nobody answers" in out
    told = json.loads(cli("agents", "--json").out)
    assert (told["elsewhere"][0]["host"], told["push"]["waiting"], told["push"]["problem"]) == (
        "laptop",
        1,
        "nobody answers",
    )
    write_config(f'[server]\nport = 0\n[agents]\npush_to = "https://there"\npush_key = "{"k" * 30}"\n')
    assert "nobody answers" in " ".join(cli("check").out.split())
