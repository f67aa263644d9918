"""Everything that happens to an event before SQL: clean names, price, redact, compress, identify."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.discreet import Discreet
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.fields import REPORTED, ValueKind
from spendtop.domain.requests.request import (
    BodyState,
    Cost,
    Event,
    NotUnderstood,
    Request,
    Restored,
    TestEvent,
    WaitedFor,
    Waiting,
)
from spendtop.domain.sources.records import ImportedSource, source_named
from spendtop.domain.untrusted import are_storable_names, storable_name
from spendtop.store import bodies
from spendtop.store.ids import identity

_log = logging.getLogger(__name__)
_TEXTS = tuple(field.path for field in REPORTED if field.kind is ValueKind.TEXT)
_texts_of = attrgetter(*_TEXTS)


class Prepared(Discreet, frozen=True, gc=False):
    """A request ready to be recorded."""

    digest: bytes
    request: Request
    """Priced and cleaned; its bodies live in `body`."""
    body: tuple[int, bytes] | None
    """(dictionary id, compressed prompt and response)."""
    external_ids: dict[str, str] | None = None
    """Every source's id of a restored request; else there is just the one of `request`."""
    other_digests: tuple[bytes, ...] = ()
    """Of a restored request's other sources, and of further ids."""
    elsewhere: frozenset[bytes] = frozenset()
    """Those of them under which another source would tell of the same call."""


class SetAside(Discreet, frozen=True):
    """An event that is kept but not counted."""

    digest: bytes
    source: str
    kind: str
    reason: str
    received_at: int
    size: int
    raw: bytes | None


class Note(Struct, frozen=True):
    """A fact that is written along with events; no value forgets it."""

    name: str
    value: str | None


_LONGEST_NOTE = 256 * 1024
"""Characters of what waits with its prompt and response; they are left out of a longer one."""
WAITING = "waiting "
"""Begins the name of the fact of what waits to be recorded."""
Ready = Prepared | SetAside | Note


