"""What several sources report of one request is one request: a function of what each of them says, in any order.

Of what one source says again and again the most complete counts (see `_fuller`); what several sources say is put
together by trust (see `together`). What each one says is kept, so a further report changes what it has to and no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from operator import attrgetter
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from spendtop.domain.clock import MINUTE
from spendtop.domain.model_names import family
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.pricer import is_amount
from spendtop.domain.requests.fields import REPORTED, Merging, ValueKind
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import AgentSource, ProviderPush, Source, source_named

STATED = tuple(
    field
    for field in REPORTED
    if field.merging is not Merging.STAY and (field.part != "cost" or field.attribute in ("reported", "reported_by"))
)
"""The fields that a source states: all that is not worked out here, such as the cost, and not our own, as the arrival
is."""
_FILLED = {field.attribute: field.kind for field in REPORTED if field.merging is Merging.FILL and not field.part}
_filled_of = attrgetter(*_FILLED)
_REVISED = tuple(field.revision for field in REPORTED if field.revised)
_revised = attrgetter(*(field.path for field in REPORTED if field.revised))
ROOT = "/"
"""The session path of what an agent does itself."""
_TIME_RANK = {time_source: rank for rank, time_source in enumerate(TimeSource)}
_REPORTER_RANK = {reporter: rank for rank, reporter in enumerate(Reporter)}
_ENDING_RANK = {status: rank for rank, status in enumerate((Status.OK, Status.CANCELLED, Status.ERROR))}
"""How far a call came: what ended well may have been said to fail before that, but not the other way round."""
_BODY_RANK = {
    state: rank
    for rank, state in enumerate(
        (BodyState.STORED, BodyState.TRUNCATED, BodyState.NOT_KEPT, BodyState.NOT_SENT, BodyState.PURGED)
    )
}
_FULLER: Mapping[ValueKind, Callable[[Any, Any], Any]] = {
    ValueKind.MILLISECONDS: max,
    ValueKind.HTTP_STATUS: min,
    ValueKind.TEXTS: lambda first, again: {**again, **first},
}
"""What two reports of one source say together, by the kind of the field; of other kinds the first stays."""
_CONTRADICTED = tuple(
    field
    for field in STATED
    if field.revised
    and field.merging is not Merging.EITHER
    and field.kind not in (ValueKind.MILLISECONDS, ValueKind.HTTP_STATUS, ValueKind.INSTANT)
    and field.attribute != "time_source"
)

Price = Callable[[Request], Cost]
"""What a request costs, by its quantities and what others report."""

_REVISION = re.compile(r"(?:-\d{3,4})+$")
"""`-0613`, `-002`: a release that a family keeps, as at some makers it is another model (`mistral-large-2402`)."""


class StoredRequest(Struct, frozen=True, kw_only=True, gc=False):
    """What all sources of a request say together."""

    id: int
    request: Request
    """`source` is the most trusted one, `external_id` the id it gave."""
    external_ids: dict[str, str]
    """Every source's id, by source."""
    reports: dict[Source, Request] = field(default_factory=dict)
    """What each source states, the most trusted first, where several do; else `request` is what its only one does."""
    probable_twin_of: int | None = None
    """Another request that probably is the same call, reported through another middleman; both count."""

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, most trusted first."""
        if len(self.external_ids) == 1:
            return tuple(self.external_ids)
        return tuple(sorted(self.external_ids, key=lambda name: source_named(name).trust))

    @property
    def statements(self) -> dict[Source, Request]:
        """What each source states, the most trusted first."""
        return self.reports or {self.request.source: statement(self.request)}

    def giver(self, name: str) -> Source:
        """The most trusted source that gave a field."""
        givers = (source for source, each in self.statements.items() if getattr(each, name) is not None)
        return next(givers, self.request.source)


def statement(report: Request) -> Request:
    """What a report states of its request, without what is worked out here, with our own or kept elsewhere."""
    reported = report.cost.reported
    return replace(
        report,
        received_at=0,
        cost=Cost() if reported is None else Cost(reported=reported, reported_by=report.cost.reported_by),
        request_body=None,
        response_body=None,
        content=None,
        unread_usage=(),
        other_ids=(),
    )


def merge(stored: StoredRequest, report: Request, price: Price) -> StoredRequest:
    """The request with one more report; itself where the report says nothing new.

    A cost whose grounds changed is decided anew.
    """
    reports = dict(stored.statements)
    known, stated = reports.get(report.source), statement(report)
    if known is not None:
        stated = replace(stated, external_id=known.external_id)
        if stated == known:
            return stored
        stated = said_again(report.source)(known, stated)
    reports[report.source] = stated
    return of_reports(stored, reports, {report.source.name: report.external_id, **stored.external_ids}, price)


def said_again(source: Source) -> Callable[[Request, Request], Request]:
    """What makes one of two reports of a source, where the second one says something else."""
    if isinstance(source, AgentSource):
        return _grown
    return _latest if source.comes_again else _fuller


def of_reports(
    stored: StoredRequest, reports: Mapping[Source, Request], external_ids: Mapping[str, str], price: Price
) -> StoredRequest:
    """The request where its sources state this instead."""
    before = stored.request
    by_trust = sorted(reports.values(), key=_trust)
    request = together(by_trust)
    is_purged = before.body_state is BodyState.PURGED
    request = replace(
        request,
        received_at=before.received_at,
        body_state=BodyState.PURGED if is_purged else request.body_state,
        cost=replace(before.cost, reported=request.cost.reported, reported_by=request.cost.reported_by),
    )
    if _grounds(request) != _grounds(before):
        request = replace(request, cost=price(request))
    return StoredRequest(
        id=stored.id,
        request=request,
        external_ids=dict(external_ids),
        reports={each.source: each for each in by_trust} if len(by_trust) > 1 else {},
        probable_twin_of=stored.probable_twin_of,
    )


def together(reports: Sequence[Request]) -> Request:
    """What sources say together, the most trusted first: a field is as the first of them says that knows it.

    Time and reported cost go by how well they are known before they go by trust. What counts does so under a token of
    those that count, whichever shadow token it was pushed under as well.
    """
    if len(reports) == 1:
        return reports[0]
    counted = [each for each in reports if each.counted]
    usage, provider_usage = _usage(reports)
    best = min(reports, key=lambda each: _TIME_RANK[each.time_source])
    cost = min(reports, key=_cost_rank).cost
    return replace(
        _gaps_filled(reports),
        token=_first(counted or reports, "token"),
        properties=_properties(reports),
        usage=usage,
        provider_usage=provider_usage,
        occurred_at=best.occurred_at,
        time_source=best.time_source,
        time_suspect=best.time_suspect,
        cost=Cost(reported=cost.reported, reported_by=cost.reported_by),
        verified=any(each.verified for each in reports),
        output_final=any(each.output_final for each in reports),
        counted=bool(counted),
        body_state=min((each.body_state for each in reports), key=_BODY_RANK.__getitem__),
    )


def _gaps_filled(reports: Sequence[Request]) -> Request:
    """The first report, with what it leaves out as the first of the others says that knows it."""
    values = list(_filled_of(reports[0]))
    for other in reports[1:]:
        if None not in values:
            break
        others = _filled_of(other)
        values = [others[place] if value is None else value for place, value in enumerate(values)]
    return replace(reports[0], **dict(zip(_FILLED, values, strict=True)))


def _properties(reports: Sequence[Request]) -> dict[str, str] | None:
    """Those of the first report that has any, and what only some know: an agent's own files where it worked, a
    provider's push whose workspace or key it was. Of these, what callers say themselves comes first."""
    having = [each for each in reports if each.properties]
    by_callers = [each for each in having if not isinstance(each.source, ProviderPush)][:1]
    besides = [each for each in having if isinstance(each.source, AgentSource | ProviderPush)]
    told = [(each.properties or {}).items() for each in (*reversed(besides), *by_callers)]
    return {name: value for items in told for name, value in items} or None


