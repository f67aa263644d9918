"""The alert state machine: when a limit speaks, and what it says. Pure, so that every sequence can be tried.

An episode is one alert of one limit for one entity and one window: approaching → exceeded → resolved. It speaks once
per threshold crossed; a threshold is armed again by the next window, or by use that stays under the hysteresis.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.limits.limit import Limit, LimitState
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd, side_by_side
from spendtop.domain.percent import times_of
from spendtop.domain.windows import WindowKind

LATE_AFTER = 5 * MINUTE
"""A crossing found later than this after it happened is announced as late, in µs."""
LATE_UNTIL = DAY
"""A window that ended longer ago than this is recorded but not announced, in µs."""
MOST_FALLS = 3
"""An episode that fell back more often than this is flapping: shown, but silent."""


class MessageKind(StrEnum):
    APPROACHING = "approaching"
    EXCEEDED = "exceeded"
    RESOLVED = "resolved"
    LOW_BALANCE = "low balance"
    STALE = "stale data"
    UNUSUAL = "unusual spend"
    LOOP = "loop"
    NOT_RECORDING = "not recording"
    UNDELIVERED = "undelivered"
    TEST = "test"

    @property
    def severity(self) -> str:
        """info, warning or critical; channels choose by it."""
        match self:
            case MessageKind.EXCEEDED | MessageKind.LOW_BALANCE | MessageKind.NOT_RECORDING | MessageKind.UNDELIVERED:
                return "critical"
            case MessageKind.APPROACHING | MessageKind.STALE | MessageKind.UNUSUAL | MessageKind.LOOP:
                return "warning"
        return "info"


class Message(Struct, frozen=True, kw_only=True):
    """What a delivery says; rendered to title and text when it is sent. Holds no prompt text and no key."""

    kind: MessageKind
    limit_name: str
    """Or of the account whose balance it is about, of the poller whose data are stale, of who spends unusually much, or
    of what stops recording."""
    resolves: MessageKind | None = None
    """What is over, where that is not about a limit."""
    entity: str = ""
    """Raw value of what the limit is `each` of; empty for everyone."""
    alert: int | None = None
    """The id that the alert is acked by."""
    request: int | None = None
    """Id of the one request that it is about."""
    each: str | None = None
    window: str = ""
    measure: LimitedValue = LimitedValue.SPEND
    """What the limit sums."""
    window_start: int | None = None
    window_end: int | None = None
    zone: str = "UTC"
    used_nano: int = 0
    limit_nano: int = 0
    """Of unusual spend: what is usual."""
    raised_nano: int = 0
    """How much of the limit it is raised by for a while."""
    raised_until: int | None = None
    """When the first of these raises ends, UTC µs."""
    unpriced: int = 0
    estimated: bool = False
    """Of a balance: whether it is what was seen here that was taken off, for want of bills."""
    burn_nano: int | None = None
    """Of a balance: what a day costs; None where that is not known."""
    runs_out_at: int | None = None
    """When a balance is gone if that goes on, UTC µs; None where that is not known, or in a century at the earliest."""
    contributors: tuple[tuple[str, str, int], ...] = ()
    """(dimension, raw key, nano-USD), largest first."""
    at: int = 0
    """When it crossed, UTC µs."""
    late_by: int | None = None
    """How long after the crossing it was found, in µs, when that is worth saying."""
    next_words: str = ""
    others: int = 0
    """How many further alerts of the same limit and level, or messages of the same channel, it tells of."""
    lost: Message | None = None
    """Of one about a channel, whose name is in place of the limit's: the message that the channel did not take."""
    lines: tuple[str, ...] = ()
    """Of stale data, of unusual spend and of what stops recording: why; of a loop: the evidence; of a balance: how far
    to believe it."""

    @property
    def unusual_words(self) -> str:
        """Of unusual spend: `$14.40 within 3 minutes, 12 times the usual $1.20`."""
        return unusual_words(Usd(self.used_nano), Usd(self.limit_nano), self.window)


