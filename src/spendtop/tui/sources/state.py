"""How a source or a tracking token stands, in one word, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from spendtop.domain.clock import HOUR
from spendtop.domain.sources import HELICONE, INGEST, LITELLM, OTLP, Source

if TYPE_CHECKING:
    from spendtop.store.reads.applied_config import Doors
    from spendtop.store.reads.sources import SourceRow, TokenRow
    from spendtop.tui.sources.polled_rows import PolledRow

_QUIET = HOUR


class State(StrEnum):
    """The word in the column; no state is told by its colour alone."""

    LIVE = "OK"
    QUIET = "-- quiet"
    WAITS = ".. waits"
    OFF = "off"
    UNSIGNED = "!UNSIGNED"
    """Open to everybody who finds the address."""
    FAILING = "!FAILING"
    """Asked in vain."""
    STALE = "-- stale"
    """Not asked for too long."""
    SHADOW = "OK shadow"
    QUIET_SHADOW = "-- shadow"


class Door(NamedTuple):
    """How requests come in from one source."""

    title: str
    setting: str
    """What switches it on."""
    path: str
    sender: str
    """Who sends there, as the beginning of a sentence that ends with our address."""


_INGEST_KEYS = "set ingest_keys under [server]"
DOORS: dict[Source, Door] = {
    HELICONE: Door("helicone webhook", "set webhook_secrets under [helicone]", "/webhook", "Helicone posts to"),
    INGEST: Door("ingest", _INGEST_KEYS, "/ingest", "apps post with X-Ingest-Key to"),
    LITELLM: Door("litellm", _INGEST_KEYS, "/litellm", "LiteLLM's generic_api callback posts to"),
    OTLP: Door("otlp", _INGEST_KEYS, "/v1/traces", "OpenTelemetry exports to"),
}
"""The sources that push, in the order of the table."""


def is_open(source: Source, doors: Doors | None) -> bool:
    """Whether the collector takes what the source pushes."""
    if doors is None:
        return False
    return doors.webhook_secret or doors.unsigned if source is HELICONE else bool(doors.ingest_keys)


def source_state(row: SourceRow, doors: Doors | None, recording: bool, now: int) -> State:
    """Of a source that pushes, as the collector applied it and by what arrived."""
    if not is_open(row.source, doors):
        return State.OFF
    if row.source is HELICONE and doors is not None and doors.unsigned:
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


def poller_state(row: PolledRow, recording: bool) -> State:
    """Of a provider that is asked."""
    if row.setting:
        return State.WAITS
    if row.poller is not None and row.poller.failure is not None:
        return State.FAILING
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
        return f"waits for a key: set {row.setting} in spendtop.toml; saving it is enough"
    if state is State.FAILING and row.poller is not None:
        return f"! {row.poller.failure}"
    if state is State.WAITS:
        return "has a key, and has not been asked yet"
    if state in (State.QUIET, State.STALE):
        return "is asked again as soon as a collector runs: start `spendtop`"
    return "is asked at a steady pace; r asks at once"


def advice(source: Source, state: State, base: str) -> str:
    """What the notice says of a source; `base` is our address without a path."""
    door = DOORS[source]
    if state is State.OFF:
        return f"{door.setting} in spendtop.toml; saving it is enough"
    if state is State.UNSIGNED:
        return "! anybody can post to /webhook: set allow_unsigned = false under [helicone]"
    return f"{door.sender} {base}{door.path}"
