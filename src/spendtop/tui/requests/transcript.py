"""One request as lines to read: the chat, the raw bodies, and every field with where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from spendtop.domain.bodies.conversation import (
    Attachment,
    Conversation,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    turn_text,
)
from spendtop.domain.cost_words import bounded
from spendtop.domain.percent import percent_of
from spendtop.domain.requests.provider_usage import unpack
from spendtop.domain.requests.request import BodyState, ServiceLevel
from spendtop.domain.untrusted import clean_line, clean_name, clean_text
from spendtop.services.exchange.lines import (
    BODY_REASONS,
    Wording,
    cost_line,
    exact_cost,
    level_words,
    request_lines,
    twin_words,
)
from spendtop.tui import formats
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line, Piece, fit_middle, length
from spendtop.tui.widgets.json_lines import json_lines, wrap
from spendtop.tui.widgets.request_table import status_word

if TYPE_CHECKING:
    from spendtop.domain.windows import Calendar
    from spendtop.store.reads.requests.detail import RequestDetail
    from spendtop.store.reads.rows import RequestRow

_NAME_WIDTH, _VALUE_WIDTH = 18, 60


class Pane(StrEnum):
    """The sides of a request."""

    CHAT = "chat"
    REQUEST = "raw request"
    RESPONSE = "raw response"
    META = "meta"


PANES = tuple(Pane)


@dataclass(frozen=True, slots=True)
class PaneFormat:
    """What the lines are made for."""

    width: int
    wrap: bool
    palette: Palette
    glyphs: Glyphs
    calendar: Calendar
    folded: bool = False
    """Whether messages are shown as their first lines."""
    figures: bool = True
    """Whether the figures stand above the chat."""


def lines_of(detail: RequestDetail, conversation: Conversation, pane: Pane, layout: PaneFormat) -> list[Line]:
    """The pane's lines, cleaned and fitted to the layout."""
    match pane:
        case Pane.CHAT:
            figures = [*summary(detail, layout), ()] if layout.figures else []
            return [*figures, *_chat(detail, conversation, layout)]
        case Pane.REQUEST:
            return list(_raw(detail.request_body, detail.row.body_state, layout))
        case Pane.RESPONSE:
            return list(_raw(detail.response_body, detail.row.body_state, layout))
        case Pane.META:
            return list(_meta(detail, layout))


def summary(detail: RequestDetail, layout: PaneFormat) -> list[Line]:
    """The figures of a request: cost, tokens, names; what deserves a look in lines of their own."""
    row = detail.row
    palette, usage = layout.palette, row.usage
    cached = f" (cached {formats.grouped(usage.cache_read)})" if usage.cache_read else ""
    thought = f" (reasoning {formats.grouped(usage.reasoning)})" if usage.reasoning else ""
    tokens = f"{formats.grouped(usage.prompt)}{cached}"
    output = bounded(formats.grouped, row.output_final or usage.completion is None)(usage.completion)
    first = f"  ttft {formats.latency(row.ttft_ms)}" if row.ttft_ms is not None else ""
    names = [
        (name, str(value))
        for name, value in (("session", row.session_id), ("path", row.session_path), ("token", row.token_label))
        if value
    ]
    names += [(clean_line(name), clean_line(value)) for name, value in row.properties.items()]
    lines: list[Line] = [
        *_cost(detail, layout),
        [
            ("in ", palette.muted),
            (tokens, palette.text),
            ("  out ", palette.muted),
            (f"{output}{thought}", palette.text),
            (f"{first}  total {formats.latency(row.latency_ms)}  ", palette.muted),
            (status_word(row), palette.bad if status_word(row).startswith("!") else palette.good),
        ],
    ]
    if row.service_level not in (None, ServiceLevel.STANDARD) or row.cost.level_assumed:
        lines.append([("level ", palette.muted), (level_words(row) or "", palette.text)])
    if (twin := twin_words(detail)) is not None:
        lines += [[(piece, palette.warn)] for piece in wrap(twin, layout.width)]
    if names:
        lines += _names(names, layout)
    return lines


