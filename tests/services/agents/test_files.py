from __future__ import annotations

from msgspec.structs import replace

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Billing
from spendtop.services.agents import files as agent_files
from spendtop.services.agents.files import RootLook
from spendtop.store.engine import Store
from tests.services.recording.test_plan_calls import START, Desk, call

LOOK = RootLook(
    agent="claude-code",
    root="/home/mira/.claude",
    files=3,
    waiting=1,
    size=10,
    oldest=START,
    left_out={"malformed lines": 2},
    looked_at=START,
)


def test_how_far_files_are_read_is_of_one_machine(store: Store) -> None:
    with store.writing() as connection:
        for host, bookmark in (("a", "1"), ("b", "2"), ("a", "3")):
            agent_files.note_file(connection, host, "codex", "/f", bookmark)
        assert agent_files.bookmarks(connection, "a") == {"/f": "3"}
        before = agent_files.rescans(connection)
        assert agent_files.forget(connection, "a") == 1
        assert (agent_files.bookmarks(connection, "a"), agent_files.bookmarks(connection, "b")) == ({}, {"/f": "2"})
        assert agent_files.rescans(connection) == before + 1


def test_what_was_left_out_adds_up_and_what_is_missed_is_as_of_now(store: Store) -> None:
    with store.writing() as connection:
        agent_files.note_root(connection, "a", LOOK, {"files that cannot be read": 4})
        agent_files.note_root(connection, "a", replace(LOOK, waiting=0), {})
        (look,) = agent_files.looks(connection, "a")
        assert look == replace(LOOK, waiting=0, left_out={"malformed lines": 4})
        assert agent_files.looks(connection, "b") == []


def test_what_is_recorded_of_an_agent(store: Store) -> None:
    desk = Desk(store)
    desk.record(call(), call("msg_2", START + 5, output_final=False), call("msg_3", counted=True))
    with store.writing() as connection:
        agent_files.note_root(connection, "a", LOOK, {})
        use = agent_files.uses(connection)["claude-code"]
    assert (use.calls, use.oldest, use.newest, use.lower_bounds) == (3, START, START + 5, 1)
    assert (use.cost, use.api_equivalent, use.unpriced) == (Usd(23), Usd(46), 0)
    desk.record(call("msg_4", model="unpriced"), call("msg_5", model="unpriced", billing=Billing.API, counted=True))
    with store.reading() as connection:
        use = agent_files.uses(connection)["claude-code"]
    assert (use.calls, use.api_equivalent, use.unpriced) == (5, Usd(46), 2)