def _first(reports: Iterable[Request], name: str) -> Any:
    return next((value for each in reports if (value := getattr(each, name)) is not None), None)


def _usage(reports: Iterable[Request]) -> tuple[Usage, bytes | None]:
    """What the first report says that knows of any usage, and the provider's object that agrees with it.

    What it leaves out is filled by others, but only where they agree: the parts of an input belong to its count, and so
    do those of an output.
    """
    telling = [each for each in reports if each.usage != Usage() or each.provider_usage is not None]
    if not telling:
        return Usage(), None
    usage = telling[0].usage
    for other in telling[1:]:
        usage = _filled(usage, other.usage)
    objects = (each.provider_usage for each in telling if _agrees(each.usage, usage))
    return usage, next((each for each in objects if each is not None), None)


def _filled(usage: Usage, other: Usage) -> Usage:
    """A usage with what another one says besides."""
    for whole, parts in (("prompt", ("cache_read", "cache_write")), ("completion", ("reasoning",))):
        if None not in (getattr(usage, whole), getattr(other, whole)) and getattr(usage, whole) != getattr(
            other, whole
        ):
            continue
        gaps = {name: getattr(other, name) for name in (whole, *parts) if getattr(usage, name) is None}
        filled = replace(usage, **gaps)
        count = getattr(filled, whole)
        if count is None or sum(getattr(filled, name) or 0 for name in parts) <= count:
            usage = filled
    if usage.units is None and other.units is not None and _agrees(other, usage):
        usage = replace(usage, units=other.units)
    return usage


