"""A call of an agent as machines push it to each other: counts and names, and texts only where somebody wants that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.clock import to_datetime, to_micros
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Billing, ServiceLevel
from spendtop.domain.sources.records import AGENTS
from spendtop.domain.untrusted import NAME_LIMIT
from spendtop.domain.usage import MOST_TOKENS
from spendtop.sources.agents.fields import dollars
from spendtop.sources.agents.requests import Machine
from spendtop.sources.agents.talk import answer_body, question_body

_LONGEST = 4096
_Name = Annotated[str, Meta(min_length=1, max_length=NAME_LIMIT)]
_Text = Annotated[str, Meta(max_length=_LONGEST)]
_Count = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]
_Time = Annotated[datetime, Meta(tz=True)]
_AGENTS = tuple(agent.name for agent in AGENTS)
_NO_TEXT = Raw()
_BODIES = ("request_body", "response_body")
_REQUEST = "req_"
"""Begins the provider's id of an HTTP request, which Claude Code's telemetry names."""


class Contradiction(ValueError):
    """What an item says of one field does not go with the others."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


class CallItem(Struct, kw_only=True, omit_defaults=True):
    """One call, with where it was made. What is left out is unknown; what is not known here is passed over."""

    agent: str
    key: Annotated[str, Meta(min_length=1, max_length=_LONGEST)]
    """Its identity among the agent's calls; said again, its counts grow."""
    time: _Time
    host: _Name
    """The machine that it was made on."""
    user: _Name | None = None
    home: _Text | None = None
    """The folder that its file lies in."""
    billing: str | None = None
    """How it is paid, as `Billing` spells it."""
    aliases: Annotated[list[_Text], Meta(max_length=100)] = []
    request_id: _Text | None = None
    response_id: _Text | None = None
    begun: _Time | None = None
    """When its session began."""
    rank: Annotated[int, Meta(ge=0, le=9)] = 0
    provider: _Text | None = None
    model: _Text | None = None
    prompt: _Count | None = None
    """All input, cache reads and writes among it."""
    completion: _Count | None = None
    """All output, reasoning among it."""
    cache_read: _Count | None = None
    cache_write_5m: _Count | None = None
    cache_write_1h: _Count | None = None
    reasoning: _Count | None = None
    units: dict[_Text, Annotated[float, Meta(ge=0, le=MOST_TOKENS)]] = {}
    output_final: bool = True
    """Whether the completion is all of it, not a lower bound."""
    reported_cost_usd: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    service_level: str | None = None
    inference_geo: _Text | None = None
    session: _Text | None = None
    path: _Text = "/"
    cwd: _Text | None = None
    branch: _Text | None = None
    properties: Annotated[dict[_Text, _Text | float | None], Meta(max_length=100)] = {}
    request_body: Raw = _NO_TEXT
    """What was asked, as JSON in a shape that a provider has; empty where no texts are sent."""
    response_body: Raw = _NO_TEXT

    @property
    def texts(self) -> dict[str, bytes]:
        """What was said around it, by field."""
        bodies = {"request_body": bytes(self.request_body), "response_body": bytes(self.response_body)}
        return {name: body for name, body in bodies.items() if body not in (b"", b"null")}


def item_of(call: AgentCall, machine: Machine, home: str, billing: Billing) -> CallItem:
    """A call that was read here, in a folder of this machine."""
    counts = call.counts
    long = counts.cache_write_1h
    properties: dict[str, Any] = dict(call.properties)
    return CallItem(
        agent=call.agent,
        key=call.key,
        time=to_datetime(call.occurred_at),
        host=machine.host,
        user=machine.user,
        home=home,
        billing=billing.value,
        aliases=sorted(call.aliases),
        request_id=call.request_id,
        response_id=call.response_id,
        begun=to_datetime(call.begun_at),
        rank=call.rank,
        provider=call.provider,
        model=call.model,
        prompt=counts.prompt,
        completion=counts.output,
        cache_read=counts.cache_read,
        cache_write_5m=None if counts.cache_write is None else counts.cache_write - (long or 0),
        cache_write_1h=long,
        reasoning=counts.reasoning,
        units={unit: float(count) for unit, count in call.units.items()},
        output_final=call.output_final,
        reported_cost_usd=None if call.reported is None else Usd.float_of(call.reported),
        service_level=None if call.level is None else call.level.value,
        inference_geo=call.geo,
        session=call.session,
        path=call.path,
        cwd=properties.pop("project", None),
        branch=properties.pop("branch", None),
        properties=properties,
    )


