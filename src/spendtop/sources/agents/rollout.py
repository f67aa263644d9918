"""One rollout of Codex, line by line: which of its lines are calls of its own thread.

Totals are cumulative and told again whenever a screen is drawn; forks and subagents begin with a copy of another
thread's lines; newer versions name each response besides. What is known of the lines before is in `Rollout`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.agents.calls import AgentCall, Counts
from spendtop.domain.agents.plan_windows import PlanWindow
from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.usage.counts import count
from spendtop.sources.agents.bookmark import Tally
from spendtop.sources.agents.fields import instant, text

_MOST_PERCENT = 1000
NAME = "codex"
UNKNOWN_MODEL = "unknown"
_EXACT, _DERIVED = 0, 1
_SOON = 5 * SECOND
"""How far from its line a turn may say that it began."""

Vector: TypeAlias = tuple[int, int, int, int]
"""Input with what was cached, cached input, output with reasoning, reasoning."""

_ZERO: Vector = (0, 0, 0, 0)

TotalsOf: TypeAlias = Callable[[str], Sequence[Vector] | None]
"""Gives the totals in the file of another thread, each once where it is told again, or None without such a file."""


class RolloutLine(Struct, frozen=True):
    timestamp: Any = None
    type: Any = None
    payload: Any = None
    ordinal: Any = None


class TurnOwner(Enum):
    COPIED = "copied"
    OWN = "own"


class Rollout(Struct, kw_only=True):
    """What the lines so far said."""

    thread: str | None = None
    created_at: int = 0
    parent: str | None = None
    path: str = "/"
    provider: str | None = None
    model: str | None = None
    plan: str | None = None
    properties: dict[str, str] = {}
    first_ordinal: int | None = None
    """Lines below it are another thread's."""
    copied_from: str | None = None
    """The thread whose lines this file begins with, until its own are reached."""
    matched: int = 0
    """How many of the first totals are those of that thread's file."""
    turn: TurnOwner | None = None
    """Whose the last one that tells when it began is."""
    base: Vector | None = None
    base_written: int | None = None
    """Cache writes of the totals before, where they are told."""
    epoch: int = 0
    waiting: list[AgentCall] = []
    """Calls of the last minute of which only one of the two ways to tell them was seen."""


def is_mark(line: bytes) -> bool:
    """Whether a line can matter, by its head: the rest of it may be megabytes of a conversation."""
    head = line[:400]
    return (
        b'"token_count"' in head
        or b'"token_usage_record"' in head
        or b'"turn_context"' in head
        or b'"task_started"' in head
        or b'"session_meta"' in head
    )


def calls_of(rollout: Rollout, line: RolloutLine, totals_of: TotalsOf, tally: Tally) -> Iterator[AgentCall]:
    """The calls that a line tells."""
    payload = line.payload if isinstance(line.payload, dict) else {}
    if line.type == "session_meta":
        _begin(rollout, payload)
    elif rollout.thread is None:
        tally["lines before the first one of a thread"] += 1
    elif line.type == "turn_context":
        rollout.model = text(payload.get("model")) or rollout.model
    elif line.type == "event_msg" and payload.get("type") == "task_started":
        _start_turn(rollout, line, payload)
    elif line.type == "event_msg" and payload.get("type") == "token_count":
        yield from _counted(rollout, line, payload, totals_of, tally)
    elif line.type == "token_usage_record":
        yield from _recorded(rollout, line, payload)


def _begin(rollout: Rollout, meta: dict[str, Any]) -> None:
    thread = text(meta.get("id"))
    if thread is None or thread == rollout.thread:
        return
    if rollout.thread is not None:
        if rollout.base is None and rollout.first_ordinal is None:
            rollout.copied_from = rollout.parent or thread
        return
    spawned = _dig(meta, "source", "subagent", "thread_spawn", "parent_thread_id")
    forked_from = text(meta.get("forked_from_id"))
    rollout.parent = text(meta.get("parent_thread_id")) or text(spawned) or forked_from
    is_subagent = meta.get("thread_source") == "subagent" or _dig(meta, "source", "subagent") is not None
    rollout.thread = thread
    rollout.created_at = instant(meta.get("timestamp")) or 0
    rollout.path = "/" if rollout.parent is None else "/subagent" if is_subagent else "/fork"
    rollout.provider = text(meta.get("model_provider")) or "openai"
    rollout.first_ordinal = count(meta.get("subagent_history_start_ordinal"))
    told = {
        "project": text(meta.get("cwd")),
        "branch": text(_dig(meta, "git", "branch")),
        "agent_version": text(meta.get("cli_version")),
        "parent": rollout.parent,
    }
    rollout.properties = {name: value for name, value in told.items() if value is not None}