class Preparer:
    """Prepares events as the configuration says. Pure but for the price list; may run in any thread."""

    def __init__(
        self,
        pricer: Pricer,
        redact: Callable[[bytes], bytes] | None,
        keep_bodies: bool,
        provider_of: Callable[[str], str | None] = lambda model: None,
    ) -> None:
        """`redact` masks in a text what it masks in a line of it; `provider_of` names the provider of a model that a
        client or a file names without one."""
        self._pricer = pricer
        self._provider_of = provider_of
        self._redact = redact
        self._keep_bodies = keep_bodies

    def prepare(self, event: Event, dictionary: int | None = None) -> Ready:
        """The event as the recording transaction takes it, with its bodies packed by a dictionary that is known."""
        match event:
            case Request():
                try:
                    return self._request(event, dictionary)
                except Exception:
                    # Gateways send once: a request is rather kept without price and bodies than refused.
                    _log.exception("a request could not be priced or packed; it is recorded without")
                    return _bare(event)
            case Restored():
                return self._restored(event, dictionary)
            case Waiting(name=name):
                return Note(WAITING + name, self._told(event))
            case WaitedFor(name=name):
                return Note(WAITING + name, None)
            case TestEvent():
                return self._set_aside(event, "test", identity(event.source, event.external_id), "test event")
            case NotUnderstood():
                digest = blake2b(event.source.name.encode() + b"\0" + event.raw, digest_size=16).digest()
                return self._set_aside(event, "unrecognized", digest, event.reason)

    def cost(self, request: Request) -> Cost:
        return self._pricer.cost(request)

    def _request(self, request: Request, dictionary: int | None) -> Prepared:
        is_left_out = request.source.written_by_hand or isinstance(request.source, ImportedSource)
        if request.provider is None and request.model is not None and is_left_out:
            request = replace(request, provider=self._provider_of(request.model))
        kept, body = self._kept(request, dictionary)
        priced = replace(request, **kept, cost=self._pricer.cost(request), other_ids=())
        if not request.other_ids:
            return Prepared(_digest(request), priced, body)
        others = tuple(identity(source, each) for source, each in request.other_ids)
        elsewhere = (identity(source, each) for source, each in request.other_ids if source is not request.source)
        return Prepared(_digest(request), priced, body, other_digests=others, elsewhere=frozenset(elsewhere))

    def _restored(self, event: Restored, dictionary: int | None) -> Prepared:
        request = event.request
        kept, body = self._kept(request, dictionary)
        own = _digest(request)
        digests = [
            identity(source_named(name), each, _scope(name, request)) for name, each in event.external_ids.items()
        ]
        return Prepared(
            own,
            replace(request, **kept) if kept else request,
            body,
            {name: storable_name(each) for name, each in event.external_ids.items()},
            tuple(each for each in digests if each != own),
        )

    def _kept(self, request: Request, dictionary: int | None) -> tuple[dict[str, Any], tuple[int, bytes] | None]:
        """What of the request is kept otherwise than it came, as its names; and its bodies, which are kept apart."""
        changes = _cleaned_names(request)
        if request.request_body is None and request.response_body is None:
            return changes, None
        body = self._body(request, dictionary)
        state = BodyState.STORED if body else BodyState.NOT_KEPT
        return {**changes, "request_body": None, "response_body": None, "body_state": state}, body

    def _body(self, request: Request, dictionary: int | None) -> tuple[int, bytes] | None:
        if not self._keep_bodies:
            return None
        return bodies.encode(*self._masked(request.request_body, request.response_body), dictionary)

    def _masked(self, asked: bytes | None, answered: bytes | None) -> tuple[bytes | None, bytes | None]:
        """Both as they are kept. Most hold nothing that is masked, which one look at both of them tells."""
        if asked is not None and answered is not None and self._redact is not None:
            both = asked + b"\n" + answered
            if self._redact(both) == both:
                return asked, answered
        return self._cleaned(asked), self._cleaned(answered)

    def _cleaned(self, body: bytes | None) -> bytes | None:
        return self._redact(body) if body is not None and self._redact is not None else body

    def _told(self, waiting: Waiting) -> str:
        is_kept = self._keep_bodies and waiting.whole is not None and len(waiting.whole) <= _LONGEST_NOTE
        whole = self._cleaned(waiting.whole.encode()) if is_kept and waiting.whole is not None else None
        return waiting.told if whole is None else whole.decode()

    def _set_aside(self, event: TestEvent | NotUnderstood, kind: str, digest: bytes, reason: str) -> SetAside:
        raw = bodies.encode(self._cleaned(event.raw), None)[1] if self._keep_bodies else None
        return SetAside(digest, event.source.name, kind, reason, event.received_at, len(event.raw), raw)


def without_body(ready: Ready) -> Ready:
    """The same, but that prompt and response of a request are not kept. What was not understood stays whole."""
    if not isinstance(ready, Prepared) or ready.body is None:
        return ready
    return replace(ready, body=None, request=replace(ready.request, body_state=BodyState.NOT_KEPT))


def _bare(request: Request) -> Prepared:
    bare = replace(request, properties=None)
    unpriced = replace(
        bare,
        **_cleaned_names(bare),
        cost=Cost(reported=request.cost.reported),
        request_body=None,
        response_body=None,
        body_state=BodyState.NOT_KEPT,
    )
    return Prepared(_digest(request), unpriced, None)


def _digest(request: Request) -> bytes:
    return identity(request.source, request.external_id, request.scope)


def _scope(source: str, request: Request) -> str:
    return replace(request, source=source_named(source)).scope


def _cleaned_names(request: Request) -> dict[str, Any]:
    """Names that both databases take, of fields where others came; one of nothing is none."""
    texts = _texts_of(request)
    names: dict[str, Any] = {}
    if not are_storable_names((request.external_id, *texts)):
        names = {
            name: clean
            for name, text in zip(_TEXTS, texts, strict=True)
            if text is not None and (clean := storable_name(text) or None) is not text
        }
        if (clean := storable_name(request.external_id)) is not request.external_id:
            names["external_id"] = clean
    if request.properties is not None:
        names["properties"] = _names(request.properties)
    return names


def _names(properties: dict[str, str]) -> dict[str, str] | None:
    if are_storable_names((*properties, *properties.values())):
        return properties or None
    return {storable_name(k): storable_name(v) for k, v in properties.items()}