def _agrees(usage: Usage, other: Usage) -> bool:
    """Whether every count that `usage` knows is also the other one's."""
    known = ((count, whole) for count, whole in zip(_counts(usage), _counts(other), strict=True) if count is not None)
    return all(count == whole for count, whole in known)


def _counts(usage: Usage) -> tuple[int | None, ...]:
    return usage.prompt, usage.completion, usage.cache_read, usage.cache_write, usage.reasoning


def _cost_rank(report: Request) -> tuple[bool, bool, int]:
    """By who says so: the provider's figure before a gateway's. What can be no cost gives way to what can."""
    cost = report.cost
    return cost.reported is None, not _is_cost(cost), _REPORTER_RANK[_reporter(report)]


def _own_cost_rank(report: Request) -> tuple[tuple[bool, bool, int], int, bool]:
    """Of what one source says, the larger figure first."""
    cost = report.cost
    return _cost_rank(report), -cost.reported.nano if cost.reported else 0, cost.reported_by is None


def _reporter(report: Request) -> Reporter:
    """Whose the reported cost is; where older versions did not say, the source's own."""
    by_itself = Reporter.CLIENT if report.source.written_by_hand else Reporter.GATEWAY
    return report.cost.reported_by or by_itself


def _is_cost(cost: Cost) -> bool:
    """Whether a figure can be believed whatever else is known: only a provider says that something cost nothing."""
    if cost.reported == ZERO:
        return cost.reported_by is Reporter.PROVIDER
    return cost.reported is not None and is_amount(cost.reported)


def _trust(report: Request) -> int:
    return report.source.trust


def _latest(known: Request, stated: Request) -> Request:
    """What is read of a source again and again: the last word counts, and what it leaves out stays."""
    in_order = (stated, known)
    usage, provider_usage = _usage(in_order)
    best = min(in_order, key=lambda each: _TIME_RANK[each.time_source])
    return replace(
        _gaps_filled(in_order),
        usage=usage,
        provider_usage=provider_usage,
        occurred_at=best.occurred_at,
        time_source=best.time_source,
        time_suspect=best.time_suspect,
        cost=known.cost if stated.cost.reported is None else stated.cost,
        verified=known.verified or stated.verified,
        output_final=known.output_final or stated.output_final,
        counted=known.counted or stated.counted,
        body_state=min((stated.body_state, known.body_state), key=_BODY_RANK.__getitem__),
    )


def _fuller(known: Request, stated: Request) -> Request:
    """What a source says in two reports of one request, whichever came first.

    Usage is that of the report with the larger total, as a whole; of two costs the larger one counts, of two names of a
    model's the more exact one, of two outcomes the better one, of two times the earlier one. Texts fill gaps, and what
    was said first stays. A report of another model is not taken at all.
    """
    if not _may_be_one_model(known.model, stated.model):
        return known
    both = (known, stated)
    largest = max(both, key=_extent)
    best = min(both, key=lambda each: (_TIME_RANK[each.time_source], each.occurred_at, each.time_suspect))
    ended = min(both, key=lambda each: _ENDING_RANK[each.status])
    fuller = {
        name: combine(getattr(known, name), getattr(stated, name))
        for name, kind in _FILLED.items()
        if None not in (getattr(known, name), getattr(stated, name)) and (combine := _FULLER.get(kind))
    }
    names = [name for name in (known.model, stated.model) if name is not None]
    return replace(
        replace(_gaps_filled(both), **fuller),
        model=max(names, key=_exactness, default=None),
        status=ended.status,
        usage=largest.usage,
        provider_usage=max(
            (each.provider_usage for each in both if each.usage.total == largest.usage.total),
            key=lambda packed: (len(packed or b""), packed or b""),
        ),
        occurred_at=best.occurred_at,
        time_source=best.time_source,
        time_suspect=best.time_suspect,
        cost=min(both, key=_own_cost_rank).cost,
        cached=known.cached or stated.cached,
        verified=known.verified or stated.verified,
        output_final=known.output_final or stated.output_final,
        counted=known.counted or stated.counted,
        body_state=min((known.body_state, stated.body_state), key=_BODY_RANK.__getitem__),
    )


