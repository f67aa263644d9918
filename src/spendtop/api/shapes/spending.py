"""The JSON that scripts rely on. Instants are RFC 3339 in UTC; an amount or count that is not known is null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel
from typing_extensions import TypedDict

from spendtop.domain.bodies.conversation import parse_conversation, prompt_text, response_text
from spendtop.domain.clock import to_iso
from spendtop.domain.limits.forecast import Forecast
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.raises import amount_of
from spendtop.domain.money import Usd
from spendtop.domain.requests.fields import FIELDS, ValueKind
from spendtop.domain.untrusted import Untrusted
from spendtop.services.exchange.export import record
from spendtop.store.reads.limits.uses import LimitUse
from spendtop.store.reads.requests.detail import RequestDetail
from spendtop.store.reads.requests.lists import ListedSpend
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.sums import KeySpend

if TYPE_CHECKING:
    from spendtop.services.exchange.export import Record


def raw(text: Untrusted | None) -> str | None:
    """The text as it came: JSON escapes what could harm a terminal."""
    return None if text is None else text.raw


def instant(micros: int | None) -> str | None:
    """An instant as text."""
    return None if micros is None else to_iso(micros)


class Failure(BaseModel):
    """What went wrong."""

    code: str
    message: str
    fields: dict[str, str] | None = None
    """Parameter to what is wrong with it."""


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: Failure


class Tokens(BaseModel):
    """Numbers of tokens."""

    prompt: int
    completion: int
    total: int

    @classmethod
    def of(cls, spend: Spend) -> Tokens:
        return cls(prompt=spend.prompt_tokens, completion=spend.completion_tokens, total=spend.tokens)


class Sums(BaseModel):
    """What requests cost together: the fields that `Spend.figures` gives."""

    cost_usd: float | None
    """Null where there are requests and the cost of none is known."""
    cost_nanousd: int | None
    requests: int
    unpriced: int
    """Requests whose cost is not known, or only in part; what is not known is in no amount."""
    failed: int
    """Requests that ended with an error and without any usage: they cost nothing."""


class ModelSpend(Sums):
    """Spend of one model; null where requests name none."""

    model: str | None
    share: float | None
    """Of all costs of the answer, from 0 to 1; null where no cost is known."""

    @classmethod
    def of(cls, row: KeySpend, whole: Spend) -> ModelSpend:
        return cls(model=row.key.raw or None, share=row.spend.share_of(whole), **row.spend.figures())


class UserSpend(Sums):
    """Spend of one user; null where requests name none."""

    user_id: str | None

    @classmethod
    def of(cls, row: KeySpend) -> UserSpend:
        return cls(user_id=row.key.raw or None, **row.spend.figures())


class GroupSpend(Sums):
    """Spend of one value of the dimension asked for with `by`; null where requests name none."""

    key: str | None
    """Of a tracking token its name; the day itself where the dimension is only `day`."""
    token: str | None
    """What clients send, where it is by token."""
    day: str | None
    """The local date where it is by day."""
    tokens: int
    share: float | None

    @classmethod
    def of(cls, row: KeySpend, whole: Spend, day: str | None = None) -> GroupSpend:
        return cls(
            key=(row.token_name or row.key).raw or None,
            token=None if row.token_name is None else row.key.raw,
            day=day,
            tokens=row.spend.tokens,
            share=row.spend.share_of(whole),
            **row.spend.figures(),
        )


class LimitSummary(BaseModel):
    """How a limit stands, in short."""

    name: str
    entity: str
    """Whose limit it is; empty for everyone."""
    entity_name: str
    """What people read for that: of a tracking token its name."""
    window: str
    measure: LimitedValue
    """What it sums: spend, or the API-equivalent value of usage under a plan."""
    used_usd: float
    limit_usd: float
    fraction: float
    state: str

    @classmethod
    def of(cls, use: LimitUse) -> LimitSummary:
        return cls(
            name=use.limit.name,
            entity=use.entity.raw,
            entity_name=use.name.raw,
            window=use.limit.window.text,
            measure=use.limit.measure,
            used_usd=float(use.used.dollars),
            limit_usd=float(use.limit.amount.dollars),
            fraction=use.fraction,
            state=use.state.value,
        )


class ApiEquivalent(BaseModel):
    """What coding agents used under a plan: no spend, and in no other sum."""

    requests: int
    tokens: int
    usd: float | None
    """What it would have cost by what was used; the known part. None where nothing is known of any call."""

    @classmethod
    def of(cls, plan: Spend) -> ApiEquivalent:
        return cls(requests=plan.requests, tokens=plan.tokens, usd=Usd.float_of(plan.known_cost))


class SummaryAnswer(Sums):
    """What was spent in a span of time."""

    since: str | None
    until: str | None
    tokens: Tokens
    average_cost_usd: float | None
    """Per priced request."""
    by_model: list[ModelSpend]
    top_users: list[UserSpend]
    limits: list[LimitSummary]
    api_equivalent: ApiEquivalent
    by: list[GroupSpend] | None = None
    """Only when asked for with `by`."""


class ForecastItem(BaseModel):
    """How the use of a limit may go on; `low` to `high` is a band that holds four of five outcomes."""

    enough_data: bool
    """False where there is less than eight days of past; then nothing else is known."""
    reaches_at: str | None
    """When 100 % is reached; null where that is less likely than not within the window, or reached already."""
    low: str | None
    high: str | None
    likely: float | None
    """How likely 100 % is reached within the window, 0 to 1."""
    end_nanousd: int | None
    """Use when the window ends."""
    end_low_nanousd: int | None
    end_high_nanousd: int | None
    linear_nanousd: int | None
    """The same if the average of the window so far went on."""

    @classmethod
    def of(cls, forecast: Forecast) -> ForecastItem:
        return cls(
            enough_data=forecast.has_enough,
            reaches_at=instant(forecast.reaches_at),
            low=instant(forecast.reaches_low),
            high=instant(forecast.reaches_high),
            likely=forecast.likely if forecast.has_enough else None,
            end_nanousd=Usd.nano_of(forecast.end),
            end_low_nanousd=Usd.nano_of(forecast.end_low),
            end_high_nanousd=Usd.nano_of(forecast.end_high),
            linear_nanousd=Usd.nano_of(forecast.linear),
        )


class LimitItem(BaseModel):
    """How a limit stands."""

    name: str
    entity: str
    entity_name: str
    window: str
    measure: LimitedValue
    """What it sums: spend, or the API-equivalent value of usage under a plan."""
    starts_at: str | None
    ends_at: str | None
    used_nanousd: int
    limit_nanousd: int
    unpriced: int
    fraction: float
    state: str
    thresholds: list[float]
    raised_nanousd: int
    """What is raised for a while, and part of `limit_nanousd`."""
    raised_until: str | None
    """When the first of its raises ends; null where it is not raised."""
    forecast: ForecastItem | None = None
    """Null for windows of a few hours, of a session and of a request."""

    @classmethod
    def of(cls, use: LimitUse, forecast: Forecast | None) -> LimitItem:
        return cls(
            name=use.limit.name,
            entity=use.entity.raw,
            entity_name=use.name.raw,
            window=use.limit.window.text,
            measure=use.limit.measure,
            starts_at=instant(use.starts_at),
            ends_at=instant(use.ends_at),
            used_nanousd=use.used.nano,
            limit_nanousd=use.limit.amount.nano,
            unpriced=use.unpriced,
            fraction=use.fraction,
            state=use.state.value,
            thresholds=[*use.limit.warn, 1.0],
            raised_nanousd=amount_of(use.raises).nano,
            raised_until=instant(use.raised_until),
            forecast=None if forecast is None else ForecastItem.of(forecast),
        )


class LimitsAnswer(BaseModel):
    """All limits, the fullest first."""

    data: list[LimitItem]


class RequestTotals(Sums):
    """Sums over all requests that the query selects, not only those of the page."""

    tokens: int
    shadow: int
    """Listed requests of shadow tokens: another source counts them, so they are in none of these sums."""
    plan: int
    """Listed calls of coding agents under a plan: they are no spend, so they are in none of these sums."""

    @classmethod
    def of(cls, listed: ListedSpend) -> RequestTotals:
        beside = {"shadow": listed.shadow.requests, "plan": listed.plan.requests}
        return cls(tokens=listed.counted.tokens, **beside, **listed.counted.figures())


class RevisionItem(TypedDict):
    """What a later report changed."""

    at: str
    source: str
    changes: dict[str, tuple[Any, Any]]
    """Field to its old and new value."""
    refused: dict[str, tuple[Any, Any]]
    """Field to what stays, and what the source said against its own earlier report, which was not taken."""


_JSON: Mapping[ValueKind, Any] = {
    ValueKind.FLAG: bool,
    ValueKind.TEXTS: dict[str, str],
    ValueKind.IDS: dict[str, str],
    ValueKind.SOURCES: list[str],
    ValueKind.QUANTITIES: dict[str, int | float],
    ValueKind.USAGE: dict[str, Any],
    **dict.fromkeys(
        (ValueKind.ID, ValueKind.OTHER_ID, ValueKind.TEXT, ValueKind.NAME, ValueKind.WORD, ValueKind.INSTANT), str
    ),
    **dict.fromkeys((ValueKind.TOKENS, ValueKind.MILLISECONDS, ValueKind.HTTP_STATUS, ValueKind.MONEY), int),
}
_NEVER_NULL = (ValueKind.ID, ValueKind.FLAG, ValueKind.IDS, ValueKind.SOURCES, ValueKind.TEXTS, ValueKind.QUANTITIES)


def _described(name: str, about: str, more: Mapping[str, Any]) -> Any:
    """What the description says of a request's JSON: its fields as `record` gives them, and more."""
    shapes: dict[str, Any] = {}
    for field in FIELDS:
        for column in field.exported:
            shape = float if column.endswith("_usd") else _JSON[field.kind]
            shapes[column] = shape if field.default is not None or field.kind in _NEVER_NULL else shape | None
    described = TypedDict(name, {**shapes, **more})  # type: ignore[misc]  # its keys are known when it runs
    described.__doc__ = about
    return described


