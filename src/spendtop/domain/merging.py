"""One request reported by several sources, in any order, is one record: fields merge by trust (SPEC 4)."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict, replace

from spendtop.domain.request import BodyState, Request, Source, TimeSource

_REPORT_FIELDS = (
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


class Record(Struct, frozen=True, kw_only=True):
    """A stored request: what its sources say together."""

    id: int
    request: Request
    """`source` is the most trusted one, `external_id` the id it gave."""
    external_ids: dict[str, str]
    """Every source's id, by source."""

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources, most trusted first."""
        return tuple(sorted(self.external_ids, key=lambda name: Source(name).trust))


def merge(record: Record, report: Request) -> Record:
    """The record with one more report: a trusted value is never replaced by a less trusted one, gaps are filled."""
    known = record.request
    trusted = report.source.trust < known.source.trust
    first, second = (report, known) if trusted else (known, report)
    changes: dict[str, object] = {
        name: value if (value := getattr(first, name)) is not None else getattr(second, name) for name in _REPORT_FIELDS
    }
    changes["usage"] = replace(second.usage, **{k: v for k, v in asdict(first.usage).items() if v is not None})
    changes["cost"] = first.cost if first.cost.amount is not None or second.cost.amount is None else second.cost
    if _TIME_RANK[second.time_source] < _TIME_RANK[first.time_source]:
        changes |= {name: getattr(second, name) for name in ("occurred_at", "time_source", "time_suspect")}
    changes["received_at"] = known.received_at
    changes["verified"] = known.verified or report.verified
    changes["counted"] = known.counted or report.counted
    changes["body_state"] = _body_state(known, report, first)
    return Record(
        id=record.id,
        request=replace(first, **changes),
        external_ids={**record.external_ids, report.source.value: report.external_id},
    )


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
        **{name: getattr(request, name) for name in _REPORT_FIELDS},
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
