"""Which agents keep files here, with what is recorded of them."""

from __future__ import annotations

from msgspec.structs import replace

from spendtop.domain.clock import HOUR
from spendtop.services.agents import files as agent_files
from spendtop.services.agents.found import agents_found
from spendtop.store.engine import Store
from tests.services.agents.test_files import LOOK
from tests.services.recording.test_plan_calls import START, Desk, call


def test_folders_of_one_agent_are_told_together_with_all_its_calls(store: Store) -> None:
    Desk(store).record(call(), call("msg_2", START + 2 * HOUR + 5), call("msg_3", counted=True))
    with store.writing() as connection:
        agent_files.note_root(connection, "a", LOOK, {"files without permission": 1})
        agent_files.note_root(connection, "a", replace(LOOK, root="/elsewhere", waiting=0), {})
        agent_files.note_root(connection, "a", replace(LOOK, agent="amp", files=0, left_out={}), {})
        (found,) = agents_found(connection, "a")
        (elsewhere,) = agents_found(connection, "b")
        assert (elsewhere.files, elsewhere.calls) == (0, 3)
    assert (found.agent, found.files, found.calls, found.last_at) == ("claude-code", 6, 3, START + 2 * HOUR + 5)
    assert found.reading == "still to be read: 1 of 6 files"
    assert found.left_out_words == "malformed lines (4), files without permission (1)"
