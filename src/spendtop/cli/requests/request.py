"""`spendtop request`: everything about one request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from spendtop.cli.effective_limits import effective_limits
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.requests.requests import latency, status
from spendtop.cli.run_task import ask_and_wait
from spendtop.cli.tables import say
from spendtop.config.settings import Settings
from spendtop.domain.bodies.conversation import Conversation, parse_conversation, turn_text
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.requests.provider_usage import unpack
from spendtop.domain.untrusted import clean_line, clean_text
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.lines import BODY_REASONS, Wording, request_lines
from spendtop.services.tasks import TaskKind
from spendtop.store.engine import Store
from spendtop.store.reads.requests.detail import RequestDetail, Revision, find
from spendtop.store.reads.requests.detail import detail as detail_of
from spendtop.store.reads.requests.identities import ending_in
from spendtop.store.reads.rows import RequestRow

_INDENT = "  "
_NAMED_AT_MOST = 10


def run(options: Options) -> int:
    settings = load_readable(options).settings
    with opened_store(settings) as store:
        detail, calendar = _read(store, settings, options.arguments.id)
        if options.arguments.fetch:
            ask_and_wait(store, TaskKind.FETCH_BODY, {"id": str(detail.row.id)})
            detail, calendar = _read(store, settings, options.arguments.id)
    if options.arguments.json:
        from spendtop.api.shapes.spending import request_answer
        from spendtop.services.exchange.export import ascii_json

        say(ascii_json(request_answer(detail)))
    else:
        say("\n\n".join("\n".join(lines) for lines in _parts(detail, calendar) if lines))
    return ExitCode.OK


def _read(store: Store, settings: Settings, id: str) -> tuple[RequestDetail, Calendar]:
    with store.reading() as connection:
        detail = find(connection, id) or _by_its_end(connection, id)
        if detail is None:
            raise UsageError("The store has no request with this id. `spendtop requests` lists ids.")
        return detail, effective_limits(connection, settings).calendar


def _by_its_end(connection: Connection, digits: str) -> RequestDetail | None:
    """The request whose id ends so. Raises UsageError where several do."""
    ids = ending_in(connection, digits)
    if len(ids) > 1:
        names = ", ".join(map(str, ids[:_NAMED_AT_MOST]))
        raise UsageError(f"{len(ids)} ids end in {digits}: {names}{', ...' if len(ids) > _NAMED_AT_MOST else ''}.")
    return detail_of(connection, ids[0]) if ids else None


def _parts(detail: RequestDetail, calendar: Calendar) -> Iterator[Sequence[str]]:
    fields = [(name, value) for name, value in _fields(detail, calendar) if value is not None]
    width = max(len(name) for name, _ in fields)
    yield [f"{name:<{width}}{_INDENT}{value}" for name, value in fields]
    yield [line for revision in detail.revisions for line in _revision(revision, calendar)]
    yield list(_usage(detail.row))
    conversation = parse_conversation(detail.request_body, detail.response_body)
    yield list(_conversation(conversation))
    if not conversation.turns and conversation.error is None:
        yield list(_bodies(detail))


def _fields(detail: RequestDetail, calendar: Calendar) -> Iterator[tuple[str, str | None]]:
    doubt = ", in doubt" if detail.row.time_suspect else ""
    wording = Wording(
        instant=lambda micros: _time(micros, calendar),
        tokens="{:,}".format,
        milliseconds=latency,
        fields={
            "occurred_at": lambda row: f"{_time(row.occurred_at, calendar)} (by {row.time_source}{doubt})",
            "status": status,
            "cached": lambda row: "answered it" if row.cached else None,
            "counted": _counted_words,
        },
    )
    return request_lines(detail, wording)


def _counted_words(row: RequestRow) -> str | None:
    if row.counted:
        return None
    return "no, as a plan is no spend" if row.is_plan else "no, as another source counts it"


def _revision(revision: Revision, calendar: Calendar) -> Iterator[str]:
    verb = "changed" if revision.changes else "contradicted"
    yield f"{verb} {_time(revision.at, calendar)} by {revision.source}"
    for name, (old, new) in revision.changes.items():
        yield f"{_INDENT}{clean_line(name)}: {_value(old)} -> {_value(new)}"
    for name, (kept, refused) in revision.refused.items():
        yield f"{_INDENT}{clean_line(name)}: {_value(kept)} stays, {_value(refused)} was not taken"


def _usage(row: RequestRow) -> Iterator[str]:
    """What the provider itself said was used, as far as it is kept."""
    usage = unpack(row.provider_usage)
    if usage is not None:
        yield "usage as the provider said it:"
        yield from (f"{_INDENT}{line}" for line in clean_text(json.dumps(usage, indent=2)).split("\n"))


def _value(value: object) -> str:
    return clean_line(value if isinstance(value, str) else json.dumps(value))


def _conversation(conversation: Conversation) -> Iterator[str]:
    for number, turn in enumerate(conversation.turns):
        if number:
            yield ""
        yield f"{clean_line(turn.role)}:"
        yield from (f"{_INDENT}{line}" for line in clean_text(turn_text(turn)).split("\n"))
    if conversation.error is not None:
        yield f"error: {clean_line(conversation.error)}"


def _bodies(detail: RequestDetail) -> Iterator[str]:
    """The bodies as they are where they are of no known shape; else why there are none."""
    if detail.request_body is None and detail.response_body is None:
        yield BODY_REASONS.get(detail.row.body_state, "Prompt and response are not stored.")
    for name, body in (("request", detail.request_body), ("response", detail.response_body)):
        if body is not None:
            yield f"{name} body:"
            yield from (f"{_INDENT}{line}" for line in clean_text(body.decode("utf-8", "replace")).split("\n"))


def _time(micros: int, calendar: Calendar) -> str:
    return f"{calendar.local(micros):%Y-%m-%d %H:%M:%S %Z}"
