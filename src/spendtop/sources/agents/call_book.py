"""The calls of an agent's files, each once."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from spendtop.domain.agents.calls import AgentCall, merged


class CallBook:
    """What has one name in common is one call, in whatever order it is added."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], AgentCall] = {}

    def add(self, call: AgentCall) -> AgentCall:
        """Returns all that is known of it now."""
        own = self._by_name.get((call.agent, call.key))
        if own is not None and is_other_call(own, call):
            call = replace(call, key=f"{call.key}:{call.request_id}")
        known = {id(each): each for name in call.names if (each := self._by_name.get((call.agent, name)))}
        for each in known.values():
            call = merged(each, call)
        for name in call.names:
            self._by_name[call.agent, name] = call
        return call

    def __iter__(self) -> Iterator[AgentCall]:
        """Those that used anything: a first line may be written before an answer has any counts."""
        calls = {id(each): each for each in self._by_name.values()}
        return (each for each in calls.values() if each.counts.is_used)


def is_other_call(one: AgentCall, other: AgentCall) -> bool:
    """Whether a gateway gave two calls one id: each has its own request, and they read different inputs.

    A subagent's copy of a message has another request too, and is no call.
    """
    return (
        one.rank == other.rank == 0
        and None not in (one.request_id, other.request_id)
        and one.request_id != other.request_id
        and _inputs(one) != _inputs(other)
    )


def _inputs(call: AgentCall) -> tuple[int | None, ...]:
    return call.counts.fresh, call.counts.cache_read, call.counts.cache_write