def with_texts(item: CallItem, call: AgentCall, redact: Callable[[bytes], bytes]) -> CallItem:
    """The same with what was said around the call, masked."""
    bodies = {"request_body": question_body(call), "response_body": answer_body(call)}
    return replace(item, **{name: Raw(redact(body)) for name, body in bodies.items() if body is not None})


def without_texts(item: Raw) -> Raw:
    """A call as it is pushed, without what was said around it."""
    told = msgspec.json.decode(item, type=dict[str, Raw])
    return Raw(msgspec.json.encode({name: value for name, value in told.items() if name not in _BODIES}))


def call_of(item: CallItem) -> AgentCall:
    """Raises Contradiction."""
    if item.agent not in _AGENTS:
        raise Contradiction("agent", f"has to be one of {', '.join(_AGENTS)}")
    if item.service_level is not None and item.service_level not in set(ServiceLevel):
        raise Contradiction("service_level", f"has to be one of {', '.join(ServiceLevel)}")
    aliases = frozenset(item.aliases)
    at = to_micros(item.time)
    return AgentCall(
        agent=item.agent,
        key=item.key.removeprefix(f"{item.agent}:"),
        aliases=aliases - {each for each in aliases if each.startswith(_REQUEST)},
        rank=item.rank,
        request_id=item.request_id or min((each for each in aliases if each.startswith(_REQUEST)), default=None),
        response_id=item.response_id,
        occurred_at=at,
        begun_at=at if item.begun is None else to_micros(item.begun),
        provider=item.provider,
        model=item.model,
        counts=_counts(item),
        units={unit: int(count) if count.is_integer() else count for unit, count in item.units.items()},
        output_final=item.output_final,
        reported=dollars(item.reported_cost_usd),
        level=None if item.service_level is None else ServiceLevel(item.service_level),
        geo=item.inference_geo,
        session=item.session or None,
        path=item.path or "/",
        properties=_properties(item),
    )


def billing_said(item: CallItem) -> Billing:
    """Raises Contradiction."""
    try:
        return Billing(item.billing or Billing.UNKNOWN)
    except ValueError:
        raise Contradiction("billing", f"has to be one of {', '.join(Billing)}") from None


def _counts(item: CallItem) -> Counts:
    written = [each for each in (item.cache_write_5m, item.cache_write_1h) if each is not None]
    of_cache = (item.cache_read or 0) + sum(written)
    if of_cache > (item.prompt or 0):
        raise Contradiction("prompt", "has to hold the cache reads and writes, too")
    if (item.reasoning or 0) > (item.completion or 0):
        raise Contradiction("completion", "has to hold the reasoning, too")
    return Counts(
        fresh=None if item.prompt is None else item.prompt - of_cache,
        cache_read=item.cache_read,
        cache_write=sum(written) if written else None,
        cache_write_1h=item.cache_write_1h,
        output=item.completion,
        reasoning=item.reasoning,
    )


def _properties(item: CallItem) -> dict[str, str]:
    own = {name: str(value) for name, value in item.properties.items() if value not in (None, "")}
    if "version" in own:
        own.setdefault("agent_version", own.pop("version"))
    where = {"project": item.cwd, "branch": item.branch}
    return {**own, **{name: value for name, value in where.items() if value}}