def _grown(known: Request, stated: Request) -> Request:
    """What two lines of an agent's files say of one call. A subagent's copy of what stands in the session itself adds
    nothing to it. How it is paid is no line's to say: it is as the machine says now."""
    if (known.session_path == ROOT) != (stated.session_path == ROOT):
        grown = known if known.session_path == ROOT else stated
    else:
        grown = _fuller(known, stated)
    return replace(grown, billing=stated.billing, counted=stated.counted)


def _extent(report: Request) -> tuple[Any, ...]:
    """How much a report says was used; equal only for equal usages."""
    usage = report.usage
    counts = _counts(usage)
    units = usage.units or {}
    total = -1 if usage.total is None else usage.total
    known = sum(count is not None for count in counts) + len(units)
    return total, known, sum(units.values()), tuple(count or 0 for count in counts), tuple(sorted(units.items()))


def _exactness(model: str) -> tuple[int, int, str]:
    """The more exact of two names of one model's has its release, and no vendor in front."""
    return len(model.rpartition("/")[2]), -len(model), model


def _grounds(request: Request) -> tuple[object, ...]:
    """What a cost rests on. Prices begin and end at whole minutes."""
    return (
        request.provider,
        request.model,
        request.served_model,
        request.usage,
        request.service_level,
        request.inference_geo,
        request.status,
        request.cached,
        request.cost.reported,
        request.cost.reported_by,
        request.occurred_at // MINUTE,
        request.is_plan,
    )


def differences(old: Request, new: Request) -> dict[str, tuple[object, object]]:
    """Fields whose value changed, for the revision: name to (old, new), as plain JSON values."""
    values = zip(_REVISED, _revised(old), _revised(new), strict=True)
    return {name: (plain(before), plain(after)) for name, before, after in values if before != after}


def contradictions(stored: StoredRequest, report: Request) -> dict[str, tuple[object, object]]:
    """What a further report of the same source says and is not taken for: name to (kept, said), as plain JSON values.

    `stored` is the request as it is with that report. Less of the same, such as an earlier count, is one too.
    """
    kept = stored.statements.get(report.source)
    if kept is None or report.source.comes_again:
        return {}
    is_other_model = not _may_be_one_model(kept.model, report.model)
    said: dict[str, tuple[object, object]] = {}
    for each in _CONTRADICTED:
        if each.name == "model" and not is_other_model:
            continue
        values = attrgetter(each.path)(kept), attrgetter(each.path)(report)
        if values[1] is not None and values[0] != values[1] and not _includes(*values):
            said[each.revision] = (plain(values[0]), plain(values[1]))
    if report.cost.reported is not None and kept.cost.reported != report.cost.reported:
        said["reported_cost_nano"] = (plain(kept.cost.reported), plain(report.cost.reported))
    return said


def _includes(kept: object, said: object) -> bool:
    """Whether properties were taken, beside others; and an answer of the gateway's cache is never taken back."""
    if isinstance(kept, dict) and isinstance(said, dict):
        return kept.items() >= said.items()
    return kept is True and said is False


def plain(value: object) -> object:
    """A field's value as JSON takes it."""
    match value:
        case Usd(nano=nano):
            return nano
        case Enum(value=word):
            return word
    return value


def is_one_model(name: str | None, other: str | None) -> bool:
    """Whether both names are known, and are one model's."""
    return name is not None and other is not None and bare_model(name) == bare_model(other)


def _may_be_one_model(name: str | None, other: str | None) -> bool:
    return name is None or other is None or bare_model(name) == bare_model(other)


def bare_model(name: str) -> str:
    """A model's family without any release, as one source may say the alias and another what it stood for."""
    return _REVISION.sub("", family(name))