def unusual_words(spent: Usd, usual: Usd, window: str = "") -> str:
    """`$14.40 within 3 minutes, 12 times the usual $1.20`."""
    amount, before = side_by_side(spent, usual)
    return f"{' '.join(filter(None, (amount, window)))}, {times_of(spent.nano, usual.nano)} the usual {before}"


class EpisodeState(StrEnum):
    APPROACHING = "approaching"
    EXCEEDED = "exceeded"
    RESOLVED = "resolved"


class AlertStage(StrEnum):
    """What became of an alert: whether it still calls for somebody."""

    OPEN = "open"
    ACKED = "acked"
    SNOOZED = "snoozed"
    SILENCED = "silenced"
    RESOLVED = "resolved"


class Episode(Struct, frozen=True, kw_only=True):
    state: EpisodeState
    window_start: int
    """Start of the calendar window; for a rolling window when the episode began. UTC µs."""
    window_end: int | None
    announced: float
    """The highest threshold that stands announced, as a fraction of the limit; 0 when all are armed."""
    crossed_at: int
    late: bool = False
    falls: int = 0
    """How often it fell back from a threshold."""
    below_since: int | None = None
    """Since when use has stayed under the hysteresis, UTC µs."""
    spoke: int = 0
    """How many transitions were announced; numbers the messages of an episode."""
    snoozed_until: int | None = None
    """Until when it stays silent, UTC µs; what stands then is announced."""


class Reading(Struct, frozen=True, kw_only=True):
    """What the committed totals say at one instant."""

    used: Usd
    unpriced: int = 0
    window_start: int | None
    window_end: int | None
    at: int
    """Now, UTC µs."""
    happened_at: int
    """When the latest request that touched the limit happened, UTC µs."""


class Decision(Struct, frozen=True, kw_only=True):
    """What becomes of the episode, and what is said about it."""

    episode: Episode | None
    announce: MessageKind | None = None
    reason: str = ""
    late_by: int | None = None


def decide(limit: Limit, previous: Episode | None, reading: Reading) -> Decision:
    """The next state of one limit for one entity and one window, and whether a message goes out."""
    decision = _next(limit, previous, reading)
    return decision if previous is None else _with_snooze(previous, decision, reading.at)


def _next(limit: Limit, previous: Episode | None, reading: Reading) -> Decision:
    crossed = _highest_crossed(limit, reading.used)
    if previous is None:
        return _open(limit, crossed, reading) if crossed else Decision(episode=None)
    if crossed > previous.announced:
        return _escalate(previous, crossed, reading)
    held = _highest_held(limit, previous.announced, reading.used)
    if held < previous.announced:
        return _fall(limit, previous, held, reading)
    return Decision(episode=replace(previous, below_since=None))


def _with_snooze(previous: Episode, decision: Decision, now: int) -> Decision:
    """While an episode is snoozed nothing is said; when that is over, what stands is said once."""
    episode = decision.episode
    if previous.snoozed_until is None or episode is None:
        return decision
    if now < previous.snoozed_until:
        silent = replace(episode, spoke=previous.spoke)
        return replace(decision, episode=silent, announce=None, reason="snoozed")
    awake = replace(episode, snoozed_until=None)
    if decision.announce is not None or episode.state is EpisodeState.RESOLVED:
        return replace(decision, episode=awake)
    awake = replace(awake, spoke=awake.spoke + 1)
    return Decision(episode=awake, announce=MessageKind(awake.state.value), reason="snooze over")


def continues(limit: Limit, resolved_at: int, now: int) -> bool:
    """Whether a new crossing of a rolling window goes on with the episode that was resolved at `resolved_at`."""
    return now - resolved_at < (limit.window.length_us or 0)


def hysteresis(limit: Limit) -> float:
    """The share of a threshold under which it is armed again: spend of a calendar window only falls by corrections."""
    return 0.90 if limit.window.kind is WindowKind.ROLLING else 0.95


def patience(limit: Limit) -> int:
    """How long use must stay under the hysteresis before the episode falls back, in µs."""
    return 15 * MINUTE if limit.window.kind is WindowKind.ROLLING else MINUTE


