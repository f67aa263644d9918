"""How a source or a tracking token stands, in one word, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from spendtop.domain.clock import HOUR, age
from spendtop.domain.sources.records import KeyRule, ProviderPush, PushedSource, Source

if TYPE_CHECKING:
    from spendtop.services.agents.found import AgentFound
    from spendtop.services.agents.spool import PushState
    from spendtop.store.reads.configuration.applied import Doors
    from spendtop.store.reads.sources.completeness import PollerRow
    from spendtop.store.reads.sources.sources import SourceRow, TokenRow
    from spendtop.tui.sources.questions import PolledRow

_QUIET = HOUR


class State(StrEnum):
    """The word in the column; no state is told by its colour alone."""

    LIVE = "OK"
    QUIET = "-- quiet"
    WAITS = ".. waits"
    READS = ".. reads"
    """Files of a coding agent for the first time, or what is new in them."""
    OFF = "off"
    UNSIGNED = "!UNSIGNED"
    """Open to everybody who finds the address."""
    FAILING = "!FAILING"
    """Asked in vain."""
    STALE = "-- stale"
    """Not asked for too long."""
    IMPORTED = "imported"
    """From files, by hand."""
    SHADOW = "OK shadow"
    QUIET_SHADOW = "-- shadow"


def is_open(source: Source, doors: Doors | None) -> bool:
    """Whether the collector takes what the source pushes."""
    if doors is None or not isinstance(source, PushedSource | ProviderPush):
        return False
    if isinstance(source, ProviderPush):
        return bool(doors.ingest_keys)
    if source.key is KeyRule.SIGNED:
        return doors.webhook_secret or doors.unsigned
    return bool(doors.ingest_keys)


def is_connected(row: SourceRow, doors: Doors | None) -> bool:
    """Whether a provider has an ingest key of its own, or has pushed with another one."""
    return row.last_at is not None or (doors is not None and row.source.name in doors.ingest_keys)


def source_state(row: SourceRow, doors: Doors | None, recording: bool, now: int, amiss: str = "") -> State:
    """Of a source that pushes, as the collector applied it and by what arrived; `amiss` is what a provider says of its
    deliveries."""
    if row.imported is not None:
        return State.IMPORTED
    if amiss:
        return State.FAILING
    if not is_open(row.source, doors) or (isinstance(row.source, ProviderPush) and not is_connected(row, doors)):
        return State.OFF
    is_signed = isinstance(row.source, PushedSource) and row.source.key is KeyRule.SIGNED
    if is_signed and doors is not None and doors.unsigned:
        return State.UNSIGNED
    return _by_age(row.last_at, recording, now)


def token_state(row: TokenRow, heard: bool, now: int) -> State:
    """Of a tracking token; `heard` says whether pushes are taken at all."""
    if not row.active:
        return State.OFF
    state = _by_age(row.last_at, heard, now)
    if row.shadow:
        return State.SHADOW if state is State.LIVE else State.QUIET_SHADOW
    return state


def agent_state(found: AgentFound, recording: bool, now: int) -> State:
    """Of a coding agent with files on this machine."""
    if recording and found.waiting:
        return State.READS
    return _by_age(found.last_at, recording, now)


def poller_state(row: PolledRow, recording: bool) -> State:
    """Of a provider that is asked."""
    if row.setting:
        return State.WAITS
    if row.poller is not None and row.poller.failure is not None:
        return State.OFF if row.is_optional and row.last_at is None else State.FAILING
    if not recording:
        return State.QUIET
    if row.last_at is None:
        return State.WAITS
    return State.STALE if row.stale else State.LIVE


def _by_age(last_at: int | None, heard: bool, now: int) -> State:
    if not heard:
        return State.QUIET
    if last_at is None:
        return State.WAITS
    return State.LIVE if now - last_at < _QUIET else State.QUIET


def poller_advice(row: PolledRow, state: State) -> str:
    """What the notice says of a provider that is asked."""
    if row.setting:
        return f"waits: set {row.setting} in spendtop.toml; saving is enough"
    if state is State.FAILING and row.poller is not None:
        return f"! {row.poller.failure}"
    if state is State.OFF and row.poller is not None:
        return str(row.poller.failure)
    if state is State.WAITS:
        return "has a key, and no answer yet"
    if state in (State.QUIET, State.STALE):
        return "is asked again as soon as a collector runs: start `spendtop`"
    return "is asked at a steady pace; r asks at once"


def agent_advice(found: AgentFound, state: State, pushes: PushState | None) -> str:
    """What the notice says of a coding agent: what is read of it, what is not and why, and where that is pushed."""
    if not found.files:
        return "read on other machines, which push it here; `spendtop agents` lists them"
    if pushes is not None and pushes.is_amiss:
        return pushes.words
    files = found.reading if found.waiting else f"files read: {found.files:,}"
    if state is State.QUIET and found.waiting:
        files += " once a collector runs"
    words = f"{files}; left out: {found.left_out_words}" if found.left_out else f"{files}, counts and names only"
    return f"{words}; {pushes.words}" if pushes is not None and pushes.to else words


def push_advice(source: ProviderPush, state: State, poller: PollerRow | None, now: int) -> str:
    """What the notice says of a provider that pushes what it served, with how it delivers where it was asked."""
    if poller is not None and poller.amiss:
        return f"! {poller.amiss}"
    if state is State.OFF:
        return f"`spendtop {source.provider} connect URL` has it push here, without a gateway"
    if poller is None or poller.push_health is None:
        return f"pushes to {source.path}; `spendtop {source.provider} status` shows its destination"
    if not poller.push_health.leads_here:
        return f"none is known to lead here: `spendtop {source.provider} connect URL` makes one"
    last = poller.push_health.succeeded_at
    delivered = "" if last is None else f", delivered {_ago(now - last)}"
    return f"it is on{delivered}; `spendtop {source.provider} test` tries it"


def advice(source: Source, state: State, base: str | None) -> str:
    """What the notice says of a source that pushes or was imported; `base` is our address without a path, None where
    nobody listens."""
    if not isinstance(source, PushedSource):
        return f"read from files; {source.setting} again adds what is new"
    if state is State.OFF:
        return f"set {source.setting} in spendtop.toml; saving it is enough"
    if state is State.UNSIGNED:
        return f"! anybody can post to {source.path}: remove {source.unsigned_setting}"
    return f"{source.sender} {base}{source.path}" if base else f"{source.path} is open once a collector runs"


def _ago(micros: int) -> str:
    words = age(max(micros, 0))
    return words if words == "now" else f"{words} ago"