def _dig(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def windows_of(rollout: Rollout, line: RolloutLine) -> Iterator[PlanWindow]:
    """What a line of the thread's own says of the plan's windows."""
    payload, at = line.payload, instant(line.timestamp)
    if line.type != "event_msg" or at is None or _dig(payload, "type") != "token_count" or _is_inherited(rollout, line):
        return
    for name in ("primary", "secondary"):
        window = _dig(payload, "rate_limits", name)
        used, minutes = _dig(window, "used_percent"), count(_dig(window, "window_minutes"))
        if type(used) not in (int, float) or not 0 <= used <= _MOST_PERCENT or not minutes:
            continue
        resets_at, resets_in = count(_dig(window, "resets_at")), count(_dig(window, "resets_in_seconds"))
        until = resets_at * SECOND if resets_at else at + resets_in * SECOND if resets_in else None
        yield PlanWindow(agent=NAME, minutes=minutes, used_percent=float(used), resets_at=until, at=at)


def _start_turn(rollout: Rollout, line: RolloutLine, turn: dict[str, Any]) -> None:
    """A turn is this thread's own where it began when its line says, and not before the thread did."""
    at, started_at = instant(line.timestamp), count(turn.get("started_at"))
    if rollout.turn is TurnOwner.OWN or at is None or started_at is None:
        return
    began = started_at * SECOND
    is_own = at >= rollout.created_at and began + SECOND > rollout.created_at and abs(at - began) <= _SOON
    rollout.turn = TurnOwner.OWN if is_own else TurnOwner.COPIED


def _is_inherited(rollout: Rollout, line: RolloutLine) -> bool:
    if rollout.first_ordinal is not None:
        ordinal = count(line.ordinal)
        return ordinal is not None and ordinal < rollout.first_ordinal
    return rollout.copied_from is not None


def _counted(
    rollout: Rollout,
    line: RolloutLine,
    payload: dict[str, Any],
    totals_of: TotalsOf,
    tally: Tally,
) -> Iterator[AgentCall]:
    rollout.plan = text(_dig(payload, "rate_limits", "plan_type")) or rollout.plan
    info = payload.get("info")
    at = instant(line.timestamp)
    if not isinstance(info, dict) or at is None:
        tally["lines with limits only"] += 1
        return
    total, last = vector(info.get("total_token_usage")), vector(info.get("last_token_usage"))
    if total is None:
        if last is not None and last != _ZERO and not _is_inherited(rollout, line):
            written = _written(info.get("last_token_usage"))
            yield from _derived(rollout, at, last, written, f"{at}:{_words(last)}", tally)
        return
    if total == rollout.base:
        tally["totals told again"] += 1
        return
    yield from _advanced(rollout, line, at, info, total, last, totals_of, tally)


def _advanced(
    rollout: Rollout,
    line: RolloutLine,
    at: int,
    info: dict[str, Any],
    total: Vector,
    last: Vector | None,
    totals_of: TotalsOf,
    tally: Tally,
) -> Iterator[AgentCall]:
    """A call, unless the totals are another thread's, or empty: either way the next ones are counted from them."""
    before, written_before = rollout.base, rollout.base_written
    used: Vector | None
    if before is not None and (_falls(before, total) or (total == last and before != _ZERO)):
        rollout.epoch += 1
        used, before = (total if last is None else last), None
    elif before is not None:
        used = _minus(total, before)
    else:
        used = total if rollout.parent is None else last
    written = _written(info.get("total_token_usage"))
    rollout.base, rollout.base_written = total, written
    if before is not None and written is not None:
        written -= written_before or 0
    else:
        written = _written(info.get("last_token_usage"))
    if _is_copy(rollout, line, total, totals_of):
        tally["calls inherited from another thread"] += 1
    elif total == _ZERO:
        tally["totals that were emptied"] += 1
    elif used is None or used == _ZERO:
        tally["totals without a call"] += 1
    else:
        yield from _derived(rollout, at, used, written, f"{rollout.epoch}:{_words(total)}", tally)


def _is_copy(rollout: Rollout, line: RolloutLine, total: Vector, totals_of: TotalsOf) -> bool:
    """Whether these totals are of the thread that the file begins with a copy of: as that one's file has them.

    Where that file ends, or is gone, all are until a turn of the own thread begins.
    """
    if rollout.copied_from is None or rollout.first_ordinal is not None:
        return _is_inherited(rollout, line)
    copied = totals_of(rollout.copied_from)
    theirs = None if copied is None or rollout.matched >= len(copied) else copied[rollout.matched]
    if theirs == total:
        rollout.matched += 1
        return True
    if theirs is None and (rollout.turn is TurnOwner.COPIED or (copied is None and rollout.turn is None)):
        return True
    rollout.copied_from = None
    return False


def _derived(
    rollout: Rollout, at: int, used: Vector, written: int | None, name: str, tally: Tally
) -> Iterator[AgentCall]:
    call = replace(_call(rollout, at, name, _DERIVED), counts=_counts(used, written))
    exact = _partner(rollout, call)
    if exact is None:
        rollout.waiting = [*rollout.waiting, call]
        yield call
    else:
        tally["totals of responses that are told by name"] += 1
        yield replace(exact, aliases=frozenset({call.key}))


def _recorded(rollout: Rollout, line: RolloutLine, payload: dict[str, Any]) -> Iterator[AgentCall]:
    """A response by its name; copies leave those of other threads out, so what follows is this thread's own."""
    if payload.get("thread_id", rollout.thread) != rollout.thread:
        return
    rollout.copied_from = None
    if _is_inherited(rollout, line):
        return
    at, response, used = instant(line.timestamp), text(payload.get("response_id")), vector(payload.get("usage"))
    if at is None or response is None or used is None or used == _ZERO:
        return
    counts = _counts(used, _written(payload.get("usage")))
    call = replace(_call(rollout, at, response, _EXACT), counts=counts, response_id=response)
    derived = _partner(rollout, call)
    if derived is None:
        rollout.waiting = [*rollout.waiting, call]
        yield call
    else:
        yield replace(call, aliases=frozenset({derived.key}))


def _call(rollout: Rollout, at: int, name: str, rank: int) -> AgentCall:
    plan = {} if rollout.plan is None else {"plan": rollout.plan}
    return AgentCall(
        agent=NAME,
        key=f"{rollout.thread}:{name}",
        rank=rank,
        occurred_at=at,
        begun_at=at,
        provider=rollout.provider,
        model=rollout.model or UNKNOWN_MODEL,
        counts=Counts(),
        session=rollout.thread,
        path=rollout.path,
        properties={**rollout.properties, **plan},
    )


def _partner(rollout: Rollout, call: AgentCall) -> AgentCall | None:
    """The same call as the other way told it: equal counts, within a minute; it waits no longer."""
    rollout.waiting = [each for each in rollout.waiting if abs(each.occurred_at - call.occurred_at) <= MINUTE]
    for each in rollout.waiting:
        if each.rank != call.rank and _four(each.counts) == _four(call.counts):
            rollout.waiting = [other for other in rollout.waiting if other is not each]
            return each
    return None


def _four(counts: Counts) -> tuple[int | None, ...]:
    return counts.prompt, counts.cache_read, counts.output, counts.reasoning


def _counts(used: Vector, written: int | None) -> Counts:
    prompt, cached, output, reasoning = used
    cached = min(cached, prompt)
    written = None if written is None else max(0, min(written, prompt - cached))
    return Counts(
        fresh=prompt - cached - (written or 0),
        cache_read=cached,
        cache_write=written,
        output=output,
        reasoning=min(reasoning, output),
    )


def vector(usage: object) -> Vector | None:
    """The four counts; None for what is no usage. What is not told of them is nothing."""
    if not isinstance(usage, dict):
        return None
    prompt, output = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    if prompt is None and output is None:
        return None
    cached, reasoning = count(usage.get("cached_input_tokens")), count(usage.get("reasoning_output_tokens"))
    return prompt or 0, cached or 0, output or 0, reasoning or 0


def _written(usage: object) -> int | None:
    return count(usage.get("cache_write_input_tokens")) if isinstance(usage, dict) else None


def _falls(before: Vector, total: Vector) -> bool:
    return any(now < then for now, then in zip(total, before, strict=True))


def _minus(total: Vector, before: Vector) -> Vector:
    a, b = total, before
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


def _words(total: Vector) -> str:
    return "-".join(str(each) for each in total)