def thresholds(limit: Limit) -> tuple[float, ...]:
    """All fractions that are announced, ascending; 1.0 is the limit itself. A single request is only ever exceeded."""
    return (1.0,) if limit.window.kind is WindowKind.REQUEST else (*limit.warn, 1.0)


def _highest_crossed(limit: Limit, used: Usd) -> float:
    if limit.state(used) is LimitState.EXCEEDED:
        return 1.0
    return max((t for t in thresholds(limit)[:-1] if used >= limit.threshold(t)), default=0.0)


def _highest_held(limit: Limit, announced: float, used: Usd) -> float:
    share = hysteresis(limit)
    held = (t for t in thresholds(limit) if t <= announced and used.nano >= limit.amount.nano * t * share)
    return max(held, default=0.0)


def _state(threshold: float) -> EpisodeState:
    if threshold >= 1.0:
        return EpisodeState.EXCEEDED
    return EpisodeState.APPROACHING if threshold else EpisodeState.RESOLVED


def _late_by(reading: Reading) -> int | None:
    late = reading.at - reading.happened_at
    return late if late > LATE_AFTER else None


def _too_late(reading: Reading) -> bool:
    return reading.window_end is not None and reading.at - reading.window_end >= LATE_UNTIL


def _open(limit: Limit, crossed: float, reading: Reading) -> Decision:
    calendar = limit.window.kind is not WindowKind.ROLLING and reading.window_start is not None
    opened = Episode(
        state=EpisodeState.RESOLVED,
        window_start=reading.window_start if calendar and reading.window_start is not None else reading.happened_at,
        window_end=reading.window_end,
        announced=0.0,
        crossed_at=reading.happened_at,
    )
    return _escalate(opened, crossed, reading)


def _escalate(previous: Episode, crossed: float, reading: Reading) -> Decision:
    late_by = _late_by(reading)
    flapping, too_late = previous.falls > MOST_FALLS, _too_late(reading)
    silent = flapping or too_late
    episode = replace(
        previous,
        state=_state(crossed),
        announced=crossed,
        crossed_at=reading.happened_at,
        late=late_by is not None,
        below_since=None,
        spoke=previous.spoke + (not silent),
    )
    if silent:
        return Decision(episode=episode, reason="flapping" if flapping else "too late", late_by=late_by)
    reason = "first" if previous.spoke == 0 else "reopened" if previous.falls else "escalated"
    return Decision(episode=episode, announce=MessageKind(episode.state.value), reason=reason, late_by=late_by)


def _fall(limit: Limit, previous: Episode, held: float, reading: Reading) -> Decision:
    if previous.below_since is None:
        return Decision(episode=replace(previous, below_since=reading.at))
    if reading.at - previous.below_since < patience(limit):
        return Decision(episode=previous)
    resolved = previous.state is EpisodeState.EXCEEDED and previous.falls < MOST_FALLS and previous.spoke > 0
    episode = replace(
        previous,
        state=_state(held),
        announced=held,
        falls=previous.falls + 1,
        below_since=None,
        spoke=previous.spoke + resolved,
    )
    return Decision(episode=episode, announce=MessageKind.RESOLVED if resolved else None, reason="fell back")


def headline(message: Message, name: str) -> str | None:
    """What a message says, `name` (of the account, poller or spender) written as the face writes names; None for
    limits."""
    kind = message.resolves or message.kind
    match kind:
        case MessageKind.LOW_BALANCE:
            left = f"{'est. ' if message.estimated else ''}{Usd(message.used_nano).floored}"
            [threshold] = side_by_side(Usd(message.limit_nano))
            about = f"{name} {left} of {threshold}"
        case MessageKind.STALE | MessageKind.LOOP:
            about = name
        case MessageKind.UNUSUAL:
            about = name if message.resolves else f"{name} {message.unusual_words}"
        case MessageKind.NOT_RECORDING:
            return f"spendtop is not recording: {name}"
        case MessageKind.UNDELIVERED:
            about = f"channel {name}"
        case _:
            return None
    return f"resolved: {kind} {about}" if message.resolves else f"{kind}: {about}"
