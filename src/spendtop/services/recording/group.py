"""One group of events against what is known: what is new, what a further report changes, and what that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from spendtop.domain.reports.joins import RequestPart, part_of_report, parts_of, requests, whole
from spendtop.domain.reports.merging import (
    Price,
    StoredRequest,
    contradictions,
    differences,
    merge,
    of_reports,
    said_again,
)
from spendtop.domain.reports.values import nearest, parts_by_value, value_of
from spendtop.domain.requests.request import BodyState, Request, is_assumed
from spendtop.domain.sources.records import Source, source_named
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.alike import Alike
from spendtop.services.recording.body_changes import BodyChanges, body_giver, without_body
from spendtop.services.recording.key_changes import Key, KeyChanges
from spendtop.services.recording.preparation import Prepared
from spendtop.services.recording.totals import TotalsByDifference

_REFUSED = "refused"
REFUSED = f',"{_REFUSED}"]'
"""Ends each change of a revision that was said, but not taken."""


class Group:
    """What is known about the events of one group, and what they change, folded."""

    def __init__(
        self,
        book: LimitBook,
        price: Price,
        new_id: Callable[[int], int],
        known: dict[bytes, Key],
        stored: dict[int, StoredRequest],
    ) -> None:
        """`known` and `stored` are the keys and records that these events are about; a purged request has no record.

        `new_id` gives the id of a request that arrived at an instant.
        """
        self._price = price
        self._new_id = new_id
        self._stored = stored
        self.alike: Alike | None = None
        """None while requests of one kind of source do not join."""
        self.totals = TotalsByDifference(book)
        self.new: dict[int, StoredRequest] = {}
        self.changed: dict[int, StoredRequest] = {}
        self.keys = KeyChanges(known)
        self.bodies = BodyChanges()
        self.dropped: list[int] = []
        """Stored requests that turned out to be others."""
        self.revisions: list[dict[str, Any]] = []
        self.twins: dict[int, int | None] = {}
        """Of stored requests of which nothing else changed."""
        self.contradictions: list[dict[str, Any]] = []
        """As revisions, of what was said and not taken."""

    def join(self, candidates: Iterable[StoredRequest]) -> None:
        """From here on requests join what has their response id, or their value: these, and those of the group."""
        self.alike = Alike(self._stored)
        for record in candidates:
            self.alike.note(self._stored.setdefault(record.id, record))

    @property
    def touched(self) -> dict[int, StoredRequest]:
        return {**self.changed, **self.new}

    def pair(self, paired: Iterable[tuple[int | None, StoredRequest]]) -> None:
        """Have requests whose twin is another one now, or none any more; the former ones are given."""
        for former, record in paired:
            request_id, twin = record.id, record.probable_twin_of
            if request_id in self.new:
                self.new[request_id] = record
                continue
            if request_id in self.changed:
                self.changed[request_id] = record
            else:
                self.twins[request_id] = twin
            changes = {"probable_twin_of": (former and str(former), twin and str(twin))}
            self.revisions.append(_revision(request_id, record.request, changes))

    def known_as(self, event: Prepared) -> Key | None:
        """The first of the event's keys that is known. What is only told to be another source's word on the same call
        is not that of a request which has a report of the event's own source: that one is another call."""
        key = self.keys.get(event.digest)
        if key is not None:
            return key
        for digest in event.other_digests:
            key = self.keys.get(digest)
            if key is not None and not (digest in event.elsewhere and self._is_told_by(event, key.request_id)):
                return key
        return None

    def _is_told_by(self, event: Prepared, request_id: int) -> bool:
        record = self._stored.get(request_id)
        return record is not None and event.request.source.name in record.external_ids

    def record(self, event: Prepared) -> tuple[int, bool]:
        """Record a report under an id that is not known: of a request that others reported, or of a new one.

        Gives the request's id, and whether it is new. What is nearest in time belongs together, so a report may take
        over what another request of the same response id was joined with.
        """
        candidates = self.alike.named(event.request.response_id) if self.alike and event.external_ids is None else []
        report = part_of_report(event.request) if candidates else None
        parts = [part for record in candidates for part in parts_of(record)]
        home = None if report is None else self._settle(requests([*parts, report]), event)[report]
        if home is None:
            return self._first(event), True
        self._join(self._stored[home], event)
        return home, False

    def united(self, request_id: int, event: Prepared) -> int:
        """The id of the request of an event that is recorded, with all that this event proves to be the same one."""
        if self.alike is None and not event.other_digests:
            return request_id
        for alike in (self._named_alike, self._answered_alike, self._valued_alike):
            record = self._stored.get(request_id)
            joined = [] if record is None or event.external_ids is not None else alike(record, event)
            homes = self._settle(joined, event) if any(len(parts) > 1 for parts in joined) else {}
            own = (
                home
                for part, home in homes.items()
                if part.record == request_id and home is not None and event.request.source in part.reports
            )
            request_id = next(own, request_id)
        return request_id

    def _named_alike(self, record: StoredRequest, event: Prepared) -> list[list[RequestPart]]:
        """All requests that the event's ids are of. Both may have a report of its own kind of source, where one of the
        ids is of that; of other kinds of source they are two."""
        keys = [(digest, self.keys.get(digest)) for digest in event.other_digests]
        known = {key.request_id: digest for digest, key in keys if key is not None and key.request_id != record.id}
        others = {request_id: digest for request_id, digest in known.items() if request_id in self._stored}
        same = [whole(record)] if others else []
        for request_id, digest in others.items():
            part, spaces = whole(self._stored[request_id]), frozenset[str]().union(*(each.spaces for each in same))
            own = frozenset() if digest in event.elsewhere else frozenset({event.request.source.space})
            if part.spaces & spaces <= own:
                same.append(part)
        return [same]

    def _answered_alike(self, record: StoredRequest, event: Prepared) -> list[list[RequestPart]]:
        """What the requests with its response id are."""
        found = [] if self.alike is None else self.alike.named(record.request.response_id)
        return requests([part for each in found for part in parts_of(each)]) if len(found) > 1 else []

    def _valued_alike(self, record: StoredRequest, event: Prepared) -> list[list[RequestPart]]:
        """What the calls with its value are."""
        if self.alike is None or value_of(event.request) is None:
            return []
        found = self.alike.named(value_of(record.statements.get(event.request.source)))
        return nearest([part for each in found for part in parts_by_value(each)]) if len(found) > 1 else []

    def _settle(self, joined: Sequence[Sequence[RequestPart]], event: Prepared) -> dict[RequestPart, int | None]:
        """Have each request consist of its parts; gives what the home of each part is now. A part that is no record's
        has none where it is alone.

        A request stays where its first part is; one of several that turned out to be the same stays, the oldest.
        """
        first: dict[int, RequestPart] = {}
        for part in sorted((part for parts in joined for part in parts), key=lambda part: part.request.source.trust):
            if part.record is not None:
                first.setdefault(part.record, part)
        before = {request_id: self._stored[request_id] for request_id in first}
        homes: dict[RequestPart, int | None] = {}
        for parts in joined:
            told = [part for part in parts if part.record is not None]
            here = sorted(request_id for request_id, part in first.items() if part in parts)
            if here:
                self._hold(before[here[0]], told, before, event)
            elif told:
                here = [self._apart(told, before, event)]
            for other in here[1:]:
                self._drop(before[other], before[here[0]], event)
            homes |= dict.fromkeys(parts, here[0] if here else None)
        return homes

    def _first(self, event: Prepared) -> int:
        """A request that nobody reported before."""
        request = event.request
        record = StoredRequest(
            id=self._new_id(request.received_at),
            request=request,
            external_ids=event.external_ids or {request.source.name: request.external_id},
        )
        self._add(record)
        self.keys.add(record.id, event)
        if event.body is not None:
            self.bodies.first[record.id] = event.body
        return record.id

    def _add(self, record: StoredRequest) -> None:
        self.new[record.id] = self._stored[record.id] = record
        self._note(record)
        self.totals.add(record.request, record.id)

    def _join(self, record: StoredRequest, event: Prepared) -> None:
        """A request that another source reported."""
        self.keys.add(record.id, event)
        less_trusted = max(record.request.source, event.request.source, key=lambda source: source.trust)
        self.totals.count_joined(less_trusted, event.request.received_at)
        self._merge(record, event)

    def _hold(
        self,
        record: StoredRequest,
        parts: Sequence[RequestPart],
        before: Mapping[int, StoredRequest],
        event: Prepared,
    ) -> None:
        """Have a request consist of these parts, which may have been other ones'."""
        own = [part for part in parts if part.record == record.id]
        reports = {source: report for part in own for source, report in part.reports.items()}
        if reports.keys() == record.statements.keys() and len(own) == len(parts):
            return
        spaces = {space for part in own for space in part.spaces}
        ids = {name: each for name, each in record.external_ids.items() if source_named(name).space in spaces}
        for part in parts:
            if part.record is None or part.record == record.id:
                continue
            former = before[part.record]
            for source, report in self._moved(part, former, record.id, body_giver(record)).items():
                known = reports.get(source)
                reports[source] = report if known is None else said_again(source)(known, report)
            theirs = former.external_ids.items()
            ids = {name: each for name, each in theirs if source_named(name).space in part.spaces} | ids
        self._replace(record, of_reports(record, reports, ids, self._price), event)

    def _drop(self, record: StoredRequest, home: StoredRequest, event: Prepared) -> None:
        """A request turned out to be another one, which has its reports already."""
        self.totals.remove(record.request)
        del self._stored[record.id]
        is_stored = self.new.pop(record.id, None) is None
        self.keys.drop(record.id, home.id, is_stored)
        if is_stored:
            self.changed.pop(record.id, None)
            self.twins.pop(record.id, None)
            self.dropped.append(record.id)
        less_trusted = max(record.request.source, home.request.source, key=lambda source: source.trust)
        self.totals.count_joined(less_trusted, event.request.received_at)
        self.bodies.drop(record.id)
        if record.probable_twin_of is not None:
            self._part(record.probable_twin_of)

    def _part(self, request_id: int) -> None:
        """Have a request without a twin."""
        known = self._stored.get(request_id)
        if known is not None:
            self._stored[request_id] = alone = msgspec.structs.replace(known, probable_twin_of=None)
            for records in (self.new, self.changed):
                if request_id in records:
                    records[request_id] = alone
        if request_id not in self.new:
            self.twins[request_id] = None

    def _apart(self, parts: Sequence[RequestPart], before: Mapping[int, StoredRequest], event: Prepared) -> int:
        """Make a request of parts that others do not have any more; gives its id."""
        request_id = self._new_id(event.request.received_at)
        reports: dict[Source, Request] = {}
        for part in parts:
            former = before[part.record or 0]
            reports |= self._moved(part, former, request_id, None)
        arrived = before[parts[0].record or 0].request.received_at
        self._add(_separate(request_id, reports, arrived, self._price))
        return request_id

    def _moved(
        self, part: RequestPart, former: StoredRequest, to: int, kept: Source | None
    ) -> Mapping[Source, Request]:
        """What a part says, with its keys moved to another request, and its bodies where they were the ones kept and
        are not those of a source that is trusted less than the one whose are `kept` there."""
        for report in part.reports.values():
            self.keys.move(report, to)
        giver = body_giver(former)
        if giver is not None and giver in part.reports and (kept is None or giver.trust < kept.trust):
            self.bodies.move(former.id, to)
            return part.reports
        return {source: without_body(report) for source, report in part.reports.items()}

    def again(self, request_id: int, event: Prepared) -> None:
        """One more report of a known request: it may fill gaps or correct, but not where it is only assumed to be the
        same one; a purged one is left alone.

        A restored one says nothing new, but under which ids its sources know it.
        """
        self.keys.add(request_id, event)
        if event.external_ids is not None:
            return
        record = self._stored.get(request_id)
        source = event.request.source
        if not source.comes_again and (record is None or source.name in record.external_ids):
            self.totals.count_repeat(event.request)
        if record is not None and not is_assumed(event.request):
            self._merge(record, event)

    def _merge(self, old: StoredRequest, event: Prepared) -> None:
        report = event.request
        merged = merge(old, report, self._price)
        if merged is not old and report.source in old.statements:
            refused = contradictions(merged, report)
            if refused:
                self.contradictions.append(
                    _revision(merged.id, report, {name: (*values, _REFUSED) for name, values in refused.items()})
                )
        if event.body is not None and merged.request.body_state is BodyState.STORED:
            self.bodies.keep(old, report.source, event.body)
        if merged != old:
            self._replace(old, merged, event)

    def _replace(self, old: StoredRequest, new: StoredRequest, event: Prepared) -> None:
        request_id = old.id
        self._stored[request_id] = new
        self._note(new)
        self.totals.replace(old.request, new.request, request_id)
        (self.new if request_id in self.new else self.changed)[request_id] = new
        changes = differences(old.request, new.request)
        if changes:
            self.revisions.append(_revision(request_id, event.request, changes))

    def _note(self, record: StoredRequest) -> None:
        """Have a request found by what it may be joined by."""
        if self.alike is not None:
            self.alike.note(record)


def _revision(request_id: int, report: Request, changes: Mapping[str, tuple[object, ...]]) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "at": report.received_at,
        "source": report.source.name,
        "changes": msgspec.json.encode(changes).decode(),
    }


def _separate(request_id: int, reports: Mapping[Source, Request], arrived: int, price: Price) -> StoredRequest:
    """A request of reports that were another one's."""
    first = msgspec.structs.replace(next(iter(reports.values())), received_at=arrived)
    ids = {source.name: report.external_id for source, report in reports.items()}
    priced = msgspec.structs.replace(first, cost=price(first))
    return of_reports(StoredRequest(id=request_id, request=priced, external_ids=ids), reports, ids, price)
