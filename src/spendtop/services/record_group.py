"""One group of events against what is known: what is new, what a further report changes, and what that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from spendtop.domain.merging import Price, StoredRequest, differences, merge, partner
from spendtop.domain.request import BodyState, Request, is_assumed
from spendtop.services.limit_book import LimitBook
from spendtop.services.preparation import Prepared
from spendtop.services.totals import TotalsByDifference


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
        self, book: LimitBook, price: Price, known: dict[bytes, Key], stored: dict[int, StoredRequest]
    ) -> None:
        """`known` and `stored` are the keys and records that these events are about; a purged request has no record."""
        self._price = price
        self._known = known
        self._stored = stored
        self._by_response: dict[str, list[int]] | None = None
        """Ids of requests by response id; None while requests of one kind of source do not join."""
        self.totals = TotalsByDifference(book)
        self.new: dict[int, StoredRequest] = {}
        self.changed: dict[int, StoredRequest] = {}
        self.keys: list[tuple[bytes, int, bytes | None]] = []
        self.bodies: dict[int, tuple[int, bytes]] = {}
        self.revisions: list[dict[str, Any]] = []

    def join_by_response(self, candidates: Mapping[str, Sequence[StoredRequest]]) -> None:
        """From here on requests join what has their response id: these, and those of the group itself."""
        self._by_response = {each: [record.id for record in records] for each, records in candidates.items()}
        for records in candidates.values():
            for record in records:
                self._stored.setdefault(record.id, record)

    def known_as(self, event: Prepared) -> Key | None:
        """The first of the event's keys that is known."""
        key = self._known.get(event.digest)
        if key is not None or not event.other_digests:
            return key
        return next((self._known[digest] for digest in event.other_digests if digest in self._known), None)

    def partner(self, event: Prepared) -> StoredRequest | None:
        """The request of another source that this one is the same as."""
        response_id = event.request.response_id
        if self._by_response is None or response_id is None or event.external_ids is not None:
            return None
        candidates = (self._stored[each] for each in self._by_response.get(response_id, ()))
        return partner(event.request, [one for one in candidates if one.request.response_id == response_id])

    def first(self, request_id: int, event: Prepared) -> None:
        """A request that nobody reported before."""
        request = event.request
        record = StoredRequest(
            id=request_id,
            request=request,
            external_ids=event.external_ids or {request.source.name: request.external_id},
        )
        self.new[request_id] = self._stored[request_id] = record
        self._add_keys(request_id, event)
        self._note_response(record)
        if event.body is not None:
            self.bodies[request_id] = event.body
        self.totals.add(request, request_id)

    def join(self, record: StoredRequest, event: Prepared) -> None:
        """A request that another source reported."""
        self._add_keys(record.id, event)
        less_trusted = max(record.request.source, event.request.source, key=lambda source: source.trust)
        self.totals.count_joined(less_trusted, event.request.received_at)
        self._merge(record, event)

    def again(self, request_id: int, event: Prepared) -> None:
        """One more report of a known request: it may fill gaps or correct, but not where it is only assumed to be the
        same one; a purged one is left alone.

        A restored one says nothing new, but under which ids its sources know it.
        """
        if event.external_ids is not None:
            self._add_keys(request_id, event)
            return
        record = self._stored.get(request_id)
        source = event.request.source
        if not source.comes_again and (record is None or source.name in record.external_ids):
            self.totals.count_repeat(event.request)
        if record is not None and not is_assumed(event.request):
            self._merge(record, event)

    def _merge(self, old: StoredRequest, event: Prepared) -> None:
        merged = merge(old, event.request, self._price)
        if merged == old:
            return
        request_id = old.id
        self._stored[request_id] = merged
        self._note_response(merged)
        self.totals.replace(old.request, merged.request, request_id)
        if event.body is not None and merged.request.body_state is BodyState.STORED:
            self.bodies.setdefault(request_id, event.body)
        (self.new if request_id in self.new else self.changed)[request_id] = merged
        changes = differences(old.request, merged.request)
        if changes:
            self._revise(request_id, event.request, changes)

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
            self.keys.append((digest, request_id, content))

    def _revise(self, request_id: int, report: Request, changes: dict[str, tuple[object, object]]) -> None:
        self.revisions.append(
            {
                "request_id": request_id,
                "at": report.received_at,
                "source": report.source.name,
                "changes": msgspec.json.encode(changes).decode(),
            }
        )
