"""Calls that wait until another collector has taken them."""

from __future__ import annotations

import pytest

from spendtop.services.agents import files as agent_files
from spendtop.services.agents import spool as agent_spool
from spendtop.store.engine import Store

ITEMS = [b'{"key":"a"}', b'{"key":"b"}']


def test_what_waits_goes_in_order_and_stays_until_it_was_taken(store: Store) -> None:
    with store.writing() as connection:
        agent_spool.begin(connection, "box", "https://there")
        agent_spool.append(connection, "box", ITEMS)
        agent_spool.append(connection, "box", [b'{"key":"c"}'])
        agent_spool.append(connection, "other", ITEMS)
        agent_spool.failed(connection, "box", "nobody is there")
    with store.writing() as connection:
        first = agent_spool.oldest(connection, "box")
        assert first is not None
        assert [bytes(item) for item in first.items] == ITEMS
        waiting = agent_spool.state(connection, "box")
        assert (waiting.waiting, waiting.problem, waiting.is_amiss) == (3, "nobody is there", True)
        agent_spool.taken(connection, "box", first, refused=1, now=5)
        after = agent_spool.state(connection, "box")
        assert (after.waiting, after.sent, after.refused, after.sent_at, after.problem) == (1, 1, 1, 5, "")
        assert after.words == "pushed to https://there: 1 call, 1 call to go; refused there: 1"
        assert agent_spool.state(connection, "other").waiting == 2


def test_what_was_kept_first_stays_where_there_is_no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.writing() as connection:
        agent_spool.begin(connection, "box", "https://there")
        agent_spool.append(connection, "box", ITEMS)
        monkeypatch.setattr(agent_spool, "MOST_BYTES", agent_spool.state(connection, "box").size)
        agent_spool.append(connection, "box", [b'{"key":"c"}'])
        full = agent_spool.state(connection, "box")
        assert (full.waiting, full.left) == (2, 1)
        assert "is full" in full.words
        agent_files.note_file(connection, "box", "codex", "/f", "{}")
        agent_spool.make_up_for_what_was_left(connection, "box")
        assert agent_spool.state(connection, "box").left == 0
        assert agent_files.bookmarks(connection, "box") == {}


def test_another_address_gets_everything(store: Store) -> None:
    with store.writing() as connection:
        agent_spool.begin(connection, "box", "https://there")
        agent_spool.append(connection, "box", ITEMS)
        agent_files.note_file(connection, "box", "codex", "/f", "{}")
        agent_spool.begin(connection, "box", "https://elsewhere")
        assert agent_spool.oldest(connection, "box") is None
        assert agent_files.bookmarks(connection, "box") == {}
        assert agent_spool.state(connection, "box").to == "https://elsewhere"
