"""Calls of agents as another machine pushes them, and as the fixtures' records have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from spendtop.config.settings import Settings, settings_class
from spendtop.domain.clock import DAY
from spendtop.domain.requests.request import Billing, BodyState, Request
from spendtop.sources.agents.item import item_of, without_texts
from spendtop.sources.agents.requests import Machine, request_of
from spendtop.sources.receivers import Invalid, NotJson, Post, Pushed, Unreadable
from spendtop.sources.receivers.agents import MOST_ITEMS, AgentReceiver
from spendtop.sources.settings import SECTIONS
from tests.sources.agents.homes import cases, lay_out, read, with_files
from tests.sources.receivers.otlp.test_agent_events import NOW

SETTINGS: Settings = settings_class(SECTIONS)()
ITEM = {"agent": "claude-code", "key": "msg_1", "time": "2026-11-03T09:11:07.917Z", "host": "box", "prompt": 9}


def pushed(body: bytes) -> Pushed:
    return AgentReceiver().read(Post(body, NOW, SETTINGS, {}, "/agents"))


def the_problem(**fields: Any) -> dict[str, str]:
    (item,) = pushed(json.dumps({**ITEM, **fields}).encode()).items
    assert isinstance(item, Invalid)
    return item.fields


@pytest.mark.parametrize("name", with_files())
def test_a_pushed_call_is_what_was_read(name: str, tmp_path: Path) -> None:
    machine = Machine("box", "mira")
    calls = [*read(lay_out(name, tmp_path))]
    assert calls
    body = msgspec.json.encode([item_of(call, machine, "/home/mira", Billing.UNKNOWN) for call in calls])
    assert b"2026" in body
    assert list(pushed(body).items) == [request_of(call, machine, Billing.UNKNOWN, NOW) for call in calls]


def test_records_with_their_agent_in_front_of_the_key_are_the_same_calls(tmp_path: Path) -> None:
    name = "claude/sidechain"
    told = [{**record, "host": "box", "user": "mira"} for record in cases()[name]["expected"]["records"]]
    items = pushed(json.dumps(told).encode()).items
    here = [request_of(call, Machine("box", "mira"), Billing.UNKNOWN, NOW) for call in read(lay_out(name, tmp_path))]

    def known(requests: Any) -> set[tuple[Any, ...]]:
        return {(each.external_id, each.usage.prompt, each.usage.completion, each.session_path) for each in requests}

    assert known(items) == known(here)
    (first,) = pushed(json.dumps(told[0]).encode()).items
    assert isinstance(first, Request)
    assert first.other_ids == next(each.other_ids for each in here if each.external_id == first.external_id)
    assert (first.user_id, (first.properties or {})["agent_version"]) == ("mira@box", "2.1.214")


def test_what_cannot_be_taken_is_named_with_how_it_has_to_be() -> None:
    (nameless,) = pushed(b"{}").items
    assert isinstance(nameless, Invalid) and nameless.fields == {"agent": "is missing"}
    assert "agent" in the_problem(agent="nobody")
    assert "time" in the_problem(time="2026-11-03T09:11:07")
    assert "key" in the_problem(key="")
    assert the_problem(prompt=-1) == {"prompt": "has to be a whole number >= 0"}
    assert the_problem(model=5) == {"model": "has to be text, not a whole number"}
    assert the_problem(cache_read=10) == {"prompt": "has to hold the cache reads and writes, too"}
    assert "completion" in the_problem(completion=1, reasoning=2)
    assert "billing" in the_problem(billing="free")
    assert "service_level" in the_problem(service_level="slow")
    assert "older requests are not kept" in the_problem(time="2001-11-03T09:11:07Z")["time"]
    with pytest.raises(NotJson):
        pushed(b"[{]")
    with pytest.raises(Unreadable, match="empty"):
        pushed(b"[]")
    with pytest.raises(Unreadable, match="5,000"):
        pushed(b"[" + b",".join([b"1"] * (MOST_ITEMS + 1)) + b"]")


def test_texts_are_taken_only_where_the_receiver_keeps_them() -> None:
    body = json.dumps({**ITEM, "request_body": {"messages": []}, "response_body": None}).encode()
    bare = pushed(body)
    assert [(item.request_body, item.body_state) for item in bare.items if isinstance(item, Request)] == [
        (None, BodyState.NOT_KEPT)
    ]
    assert [(each.kind, each.name, each.count) for each in bare.remarks] == [("not kept", "texts of claude-code", 1)]
    keeping = settings_class(SECTIONS).model_validate({"agents": {"bodies": True}})
    whole = AgentReceiver().read(Post(body, NOW, keeping, {}, "/agents"))
    (item,) = whole.items
    assert isinstance(item, Request)
    assert (item.request_body, item.response_body, whole.remarks) == (b'{"messages": []}', None, ())
    assert "at most 256 KiB" in the_problem(response_body="x" * 300_000)["response_body"]
    assert json.loads(bytes(without_texts(Raw(body)))) == ITEM


def test_a_clock_ahead_and_an_empty_name_do_no_harm() -> None:
    ahead = {**ITEM, "time": "2027-11-03T09:11:07Z", "session": "", "path": "", "properties": {"plan": None, "n": 1}}
    (item,) = pushed(json.dumps(ahead).encode()).items
    assert isinstance(item, Request)
    assert (item.occurred_at, item.time_suspect, item.session_id, item.session_path) == (NOW, True, None, "/")
    assert item.properties == {"n": "1.0", "host": "box"}
    assert item.user_id == "box"
    assert item.received_at > NOW - DAY
