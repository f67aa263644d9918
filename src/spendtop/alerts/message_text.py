"""A message as people read it in a mail or a chat: a title and a few lines, harmless whatever the names in it hold."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from zoneinfo import ZoneInfo

from msgspec import Struct

from spendtop.domain.alerting.episode import Message, MessageKind, headline
from spendtop.domain.clock import HOUR, MINUTE, to_datetime
from spendtop.domain.cost_words import use_words, without_part_of_amount
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd, side_by_side
from spendtop.domain.percent import used_percent
from spendtop.domain.untrusted import LINE_LIMIT, MESSAGE_LIMIT, neutral_for_message
from spendtop.domain.windows import WindowKind

TITLE_LIMIT = 120
BODY_LIMIT = 900
_CONTRIBUTORS = 3
_SHOWN_REF = 8
_BREAK = "\u200b"


class Dispatch(Struct, frozen=True, kw_only=True):
    """One try to send a message."""

    sender: str
    """What the machine is called that sends it."""
    ref: str
    """Tells a repetition of the same message by."""
    attempt: int = 1


class Rendered(Struct, frozen=True):
    """Title of at most 120 and body of at most 900 characters, without line breaks in the title."""

    title: str
    body: str

    @property
    def unbroken(self) -> Rendered:
        """For plain text, in which nothing is markup: addresses can be copied."""
        return Rendered(self.title.replace(_BREAK, ""), self.body.replace(_BREAK, ""))

    @property
    def untitled(self) -> Rendered:
        """For services that show a single field."""
        return Rendered("", f"{self.title}\n{self.body}")


def render(message: Message, dispatch: Dispatch) -> Rendered:
    """The message for this try; its body ends with who sends it, how to take it on, and `[ref …·attempt]`."""
    sent_by = f"From spendtop on {_neutral(dispatch.sender)}."
    end = (
        " ".join(filter(None, (sent_by, _next_step(message)))),
        f"[ref {dispatch.ref[:_SHOWN_REF]}·{dispatch.attempt}]",
    )
    return Rendered(_title(message), _body(_lines(message), "\n".join(end)))


def notify_type(kind: MessageKind, severity: str) -> str:
    """How Apprise should mark the message: info, success, warning or failure."""
    if kind is MessageKind.RESOLVED:
        return "success"
    return {"critical": "failure", "warning": "warning"}.get(severity, "info")


def channel_test_message(now: int) -> Message:
    return Message(kind=MessageKind.TEST, limit_name="", at=now, next_words="Alerts about limits will arrive here.")


def _next_step(message: Message) -> str:
    """How to take it on."""
    match message.kind:
        case MessageKind.TEST:
            return ""
        case MessageKind.NOT_RECORDING:
            return "`spendtop check` looks for what is wrong."
        case MessageKind.RESOLVED:
            return "`spendtop alert list --all` has it."
        case MessageKind.UNDELIVERED if message.lost is not None:
            return _next_step(message.lost)
    if message.alert is None:
        return "`spendtop alert list` has it."
    return f"`spendtop alert ack {message.alert}` takes it on."


def _lines(message: Message) -> Iterator[str]:
    match message.kind:
        case MessageKind.TEST:
            return iter(("This channel works.", message.next_words))
        case MessageKind.LOW_BALANCE | MessageKind.STALE:
            return _about_account(message)
        case MessageKind.UNUSUAL:
            return _unusual(message)
        case MessageKind.LOOP:
            return _loop(message)
        case MessageKind.NOT_RECORDING:
            return _stopped(message)
        case MessageKind.UNDELIVERED:
            return _undelivered(message)
        case MessageKind.RESOLVED if message.resolves is not None:
            return _over(message)
    return _alert(message)


def _title(message: Message) -> str:
    more = f" and {message.others:,} more" if message.others else ""
    return f"{_cut(_about(message), TITLE_LIMIT - len(more))}{more}"


def _about(message: Message) -> str:
    if message.kind is MessageKind.TEST:
        return "spendtop test message"
    name = _neutral(message.limit_name)
    if (about := headline(message, name)) is not None:
        return about if message.lost is None else f"{about}: {_title(message.lost)}"
    amounts = _use(message, 0)
    return f"{message.kind}: {' '.join((name, *_whom(message, name)))} {amounts}"


def _alert(message: Message) -> Iterator[str]:
    percent = ""
    if message.limit_nano > 0:
        percent = f" ({used_percent(message.used_nano, message.limit_nano, message.window).replace('%', ' %')})"
    yield f"Limit {_neutral(message.limit_name)}, {_whose(message)}:"
    yield f"{_use(message, message.unpriced)}{percent}"
    if message.measure is LimitedValue.API_EQUIVALENT:
        yield "That is the API-equivalent value of usage under a plan; it was not spent."
    if message.raised_until is not None:
        until = f"{_local(message.raised_until, message.zone)} {message.zone}"
        yield f"The limit is raised by {Usd(message.raised_nano)} until {until}."
    yield f"Window: {_window(message)}"
    if message.at:
        late = f", detected late by {_duration(message.late_by)}" if message.late_by is not None else ""
        yield f"Since: {_local(message.at, message.zone)} {message.zone}{late}"
    if message.others:
        yield f"And {message.others:,} more of this limit within a minute. `spendtop alert list` has them all."
    if message.request is not None:
        yield f"`spendtop request {message.request}` shows it."
    else:
        yield from _top(message)
    if message.next_words:
        yield _sentence(message.next_words)


def _use(message: Message, unpriced: int) -> str:
    return use_words(Usd(message.used_nano), unpriced, Usd(message.limit_nano), message.measure)


def _top(message: Message) -> Iterator[str]:
    if top := message.contributors[:_CONTRIBUTORS]:
        costs = (f"{message.measure.sign}{cost}" for cost in side_by_side(*(Usd(nano) for *_, nano in top)))
        yield "Top: " + ", ".join(f"{_named(*each)} {cost}" for each, cost in zip(top, costs, strict=True))


def _unusual(message: Message) -> Iterator[str]:
    """How much is how far above what; then by whom or what."""
    yield f"{_whose(message).capitalize()}: {message.unusual_words}."
    for reason in message.lines:
        yield _neutral(reason, LINE_LIMIT)
    yield f"Since: {_local(message.at, message.zone)} {message.zone}"
    yield from _top(message)
    if message.others:
        yield f"And {message.others:,} more began together. `spendtop alert list` has them all."
    yield _sentence(message.next_words)


def _loop(message: Message) -> Iterator[str]:
    """Whose calls repeat one another, and how much so."""
    yield f"{_whose(message).capitalize()} looks like a loop: {Usd(message.used_nano)} so far."
    for evidence in message.lines:
        yield _neutral(evidence, LINE_LIMIT)
    yield f"Since: {_local(message.at, message.zone)} {message.zone}"
    yield _sentence(message.next_words)


def _about_account(message: Message) -> Iterator[str]:
    name = _neutral(message.limit_name)
    if message.kind is MessageKind.LOW_BALANCE:
        yield f"Account {name}: {_left(message)}, less than {side_by_side(Usd(message.limit_nano))[0]}."
        yield _how_long(message)
        yield f"Since: {_local(message.at, message.zone)} {message.zone}"
    else:
        last = f"last at {_local(message.at, message.zone)} {message.zone}" if message.at else "not even once"
        yield f"{name} was read {last}. What was spent since then is in no figure."
    for reason in message.lines:
        yield _neutral(reason, BODY_LIMIT)
    if message.next_words:
        yield _sentence(message.next_words)


def _stopped(message: Message) -> Iterator[str]:
    for reason in message.lines:
        yield _neutral(reason, BODY_LIMIT)
    yield f"Since: {_local(message.at, message.zone)} {message.zone}"


def _undelivered(message: Message) -> Iterator[str]:
    """What was not delivered, and why; then what the first of it says."""
    name = _neutral(message.limit_name)
    reason = "".join(f": {_neutral(line, LINE_LIMIT)}" for line in message.lines)
    yield f"Channel {name} did not take this message{reason}."
    if message.others:
        yield f"Nor {message.others:,} more. `spendtop delivery list` names them."
    yield f"`spendtop channel test {quote(name)}` tries it; `spendtop delivery retry` sends again what is dead."
    if message.lost is not None:
        yield from _lines(message.lost)


def _over(message: Message) -> Iterator[str]:
    name = _neutral(message.limit_name)
    if message.resolves is MessageKind.LOW_BALANCE:
        yield f"Account {name}: {_left(message)}."
        yield _how_long(message)
    elif message.resolves is MessageKind.LOOP:
        since = f"{_local(message.at, message.zone)} {message.zone}"
        yield f"{_whose(message).capitalize()} repeats itself no more, as it did since {since}."
    elif message.resolves is MessageKind.UNUSUAL:
        yield f"Spent since {_local(message.at, message.zone)} {message.zone}: {Usd(message.used_nano)}."
    else:
        yield f"{name} is read again, last at {_local(message.at, message.zone)} {message.zone}."
    for caution in message.lines:
        yield _neutral(caution, LINE_LIMIT)


def _left(message: Message) -> str:
    amount = Usd(message.used_nano).floored
    return f"an estimated {amount} is left" if message.estimated else f"{amount} is left"


def _how_long(message: Message) -> str:
    """How fast a balance falls, and when it is gone."""
    if message.burn_nano is None:
        return "How fast it falls is not known: the last 7 days cost nothing that is known."
    burn = f"It falls by {Usd(message.burn_nano)} per day"
    if message.runs_out_at is None:
        return f"{burn}."
    if message.runs_out_at <= message.at:
        return f"{burn} and is used up."
    return f"{burn} and runs out about {_local(message.runs_out_at, message.zone)} {message.zone}."


def _body(lines: Iterator[str], ref: str) -> str:
    text = "\n".join(filter(None, lines))
    return f"{_cut(text, BODY_LIMIT - len(ref) - 1)}\n{ref}"


def _whose(message: Message) -> str:
    if message.request is not None:
        return ", ".join((f"request {message.request}", *(_named(*each) for each in message.contributors)))
    if not message.entity:
        return "everyone"
    return f"{_dimension(message)} {_neutral(message.entity)}"


def _whom(message: Message, name: str) -> Iterator[str]:
    """Behind the limit's name, which may end with what it is `each` of."""
    if message.request is not None:
        yield str(message.request)
    elif message.entity:
        if not name.endswith(_dimension(message)):
            yield _dimension(message)
        yield _neutral(message.entity)


def _dimension(message: Message) -> str:
    return (message.each or "entity").replace("_", " ")


def _named(dimension: str, key: str, _nano: int) -> str:
    return f"{dimension} {_neutral(key) or '(none)'}"


def _window(message: Message) -> str:
    if message.window_start is None or message.window_end is None:
        return message.window
    start, end = (_local(instant, message.zone) for instant in (message.window_start, message.window_end))
    estimate = " (an estimate)" if message.window == WindowKind.BLOCK else ""
    return f"{message.window}{estimate}, {start} to {end} {message.zone}"


def _local(instant: int, zone: str) -> str:
    return f"{to_datetime(instant).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _duration(micros: int) -> str:
    hours, minutes = micros // HOUR, micros % HOUR // MINUTE
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _neutral(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The text so that it mentions nobody and links nowhere, in Markdown neither."""
    return neutral_for_message(text, limit).replace("](", f"]{_BREAK}(").replace("://", f":{_BREAK}//")


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words[:1].upper()}{words[1:]}."


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else without_part_of_amount(text, text[: limit - 1]) + "…"
