"""`GET /verdict`: may this user, model, token or session go on? For applications that want to stop themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace
from sqlalchemy.exc import SQLAlchemyError

from spendtop.api.answers import HttpAnswer, busy, error
from spendtop.api.context import Context
from spendtop.api.guards import Guards
from spendtop.api.listener.http_request import HttpRequest
from spendtop.api.recent import Recent
from spendtop.domain.clock import to_iso
from spendtop.domain.filters.filters import FilterContext, Subject, matches
from spendtop.domain.filters.tree import name_here
from spendtop.domain.known_names import unknown_name
from spendtop.domain.limits.limit import Each, Limit, LimitState, family_of
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.provider_limits import ProviderLimitUse
from spendtop.domain.limits.raises import Raises
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import NAME_LIMIT, storable_name
from spendtop.domain.windows import CALENDAR_KINDS, Bounds, Calendar, Window, WindowKind, bounds
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.provider_limits import provider_limits
from spendtop.store.reads.limits.raises import raises_in_force

SECONDS = 0.1
"""How old the use of a limit may be."""
PARAMETERS = ("user", "model", "token", "session")

_NOT_READABLE = busy("store_unavailable", "The store cannot be read at the moment. Try again.")
_Word = Literal["allow", "warn", "deny"]
_WORDS: Mapping[LimitState, _Word] = {
    LimitState.OK: "allow",
    LimitState.APPROACHING: "warn",
    LimitState.EXCEEDED: "deny",
}
_GRAVITY = {state: rank for rank, state in enumerate(_WORDS)}
_UNTOLD = (WindowKind.REQUEST, WindowKind.BLOCK)
_Use = tuple[str, str, int | None]
"""A limit's name, whose use of it, and when its window ends: what was used of it says nothing about the next one."""


class _LimitStanding(NamedTuple):
    limit: Limit
    used: Usd
    ends_at: int | None
    """UTC µs."""


class LimitVerdict(Struct, frozen=True):
    """What limits say; `limit` is the one that decides: the fullest of the worst state."""

    verdict: _Word = "allow"
    limit: str | None = None
    remaining_usd: float | None = None
    resets_at: str | None = None

    @classmethod
    def of(cls, standings: Sequence[_LimitStanding]) -> LimitVerdict:
        if not standings:
            return cls()
        limit, used, ends_at = max(
            standings, key=lambda each: (_GRAVITY[each.limit.state(each.used)], each.limit.fraction(each.used))
        )
        return cls(
            verdict=_WORDS[limit.state(used)],
            limit=limit.name,
            remaining_usd=float(max(ZERO, limit.amount - used).dollars),
            resets_at=None if ends_at is None else to_iso(ends_at),
        )


class Verdict(Struct, frozen=True):
    """The answer, by limits on spend."""

    verdict: _Word
    limit: str | None
    remaining_usd: float | None
    resets_at: str | None
    api_equivalent: LimitVerdict | UnsetType = UNSET
    """What limits on usage under a plan say, where there are some; they decide nothing about calls that cost money."""


class _InForce(Struct, frozen=True):
    limits: tuple[Limit, ...] = ()
    """Those that sum requests; a limit on single requests says nothing about the next one, and whose block of an agent
    that falls in no application can say."""
    calendar: Calendar = Calendar()
    raises: Raises = Raises()
    told: tuple[ProviderLimitUse, ...] = ()
    """Providers' own limits, where they are to decide, too."""


