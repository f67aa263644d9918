"""Calls of coding agents as requests: whose they are, where they ran, and whether they are spend."""

from __future__ import annotations

import os
import pwd
import socket
from functools import lru_cache

from msgspec import Struct

from spendtop.domain.agents.calls import AgentCall, billing_of
from spendtop.domain.clock import MINUTE
from spendtop.domain.requests.request import Billing, Cost, Reporter, Request, TimeSource, Usage
from spendtop.domain.sources.records import OTLP, source_named
from spendtop.sources.agents.talk import answer_body, question_body

_AHEAD = 5 * MINUTE
"""So far a clock may be ahead of ours."""


class Machine(Struct, frozen=True):
    """Where files were read."""

    host: str
    user: str | None
    """The login name of the home's owner."""

    @property
    def name(self) -> str:
        """Who is said to have made the calls."""
        return f"{self.user}@{self.host}" if self.user else self.host


def request_of(call: AgentCall, machine: Machine, billing: Billing, now: int) -> Request:
    """A call that was read at `now` (UTC µs). One that names its plan is under it, where nobody said how it is paid."""
    source = source_named(call.agent)
    billing = billing_of(billing, call.properties)
    other_ids = [(source, alias) for alias in sorted(call.aliases)]
    if call.request_id is not None:
        other_ids.append((OTLP, call.request_id))
    return Request(
        source=source,
        external_id=call.key,
        other_ids=tuple(other_ids),
        occurred_at=min(call.occurred_at, now),
        time_source=TimeSource.CLIENT,
        time_suspect=call.occurred_at > now + _AHEAD,
        received_at=now,
        provider=call.provider,
        model=call.model,
        user_id=machine.name,
        session_id=call.session,
        session_path=call.path,
        properties={**call.properties, "host": machine.host},
        usage=_usage(call),
        cost=Cost(reported=call.reported, reported_by=None if call.reported is None else Reporter.CLIENT),
        response_id=call.response_id,
        counted=billing is Billing.API,
        service_level=call.level,
        inference_geo=call.geo,
        billing=billing,
        output_final=call.output_final,
        request_body=question_body(call),
        response_body=answer_body(call),
    )


def _usage(call: AgentCall) -> Usage:
    counts = call.counts
    written = {"cache_write_1h_tokens": counts.cache_write_1h} if counts.cache_write_1h else {}
    return Usage(
        prompt=counts.prompt,
        completion=counts.output,
        cache_read=counts.cache_read,
        cache_write=counts.cache_write,
        reasoning=counts.reasoning,
        units={**call.units, **written} or None,
    )


def machine_of(folder: str) -> Machine:
    """This machine, with whom a folder on it belongs to."""
    return Machine(host=socket.gethostname(), user=_owner(folder))


@lru_cache
def _owner(folder: str) -> str:
    """The login name, or a number without one."""
    try:
        owner = os.stat(folder).st_uid
    except OSError:
        owner = os.getuid()
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)
