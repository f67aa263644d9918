"""Which ids belong to which requests, as far as a group of events is about them, and what changes of that."""

from __future__ import annotations

from typing import NamedTuple

from spendtop.domain.requests.request import Request
from spendtop.services.recording.preparation import Prepared
from spendtop.store.ids import former_identity, identity


class Key(NamedTuple):
    """Which request a source's id belongs to, and what was said under it."""

    request_id: int
    content: bytes | None = None

    def contradicts(self, content: bytes | None) -> bool:
        """Whether something else was said under the same id of a client's own choice."""
        return self.content is not None and content is not None and self.content != content


class KeyChanges:
    """By digest. Requests that turn out to be others are followed to these."""

    def __init__(self, known: dict[bytes, Key]) -> None:
        self._known = known
        self._new: dict[bytes, bytes | None] = {}
        """What was said under ids that the store does not have."""
        self._moved: set[bytes] = set()
        """Those that it has, and that belong to another request now."""
        self.homes: dict[int, int] = {}
        """Which request another one is now."""

    def get(self, digest: bytes) -> Key | None:
        key = self._known.get(digest)
        return None if key is None else key._replace(request_id=self.home(key.request_id))

    def home(self, request_id: int) -> int:
        """The request that one is, which may have turned out to be another one."""
        while request_id in self.homes:
            request_id = self.homes[request_id]
        return request_id

    def add(self, request_id: int, event: Prepared) -> None:
        """An event's ids are a request's, where they are not another one's."""
        self._add(event.digest, request_id, event.request.content)
        for digest in event.other_digests:
            self._add(digest, request_id, None)

    def move(self, report: Request, to: int) -> None:
        """The id under which a source reports is another request's from now on."""
        digest = identity(report.source, report.external_id, report.scope)
        self._known[digest] = Key(to)
        if digest not in self._new:
            self._moved.add(digest)

    @property
    def new(self) -> list[tuple[bytes, int, bytes | None]]:
        """Rows for `request_key` in primary-key order."""
        return [(digest, self._home_of(digest), content) for digest, content in sorted(self._new.items())]

    @property
    def moved(self) -> list[tuple[bytes, int]]:
        """Of which stored key which request it is now, in primary-key order."""
        return [(digest, self._home_of(digest)) for digest in sorted(self._moved)]

    def drop(self, request_id: int, home: int, is_stored: bool) -> None:
        """A request turned out to be another one; where it is stored, its further ids lead to it still."""
        self.homes[request_id] = home
        if is_stored:
            self._add(former_identity(request_id), home, None)

    def _home_of(self, digest: bytes) -> int:
        return self.home(self._known[digest].request_id)

    def _add(self, digest: bytes, request_id: int, content: bytes | None) -> None:
        if digest not in self._known:
            self._known[digest] = Key(request_id, content)
            self._new[digest] = content
