"""One group of events against what is known: what is new, what a further report changes, and what that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from spendtop.domain.reports.joins import RequestPart, part_of_report, parts_of, requests
from spendtop.domain.reports.merging import Price, StoredRequest, contradictions, differences, merge, of_reports
from spendtop.domain.requests.request import BodyState, Request, is_assumed
from spendtop.domain.sources.records import Source, source_named
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Prepared
from spendtop.services.recording.totals import TotalsByDifference
from spendtop.store.ids import identity

Body = tuple[int, bytes]
"""(dictionary id, compressed prompt and response)."""
MOST_CANDIDATES = 16
"""A response id that more requests have is no provider's, but a mock's."""
_REFUSED = "refused"
REFUSED = f',"{_REFUSED}"]'
"""Ends each change of a revision that was said, but not taken."""


class Key(NamedTuple):
    """Which request a source's id belongs to, and what was said under it."""

    request_id: int
    content: bytes | None = None

    def contradicts(self, content: bytes | None) -> bool:
        """Whether something else was said under the same id of a client's own choice."""
        return self.content is not None and content is not None and self.content != content


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
        self._known = known
        self._stored = stored
        self._by_response: dict[str, list[int]] | None = None
        """Ids of requests by response id; None while requests of one kind of source do not join."""
        self.totals = TotalsByDifference(book)
        self.new: dict[int, StoredRequest] = {}
        self.changed: dict[int, StoredRequest] = {}
        self.keys: dict[bytes, tuple[int, bytes | None]] = {}
        """New ones: the request and what was said, by digest."""
        self.moved_keys: dict[bytes, int] = {}
        """Stored ones that belong to another request now."""
        self.bodies: dict[int, Body] = {}
        """Of requests that have none."""
        self.longer_bodies: dict[int, Body] = {}
        """They replace what the same source sent, where that is shorter."""
        self.better_bodies: dict[int, Body] = {}
        """They replace what a less trusted source sent."""
        self.moved_bodies: list[tuple[int, int]] = []
        """From which stored request to which."""
        self.revisions: list[dict[str, Any]] = []
        self.twins: dict[int, int | None] = {}
        """Of stored requests of which nothing else changed."""
        self.contradictions: list[dict[str, Any]] = []
        """As revisions, of what was said and not taken."""

    def join_by_response(self, candidates: Mapping[str, Sequence[StoredRequest]]) -> None:
        """From here on requests join what has their response id: these, and those of the group itself."""
        self._by_response = {each: [record.id for record in records] for each, records in candidates.items()}
        for records in candidates.values():
            for record in records:
                self._stored.setdefault(record.id, record)

    @property
    def joins(self) -> bool:
        """Whether requests of more than one kind of source are known."""
        return self._by_response is not None

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
        key = self._known.get(event.digest)
        if key is not None:
            return key
        for digest in event.other_digests:
            key = self._known.get(digest)
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
        candidates = self._candidates(event)
        if not candidates:
            return self._first(event), True
        report = part_of_report(event.request)
        parts = [parts_of(record) for record in candidates]
        first_parts = {id(of_record[0]) for of_record in parts}
        joined = requests([part for of_record in parts for part in of_record] + [report])
        homes = [[part.record for part in each if id(part) in first_parts] for each in joined]
        if any(len(home) > 1 for home in homes):
            return self._first(event), True  # requests that were told apart stay so
        before: dict[int | None, StoredRequest] = {record.id: record for record in candidates}
        home_of_report: int | None = None
        for each, (home,) in zip(joined, [home or [None] for home in homes], strict=True):
            others = [part for part in each if part is not report]
            if home is not None:
                self._hold(before[home], others, before, event)
            elif others:
                home = self._apart(others, before, event)
            if report in each:
                home_of_report = home
        if home_of_report is None:
            return self._first(event), True
        self._join(self._stored[home_of_report], event)
        return home_of_report, False

    def _candidates(self, event: Prepared) -> list[StoredRequest]:
        """Requests with the event's response id; none where so many have it that it tells nothing."""
        response_id = event.request.response_id
        if self._by_response is None or response_id is None or event.external_ids is not None:
            return []
        records = (self._stored[each] for each in self._by_response.get(response_id, ()))
        candidates = [each for each in records if each.request.response_id == response_id]
        return candidates if len(candidates) <= MOST_CANDIDATES else []

    def _first(self, event: Prepared) -> int:
        """A request that nobody reported before."""
        request = event.request
        record = StoredRequest(
            id=self._new_id(request.received_at),
            request=request,
            external_ids=event.external_ids or {request.source.name: request.external_id},
        )
        self._add(record)
        self._add_keys(record.id, event)
        if event.body is not None:
            self.bodies[record.id] = event.body
        return record.id

    def _add(self, record: StoredRequest) -> None:
        self.new[record.id] = self._stored[record.id] = record
        self._note_response(record)
        self.totals.add(record.request, record.id)

    def _join(self, record: StoredRequest, event: Prepared) -> None:
        """A request that another source reported."""
        self._add_keys(record.id, event)
        less_trusted = max(record.request.source, event.request.source, key=lambda source: source.trust)
        self.totals.count_joined(less_trusted, event.request.received_at)
        self._merge(record, event)

    def _hold(
        self,
        record: StoredRequest,
        parts: Sequence[RequestPart],
        before: Mapping[int | None, StoredRequest],
        event: Prepared,
    ) -> None:
        """Have a request consist of these parts, which may have been other ones'."""
        reports = {source: report for part in parts for source, report in part.reports.items()}
        if reports.keys() == record.statements.keys() and all(part.record == record.id for part in parts):
            return
        spaces = {space for part in parts for space in part.spaces}
        ids = {name: each for name, each in record.external_ids.items() if source_named(name).space in spaces}
        for part in parts:
            if part.record != record.id:
                reports |= self._moved(part, before[part.record], record.id)
                ids |= {source.name: report.external_id for source, report in part.reports.items()}
        self._replace(record, of_reports(record, reports, ids, self._price), event)

    def _apart(self, parts: Sequence[RequestPart], before: Mapping[int | None, StoredRequest], event: Prepared) -> int:
        """Make a request of parts that others do not have any more; gives its id."""
        request_id = self._new_id(event.request.received_at)
        reports: dict[Source, Request] = {}
        for part in parts:
            reports |= self._moved(part, before[part.record], request_id)
        arrived = before[parts[0].record].request.received_at
        first = msgspec.structs.replace(next(iter(reports.values())), received_at=arrived)
        priced = msgspec.structs.replace(first, cost=self._price(first))
        ids = {source.name: report.external_id for source, report in reports.items()}
        self._add(of_reports(StoredRequest(id=request_id, request=priced, external_ids=ids), reports, ids, self._price))
        return request_id

    def _moved(self, part: RequestPart, former: StoredRequest, to: int) -> Mapping[Source, Request]:
        """What a part says, with its keys moved to another request, and its bodies where they were the ones kept."""
        for report in part.reports.values():
            digest = identity(report.source, report.external_id, report.scope)
            self._known[digest] = Key(to)
            if digest in self.keys:
                self.keys[digest] = (to, self.keys[digest][1])
            else:
                self.moved_keys[digest] = to
        if _body_giver(former) in part.reports:
            if former.id not in self.bodies:
                self.moved_bodies.append((former.id, to))
            for waiting in (self.bodies, self.longer_bodies, self.better_bodies):
                if former.id in waiting:
                    waiting[to] = waiting.pop(former.id)
            return part.reports
        return {source: _without_body(report) for source, report in part.reports.items()}

    def again(self, request_id: int, event: Prepared) -> None:
        """One more report of a known request: it may fill gaps or correct, but not where it is only assumed to be the
        same one; a purged one is left alone.

        A restored one says nothing new, but under which ids its sources know it.
        """
        self._add_keys(request_id, event)
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
            self._keep_body(old, report.source, event.body)
        if merged != old:
            self._replace(old, merged, event)

    def _replace(self, old: StoredRequest, new: StoredRequest, event: Prepared) -> None:
        request_id = old.id
        self._stored[request_id] = new
        self._note_response(new)
        self.totals.replace(old.request, new.request, request_id)
        (self.new if request_id in self.new else self.changed)[request_id] = new
        changes = differences(old.request, new.request)
        if changes:
            self.revisions.append(_revision(request_id, event.request, changes))

    def _keep_body(self, old: StoredRequest, source: Source, body: Body) -> None:
        """The most trusted source's body is kept, and of one source's the longest, which is the most complete."""
        giver = _body_giver(old)
        if giver is None:
            self.bodies[old.id] = body
        elif source.trust < giver.trust:
            self.better_bodies[old.id] = body
            self.longer_bodies.pop(old.id, None)
        elif source is giver:
            kept = self.longer_bodies.get(old.id)
            if kept is None or len(kept[1]) < len(body[1]):
                self.longer_bodies[old.id] = body

    def _note_response(self, record: StoredRequest) -> None:
        response_id = record.request.response_id
        if self._by_response is not None and response_id is not None:
            ids = self._by_response.setdefault(response_id, [])
            if record.id not in ids:
                ids.append(record.id)

    def _add_keys(self, request_id: int, event: Prepared) -> None:
        self._add_key(event.digest, request_id, event.request.content)
        for digest in event.other_digests:
            self._add_key(digest, request_id, None)

    def _add_key(self, digest: bytes, request_id: int, content: bytes | None) -> None:
        if digest not in self._known:
            self._known[digest] = Key(request_id, content)
            self.keys[digest] = (request_id, content)


def _revision(request_id: int, report: Request, changes: Mapping[str, tuple[object, ...]]) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "at": report.received_at,
        "source": report.source.name,
        "changes": msgspec.json.encode(changes).decode(),
    }


def _body_giver(record: StoredRequest) -> Source | None:
    """Whose prompt and response are kept."""
    if record.request.body_state is not BodyState.STORED:
        return None
    givers = (source for source, each in record.statements.items() if each.body_state is BodyState.STORED)
    return next(givers, record.request.source)


def _without_body(report: Request) -> Request:
    """A report whose prompt and response were not kept, as another source's were."""
    if report.body_state is not BodyState.STORED:
        return report
    return msgspec.structs.replace(report, body_state=BodyState.NOT_KEPT)
