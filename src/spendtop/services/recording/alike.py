"""Requests by what they may be joined by: the response id, or the value of calls that have no id in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.reports.values import CallValue, values_of

MOST = 16
"""A response id that more requests have is no provider's, but a mock's; so are counts."""


class Alike:
    """Finds among records, by their ids, those that were noted."""

    def __init__(self, records: Mapping[int, StoredRequest]) -> None:
        self._records = records
        self._ids: defaultdict[str | CallValue, dict[int, None]] = defaultdict(dict)

    def note(self, record: StoredRequest) -> None:
        for each in _names(record):
            self._ids[each][record.id] = None

    def named(self, name: str | CallValue | None) -> list[StoredRequest]:
        """The requests with a response id or value; none where so many have it that it tells nothing."""
        if name is None:
            return []
        found = [self._records[id] for id in self._ids.get(name, ()) if id in self._records]
        found = [each for each in found if name in _names(each)]
        return found if len(found) <= MOST else []


def _names(record: StoredRequest) -> Collection[str | CallValue]:
    response_id = record.request.response_id
    return values_of(record) if response_id is None else {response_id, *values_of(record)}
