"""One request reported by several sources, in any order, is one record: fields merge by trust."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from spendtop.domain.pricing import is_amount
from spendtop.domain.request import BodyState, Cost, Request, TimeSource
from spendtop.domain.sources import Source, source_named

_PLAIN_FIELDS = (
    "response_id",
    "provider",
    "model",
    "http_status",
    "user_id",
    "session_id",
    "session_path",
    "token",
    "properties",
    "latency_ms",
    "ttft_ms",
)
_TIME_RANK = {time_source: rank for rank, time_source in enumerate(TimeSource)}

Price = Callable[[Request], Cost]
"""What a request costs, by its tokens and what a gateway reported."""


class Record(Struct, frozen=True, kw_only=True):
    """A stored request: what its sources say together."""

    id: int
    request: Request
    """`source` is the most trusted one, `external_id` the id it gave."""
    external_ids: dict[str, str]
    """Every source's id, by source."""
    given_by: dict[str, Source] = field(default_factory=dict)
    """Field to the source that gave it, for fields that the most trusted source did not give."""

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, most trusted first."""
        return tuple(sorted(self.external_ids, key=lambda name: source_named(name).trust))

    def giver(self, name: str) -> Source:
        """Who gave a field."""
        return self.given_by.get(name, self.request.source)


def merge(record: Record, report: Request, price: Price) -> Record:
    """The record with one more report: a trusted value is never replaced by a less trusted one, gaps are filled.

    A cost whose grounds changed is decided anew; the grounds are tokens, model, outcome and reported cost.
    """
    record, report = _without_shadow(record, report)
    known = record.request
    prevails = _prevails(report.source, known.source)
    merged = _Merged(record, report)
    plain = {name: merged.choose(name, getattr(known, name), getattr(report, name)) for name in _PLAIN_FIELDS}
    usage = {
        name: merged.choose(name, value, getattr(report.usage, name)) for name, value in asdict(known.usage).items()
    }
    first = report if prevails else known
    request = replace(
        first,
        **plain,
        usage=replace(known.usage, **usage),
        received_at=known.received_at,
        verified=known.verified or report.verified,
        counted=known.counted or report.counted,
        body_state=_body_state(known, report, first),
        content=None,
    )
    request = replace(request, cost=replace(known.cost, reported=merged.reported_cost()), **merged.time())
    if _grounds(request) != _grounds(known):
        request = replace(request, cost=price(request))
    return Record(
        id=record.id,
        request=request,
        external_ids={report.source.name: report.external_id, **record.external_ids},
        given_by={name: source for name, source in merged.givers.items() if source is not request.source},
    )


def _without_shadow(record: Record, report: Request) -> tuple[Record, Request]:
    """A request that counts does so under its own token, whichever shadow token it was pushed under as well."""
    if record.request.counted and not report.counted:
        return record, replace(report, token=None)
    if report.counted and not record.request.counted:
        return replace(record, request=replace(record.request, token=None)), report
    return record, report


class _Merged:
    """Chooses field by field, and remembers who gave what was chosen."""

    def __init__(self, record: Record, report: Request) -> None:
        self._record = record
        self._report = report
        self.givers: dict[str, Source] = {}

    def choose(self, name: str, known: object, reported: object) -> object:
        giver = self._record.giver(name)
        if reported is not None and (known is None or _prevails(self._report.source, giver)):
            self.givers[name] = self._report.source
            return reported
        if known is not None:
            self.givers[name] = giver
        return known

    def time(self) -> dict[str, object]:
        """The best known instant: by who measured it, then by trust."""
        known, report = self._record.request, self._report
        giver = self._record.giver("occurred_at")
        ranks = _TIME_RANK[report.time_source], _TIME_RANK[known.time_source]
        better = ranks[0] < ranks[1] or (ranks[0] == ranks[1] and _prevails(report.source, giver))
        self.givers["occurred_at"] = report.source if better else giver
        best = report if better else known
        return {name: getattr(best, name) for name in ("occurred_at", "time_source", "time_suspect")}

    def reported_cost(self) -> object:
        """What the most trusted gateway reported; what is no amount gives way to what another one says."""
        known, reported = self._record.request.cost.reported, self._report.cost.reported
        giver = self._record.giver("reported_cost")
        if known is not None and reported is not None and giver is not self._report.source:
            if is_amount(known) and not is_amount(reported):
                reported = None
            elif is_amount(reported) and not is_amount(known):
                known = None
        return self.choose("reported_cost", known, reported)


def _prevails(source: Source, over: Source) -> bool:
    """Whether a report replaces what `over` said. Of what is read again and again the last word counts."""
    return source.trust < over.trust or (source is over and source.comes_again)


def _grounds(request: Request) -> tuple[object, ...]:
    """What a cost rests on."""
    cached = request.cached
    return request.provider, request.model, request.usage, request.status, cached, request.cost.reported


def _body_state(known: Request, report: Request, first: Request) -> BodyState:
    """A body that was forgotten does not come back."""
    states = (known.body_state, report.body_state)
    if known.body_state is BodyState.PURGED:
        return BodyState.PURGED
    return BodyState.STORED if BodyState.STORED in states else first.body_state


def differences(old: Request, new: Request) -> dict[str, tuple[object, object]]:
    """Fields whose value changed, for the revision: name to (old, new), as plain JSON values."""
    before, after = _plain(old), _plain(new)
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def _plain(request: Request) -> dict[str, object]:
    cost = request.cost.amount
    return {
        **{name: getattr(request, name) for name in _PLAIN_FIELDS},
        **{f"{name}_tokens": value for name, value in asdict(request.usage).items()},
        "cost_nano": None if cost is None else cost.nano,
        "basis": request.cost.basis.value,
        "status": request.status.value,
        "occurred_at": request.occurred_at,
        "time_source": request.time_source.value,
        "cached": request.cached,
        "verified": request.verified,
        "counted": request.counted,
    }
