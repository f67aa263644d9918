"""What the listener counts, for /health and /metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from spendtop.domain.sources.records import Source
from spendtop.domain.sources.remarks import Remark, folded


class Count(StrEnum):
    """Names of the counters, as they are published."""

    INGEST_SUCCESS = "ingest_success"
    INGEST_DUPLICATE = "ingest_duplicate"
    INGEST_TEST = "ingest_test"
    INGEST_QUARANTINED = "ingest_quarantined"
    INGEST_BAD_AUTH = "ingest_bad_auth"
    INGEST_NOT_JSON = "ingest_not_json"
    INGEST_TOO_LARGE = "ingest_too_large"
    INGEST_INVALID = "ingest_invalid"
    INGEST_CONFLICT = "ingest_conflict"
    INGEST_BAD_TOKEN = "ingest_bad_token"
    INGEST_NOT_STORED = "ingest_not_stored"
    ADMIN_BAD_AUTH = "admin_bad_auth"
    FOREIGN_ORIGIN = "foreign_origin"
    RATE_LIMITED = "rate_limited"
    FAILED = "failed"


class Counters:
    """Counts since the start. Only the listener's loop adds; any thread may read."""

    def __init__(self) -> None:
        self._counts: Counter[Count] = Counter()
        self._refused: Counter[tuple[Source, str]] = Counter()
        self._remarks: dict[str, tuple[Remark, ...]] = {}

    def add(self, name: Count) -> None:
        self._counts[name] += 1

    def refuse(self, source: Source, why: str, items: int = 1) -> None:
        """So many items of a source were refused; `why` is a Count or a RefusalReason."""
        self._refused[source, why] += items

    def take_refused(self) -> Mapping[tuple[Source, str], int]:
        """What was refused since the last call."""
        taken, self._refused = self._refused, Counter()
        return taken

    def remark(self, source: Source, remarks: Iterable[Remark]) -> None:
        """Something of what a source sent could not be used."""
        self._remarks[source.name] = folded([*self._remarks.get(source.name, ()), *remarks])

    def take_remarks(self) -> dict[str, tuple[Remark, ...]]:
        """What was remarked since the last call, by source."""
        taken, self._remarks = self._remarks, {}
        return taken

    def __getitem__(self, name: Count) -> int:
        return self._counts[name]

    def snapshot(self) -> Mapping[str, int]:
        """Every counter by name, also those at zero."""
        return {name.value: self._counts[name] for name in Count}