def _names(names: Iterable[tuple[str, str]], layout: PaneFormat) -> Iterator[Line]:
    """In as many lines as it takes; what is longer than its share of one is cut in its middle."""
    line: list[Piece] = []
    for name, value in names:
        name = _identity(name, min(_NAME_WIDTH, layout.width // 3), layout)
        value = _identity(value, min(_VALUE_WIDTH, layout.width - cell_len(name) - 1), layout)
        pair: list[Piece] = [(f"{name} ", layout.palette.muted), (value, layout.palette.text)]
        if line and length(line) + 2 + length(pair) > layout.width:
            yield line
            line = []
        line += [("  ", layout.palette.text), *pair] if line else pair
    yield line


def _identity(text: str, width: int, layout: PaneFormat) -> str:
    return fit_middle(text, min(cell_len(text), width), layout.glyphs.cut)


def _cost(detail: RequestDetail, layout: PaneFormat) -> Iterator[Line]:
    """In as many lines as it takes, so that what is not in the amount is never cut off."""
    palette, row = layout.palette, detail.row
    label = "cost "
    cost = exact_cost(row)
    first, *more = wrap(cost_line(detail), max(layout.width - len(label), 1))
    amount = first[: len(cost)] if first.startswith(cost) else ""
    style = palette.unknown if row.cost.amount is None else palette.money
    words = palette.warn if row.cost.doubtful else palette.text
    yield [(label, palette.muted), (amount, style), (first[len(amount) :], words)]
    for piece in more:
        yield [(" " * len(label), palette.muted), (piece, words)]


def _chat(detail: RequestDetail, conversation: Conversation, layout: PaneFormat) -> Iterator[Line]:
    palette = layout.palette
    if conversation.error is not None:
        yield _rule("error", "", palette.bad, layout)
        yield from _wrapped(conversation.error, palette.bad, layout)
        yield ()
    for side, name in ((conversation.prompt, "in"), (conversation.response, "out")):
        sizes = [len(turn_text(turn).encode(errors="replace")) for turn in side]
        for turn, size in zip(side, sizes, strict=True):
            yield from _turn(turn, _weight(turn, size, sum(sizes), name), layout)
    if not conversation.turns and conversation.error is None:
        yield [(_absence(detail.row.body_state), palette.muted)]
        if detail.request_body or detail.response_body:
            yield [("The bodies are of a shape that is not known; tab shows them raw.", palette.muted)]


def _weight(turn: Turn, size: int, whole: int, side: str) -> str:
    """How large a message is, and its share of what is paid for on its side: `1.2 kB, 38% of in`."""
    words = [formats.size(size)]
    if turn.tokens is not None:
        words.insert(0, f"{formats.grouped(turn.tokens)} tok")
    if whole:
        words.append(f"{percent_of(size, whole)} of {side}")
    return ", ".join(words)


def _turn(turn: Turn, weight: str, layout: PaneFormat) -> Iterator[Line]:
    styles = {"user": layout.palette.who, "assistant": layout.palette.good, "system": layout.palette.title}
    yield _rule(clean_line(turn.role, 30), weight, styles.get(turn.role, layout.palette.key), layout)
    lines = (line for part in turn.parts for line in _part(part, layout))
    if layout.folded:
        yield from islice(lines, 1)
        return
    yield from lines
    yield ()


def _part(part: Part, layout: PaneFormat) -> Iterator[Line]:
    palette = layout.palette
    match part:
        case Text(text=text):
            yield from _wrapped(text, palette.text, layout)
        case Thinking(text=text):
            yield [("thinking", palette.test)]
            yield from _wrapped(text, palette.muted, layout)
        case ToolCall(name=name, arguments=arguments):
            yield [("tool call ", palette.muted), (clean_name(name, 80), palette.key)]
            yield from _wrapped(arguments, palette.model, layout)
        case ToolResult(name=name, text=text):
            yield [("tool result ", palette.muted), (clean_name(name, 80), palette.key)]
            yield from _wrapped(text, palette.text, layout)
        case Attachment(kind=kind, detail=about):
            yield [(f"[{kind}]", palette.cached), (f" {clean_line(about, 120)}", palette.muted)]


def _rule(name: str, note: str, style: Style, layout: PaneFormat) -> Line:
    line: list[Piece] = [
        (layout.glyphs.across * 2 + " ", layout.palette.line),
        (name, style),
        (" ", layout.palette.line),
    ]
    tail: list[Piece] = (
        [(f" {note} ", layout.palette.muted), (layout.glyphs.across * 2, layout.palette.line)] if note else []
    )
    return [
        *line,
        (layout.glyphs.across * max(layout.width - length(line) - length(tail), 0), layout.palette.line),
        *tail,
    ]


def _wrapped(text: str, style: Style, layout: PaneFormat) -> Iterator[Line]:
    for line in clean_text(text).split("\n"):
        for piece in wrap(line, layout.width) if layout.wrap else (line,):
            yield [(piece, style)]


def _raw(body: bytes | None, state: BodyState, layout: PaneFormat) -> Iterator[Line]:
    if body is None:
        yield [(_absence(state), layout.palette.muted)]
        return
    yield [(f"{formats.size(len(body))}, {state}", layout.palette.muted)]
    text = body.decode("utf-8", "replace")
    yield from json_lines(text, layout.width if layout.wrap else None, layout.palette)


def _absence(state: BodyState) -> str:
    return BODY_REASONS.get(state, "There is no body on this side.")


def _meta(detail: RequestDetail, layout: PaneFormat) -> Iterator[Line]:
    calendar = layout.calendar
    wording = Wording(
        instant=lambda micros: formats.full_time(micros, calendar),
        tokens=formats.grouped,
        milliseconds=formats.latency,
        fields={
            "occurred_at": lambda row: (
                f"{formats.full_time(row.occurred_at, calendar)} "
                f"({row.time_source}{', suspect' if row.time_suspect else ''})"
            ),
            "status": lambda row: f"{row.status} {row.http_status if row.http_status is not None else ''}".strip(),
            "cached": lambda row: "hit, costs nothing" if row.cached else "no",
            "counted": lambda row: "yes" if row.counted else "no: a plan" if row.is_plan else "no: shadow token",
        },
    )
    for label, value in request_lines(detail, wording):
        yield from _field(label, formats.UNKNOWN if value is None else value, layout)
    yield from _usage(detail.row, layout)
    yield from _revisions(detail, layout)


def _usage(row: RequestRow, layout: PaneFormat) -> Iterator[Line]:
    """What the provider itself said was used, as far as it is kept."""
    usage = unpack(row.provider_usage)
    if usage is None:
        return
    yield ()
    yield _rule("usage as the provider said it", "", layout.palette.title, layout)
    yield from json_lines(json.dumps(usage), layout.width, layout.palette)


def _field(name: str, value: str, layout: PaneFormat) -> Iterator[Line]:
    room = max(layout.width - _NAME_WIDTH, 8)
    first, *more = wrap(value, room) if layout.wrap else [value]
    yield [
        (fit_middle(name, _NAME_WIDTH - 1, layout.glyphs.cut) + " ", layout.palette.muted),
        (first, layout.palette.text),
    ]
    for piece in more:
        yield [(" " * _NAME_WIDTH, layout.palette.muted), (piece, layout.palette.text)]


def _revisions(detail: RequestDetail, layout: PaneFormat) -> Iterable[Line]:
    if not detail.revisions:
        return
    yield ()
    yield _rule("corrections", str(len(detail.revisions)), layout.palette.title, layout)
    for revision in detail.revisions:
        when = formats.full_time(revision.at, layout.calendar)
        yield [(when, layout.palette.muted), (f" by {clean_line(revision.source)}", layout.palette.text)]
        for name, (old, new) in revision.changes.items():
            yield from _field(f"  {clean_line(name, 30)}", f"{clean_line(str(old))} → {clean_line(str(new))}", layout)
        for name, (kept, refused) in revision.refused.items():
            text = f"{clean_line(str(kept))} stays, {clean_line(str(refused))} was not taken"
            yield from _field(f"  {clean_line(name, 30)}", text, layout)