class _Invalid(Exception):
    """Parameters that cannot be used, and why."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__()
        self.fields = fields


class VerdictRoute:
    """Judges by the limits in force, from uses that are at most SECONDS old."""

    def __init__(self, context: Context, guards: Guards) -> None:
        self._context = context
        self._guards = guards
        self._in_force: Recent[None, _InForce] = Recent(self._read_in_force, SECONDS)
        self._uses: Recent[_Use, Usd] = Recent(self._read_uses, SECONDS)
        self._reader = EntityUses()
        self._latest = _InForce()
        self._turns: dict[tuple[Window, Calendar], Bounds] = {}

    async def __call__(self, http: HttpRequest) -> HttpAnswer:
        """The verdict for the holder of the api key or an ingest key."""
        refusal = self._refusal(http)
        if refusal is not None:
            return refusal
        try:
            verdict = await self._judge(await self._named(_subject(http.scope["query_string"])))
        except _Invalid as invalid:
            return error(422, "invalid", "Some parameters cannot be used.", fields=invalid.fields)
        except SQLAlchemyError:
            return _NOT_READABLE
        return HttpAnswer(200, msgspec.json.encode(verdict))

    def _refusal(self, http: HttpRequest) -> HttpAnswer | None:
        if self._guards.ingest_key(http) is not None:
            return self._guards.ingest(http)
        return self._guards.admin(http)

    async def _named(self, subject: Subject) -> Subject:
        """The subject with its tracking token by value and name, whichever was given."""
        if subject.token is None:
            return subject
        book = await self._context.tokens.book(())
        called = [token for token in book.values() if token.name == subject.token]
        token = book.get(subject.token) or next(iter(called), None)
        return subject if token is None else replace(subject, token=token.token, token_name=token.name)

    async def _judge(self, subject: Subject) -> Verdict:
        in_force = self._latest = (await self._in_force.get((None,)))[None]
        now, calendar = self._context.clock(), in_force.calendar
        touched = [
            (limit, (limit.name, entity, self._bounds(limit.window, now, calendar).end_us))
            for limit, entity in _touched(in_force, subject)
        ]
        used = await self._uses.get([use for _, use in touched]) if touched else {}
        standings = [_LimitStanding(limit, used[use], use[-1]) for limit, use in touched]
        for use in in_force.told:
            if use.limit is not None and use.used is not None and use.holds_for(subject):
                limit = replace(use.limit, name=f"{use.provider} {use.holder}")
                standings.append(_LimitStanding(limit, use.used, use.bounds.end_us))
        of_plans = [each for each in standings if each.limit.measure is LimitedValue.API_EQUIVALENT]
        by_spend = LimitVerdict.of([each for each in standings if each.limit.measure is LimitedValue.SPEND])
        return Verdict(
            **msgspec.structs.asdict(by_spend), api_equivalent=LimitVerdict.of(of_plans) if of_plans else UNSET
        )

    def _read_in_force(self, keys: Collection[None]) -> Mapping[None, _InForce]:
        with self._context.store.reading() as connection:
            configured = applied(connection)
            raises = raises_in_force(connection, self._context.clock())
            includes = configured is not None and configured.include_provider
            told = provider_limits(connection, self._context.clock()) if includes else ()
        if configured is None:
            return {None: _InForce()}
        summing = tuple(limit for limit in configured.limits if limit.window.kind not in _UNTOLD)
        enforced = tuple(use for use in told if use.told.enforced)
        return {None: _InForce(summing, configured.calendar, raises, enforced)}

    def _read_uses(self, wanted: Collection[_Use]) -> Mapping[_Use, Usd]:
        in_force, now, ceilings = self._latest, self._context.clock(), self._context.ceilings()
        limits = {limit.name: limit for limit in in_force.limits}
        entities: defaultdict[tuple[str, int | None], list[str]] = defaultdict(list)
        for name, entity, ends_at in wanted:
            entities[name, ends_at].append(entity)
        uses = dict.fromkeys(wanted, ZERO)
        with self._context.store.reading() as connection:
            for (name, ends_at), some in entities.items():
                if name not in limits:
                    continue
                within = now if ends_at is None else ends_at - 1
                window = self._bounds(limits[name].window, within, in_force.calendar)
                read = self._reader.uses(connection, limits[name], some, window, ceilings.get(name))
                uses.update(((name, entity, ends_at), use.used) for entity, use in read.items())
        return uses

    def _bounds(self, window: Window, now: int, calendar: Calendar) -> Bounds:
        """The window's bounds now. Those of a calendar's windows stay until the next one begins."""
        current = self._turns.get((window, calendar))
        if current is not None and now in current:
            return current
        current = bounds(window, now, calendar)
        if window.kind in CALENDAR_KINDS:
            self._turns[window, calendar] = current
        return current


def _subject(query: bytes) -> Subject:
    """Whom it is about. Raises _Invalid."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=8
        )
    except ValueError:
        raise _Invalid({"query": "is no valid query"}) from None
    fields: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value in pairs:
        name = name_here(name)
        if name not in PARAMETERS:
            field, problem = unknown_name(name, PARAMETERS, "query")
            fields[field] = problem
        elif name in names:
            fields[name] = "is given more than once"
        elif not 0 < len(value) <= NAME_LIMIT:
            fields[name] = f"must have 1 to {NAME_LIMIT} characters"
        names[name] = storable_name(value)
    if fields:
        raise _Invalid(fields)
    return Subject(
        user=names.get("user"), model=names.get("model"), token=names.get("token"), session=names.get("session")
    )


def _entity(each: Each | None, subject: Subject) -> str | None:
    match each:
        case None:
            return ""
        case Each.MODEL_FAMILY:
            return family_of(subject.model)
    entity: str | None = getattr(subject, each.value)
    return entity


def _touched(in_force: _InForce, subject: Subject) -> list[tuple[Limit, str]]:
    """The limits that a request of this subject would count for, as they are raised, and the entity it would count
    for."""
    context = FilterContext(0, in_force.calendar)  # the fields that a limit can name do not depend on the time
    entities = [(limit, _entity(limit.each, subject)) for limit in in_force.limits]
    return [
        (in_force.raises.raised(limit, entity), entity)
        for limit, entity in entities
        if entity is not None and (limit.where is None or matches(limit.where, subject, context))
    ]