if TYPE_CHECKING:
    RequestAnswer = Record
else:
    Record = _described(
        "Record",
        """One request as JSON values: the columns of every export, in their order. None is unknown.

        Instants are RFC 3339 in UTC; text is as it came from outside.
        """,
        {},
    )
    RequestAnswer = _described(
        "RequestAnswer",
        """One request with its bodies. `contradiction` says which counts cannot be true together, where the cost is not
        known for that.""",
        {
            "contradiction": str | None,
            "request_body": Any,
            "response_body": Any,
            "prompt": str,
            "response": str,
            "revisions": list[RevisionItem],
        },
    )


class RequestsAnswer(BaseModel):
    """One page of requests, newest first."""

    data: list[Record]
    totals: RequestTotals
    next_cursor: str | None


def request_answer(detail: RequestDetail) -> RequestAnswer:
    """One request with its bodies, as JSON values."""
    conversation = parse_conversation(detail.request_body, detail.response_body)
    return {
        **record(detail.row),
        "contradiction": detail.contradiction,
        "request_body": _json(detail.request_body),
        "response_body": _json(detail.response_body),
        "prompt": prompt_text(conversation),
        "response": response_text(conversation),
        "revisions": [
            {
                "at": to_iso(revision.at),
                "source": revision.source,
                "changes": dict(revision.changes),
                "refused": dict(revision.refused),
            }
            for revision in detail.revisions
        ],
    }


def _json(body: bytes | None) -> Any:
    """A stored body as JSON; what redaction left unreadable, as text."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")
