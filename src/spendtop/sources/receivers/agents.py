"""Calls of coding agents that other machines read there and push here. A call is the agent's that it names."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from spendtop.config.types import duration_text
from spendtop.domain.requests.request import BodyState, Request
from spendtop.domain.sources.records import AGENT_PUSHES, PushedSource
from spendtop.domain.sources.remarks import RemarkKind, folded, remark
from spendtop.sources.agents.item import CallItem, Contradiction, billing_said, call_of
from spendtop.sources.agents.requests import Machine, request_of
from spendtop.sources.receivers import Described, Invalid, NotJson, Post, Pushed, Schema, Unreadable, field_of
from spendtop.sources.settings import AgentsSettings

MOST_ITEMS = 5_000

_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_TEXT: Schema = {"type": ["string", "null"]}
_ITEM: Schema = {
    "type": "object",
    "description": (
        "One call, with where it was made. The same key again is the same call: its counts only grow. What is left out"
        " is unknown. Prompt and answer are kept only where `[agents] bodies` says so here as well."
    ),
    "required": ["agent", "key", "time", "host"],
    "properties": {
        "agent": {"type": "string", "description": "Its name as a source, such as `claude-code`."},
        "key": {"type": "string", "description": "Its identity among the agent's calls."},
        "time": {"type": "string", "format": "date-time"},
        "host": {"type": "string", "description": "The machine that it was made on."},
        **dict.fromkeys(("user", "home"), _TEXT),
        "billing": {**_TEXT, "description": "How it is paid: `api` is spend, else it is usage under a plan."},
        "aliases": {"type": "array", "items": {"type": "string"}, "description": "Further names of the same call."},
        **dict.fromkeys(("provider", "model", "session", "path", "cwd", "branch"), _TEXT),
        "prompt": {**_COUNT, "description": "All input, cache reads and writes among it."},
        "completion": {**_COUNT, "description": "All output, reasoning among it."},
        **dict.fromkeys(("cache_read", "cache_write_5m", "cache_write_1h", "reasoning"), _COUNT),
        "output_final": {"type": "boolean", "description": "Whether the completion is all of it, not a lower bound."},
        "reported_cost_usd": {"type": ["number", "null"], "description": "What the agent says that it cost."},
        "properties": {"type": "object"},
        "request_body": {"description": "What was asked, in the shape of a provider's request."},
        "response_body": {"description": "What was answered."},
    },
}
_LARGEST_BODY = 256 * 1024
_NOT_KEPT = "[agents] bodies is off here"


class AgentReceiver:
    source: ClassVar[PushedSource] = AGENT_PUSHES
    largest: ClassVar[int] = 8 * 1024 * 1024
    unpacks: ClassVar[bool] = False
    described: ClassVar[Described] = Described(
        summary="Takes calls of coding agents from other machines, one or an array of them.",
        content={"application/json": {"schema": {"anyOf": [_ITEM, {"type": "array", "items": _ITEM}]}}},
    )

    def __init__(self) -> None:
        self._one = msgspec.json.Decoder(Raw)
        self._many = msgspec.json.Decoder(list[Raw])
        self._item = msgspec.json.Decoder(CallItem)

    def read(self, post: Post) -> Pushed:
        """One call or an array of them. Raises NotJson and Unreadable."""
        text = post.raw.strip()
        try:
            text.decode()  # what is not looked into may hold anything
            elements = self._many.decode(text) if text.startswith(b"[") else [self._one.decode(text)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NotJson("The body is not JSON") from None
        if not elements:
            raise Unreadable("empty_batch", "The array is empty. Post at least one call.")
        if len(elements) > MOST_ITEMS:
            raise Unreadable("too_many_items", f"Post at most {MOST_ITEMS:,} calls at once.", status=413)
        items = tuple(self._call(element, post) for element in elements)
        bare = (each for each in items if isinstance(each, Request) and each.body_state is BodyState.NOT_KEPT)
        remarks = folded(remark(RemarkKind.NOT_KEPT, f"texts of {each.source.name}", _NOT_KEPT) for each in bare)
        return Pushed(items, remarks=remarks)

    def _call(self, element: Raw, post: Post) -> Request | Invalid:
        try:
            item = self._item.decode(element)
            call, billing = call_of(item), billing_said(item)
        except Contradiction as wrong:
            return Invalid({wrong.field: str(wrong)})
        except msgspec.ValidationError as wrong:
            return Invalid(field_of(wrong))
        except (msgspec.DecodeError, RecursionError):
            return Invalid({"item": "is not JSON"})
        kept = post.settings.retention.requests
        if call.occurred_at < post.received_at - kept:
            return Invalid({"time": f"lies more than {duration_text(kept)} back: older requests are not kept here"})
        for name, body in item.texts.items():
            if len(body) > _LARGEST_BODY:
                return Invalid({name: f"has to be at most {_LARGEST_BODY // 1024} KiB of JSON"})
        request = request_of(call, Machine(host=item.host, user=item.user), billing, post.received_at)
        if not item.texts:
            return request
        is_wanted = post.settings.section(AgentsSettings).bodies
        return replace(request, **(item.texts if is_wanted else {"body_state": BodyState.NOT_KEPT}))
