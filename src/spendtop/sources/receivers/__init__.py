"""Sources that push: each reads what is posted to its paths, one file per source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import msgspec
from msgspec import Struct

from spendtop.config.settings import Settings
from spendtop.domain.discreet import Discreet
from spendtop.domain.requests.request import Parsed, Request, TestEvent, WaitedFor, Waiting
from spendtop.domain.sources.records import PushedSource, Source
from spendtop.domain.sources.remarks import Remark

Schema: TypeAlias = dict[str, Any]
"""A part of the OpenAPI description."""


_MISSING = re.compile(r"Object missing required field `(\w+)`")
_NAMED = re.compile(r"`([^`]+)`")
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}
"""What msgspec calls them, in words."""


class NotJson(ValueError):
    """What was posted is no JSON at all."""


class Unreadable(ValueError):
    """A post that cannot be taken as a whole."""

    def __init__(self, code: str, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.code = code
        """For programs, such as `empty_batch`; the message is for people."""
        self.status = status
        """Of the HTTP answer."""


class Described(Struct, frozen=True, kw_only=True):
    """What the OpenAPI description says of a source's posts, beside what all have in common."""

    summary: str
    content: Schema
    """By media type."""
    older_content: Schema | None = None
    """The same of older paths, where these take more."""
    description: str = ""
    parameters: tuple[Schema, ...] = ()
    reply: Schema | None = None
    """By media type, where the format has an answer of its own."""


class Signing(Discreet, frozen=True):
    """How events of a source have to be signed."""

    secrets: tuple[bytes, ...]
    """Several while one replaces another."""
    allow_unsigned: bool


class SignedReceiver(Protocol):
    """A source that signs each event it posts."""

    source: ClassVar[PushedSource]
    largest: ClassVar[int]
    """Bytes of a post."""
    signature_header: ClassVar[bytes]
    """Lower-case name of the header that carries the signature."""
    described: ClassVar[Described]

    @staticmethod
    def signing(settings: Settings) -> Signing:
        """Of the settings in force."""

    def is_signature(self, signatures: Sequence[bytes]) -> bool:
        """Whether these values of the header can be a signature, whatever is signed."""

    def verify(self, raw: bytes, signatures: Sequence[bytes], secrets: Sequence[bytes]) -> bool:
        """Whether the raw bytes were signed with one of the secrets; `signatures` are all values of the header."""

    def parse(self, raw: bytes, received_at: int) -> Parsed:
        """What the event says. Raises NotJson."""


class Invalid(Struct, frozen=True):
    """One pushed item that cannot be taken. Never holds what was submitted."""

    fields: dict[str, str]
    """Field to what is wrong with it and how it has to be."""
    code: str = "invalid"


def field_of(error: msgspec.ValidationError) -> dict[str, str]:
    """Which field is wrong and how it has to be; names kinds, never values."""
    problem, _, path = str(error).partition(" - at `$")
    place = path.strip(".`")
    if missing := _MISSING.fullmatch(problem):
        return {f"{place}.{missing[1]}".lstrip("."): "is missing"}
    words = _NAMED.sub(lambda named: _kinds(named[1]), problem)
    return {place or "item": words.replace("Expected ", "has to be ", 1).replace(", got ", ", not ", 1)}


def words_of(error: msgspec.ValidationError) -> str:
    """The same in a sentence about a whole body."""
    return "; ".join(f"{field} {problem}" for field, problem in field_of(error).items())


def _kinds(named: str) -> str:
    """`str | null` in words."""
    known = [kind for kind in named.split(" | ") if kind != "null"] or ["null"]
    return " or ".join(_KINDS.get(kind, kind) for kind in known)


class Reply(Discreet, frozen=True):
    """An answer in the sender's own format."""

    body: bytes
    content_type: bytes


Item: TypeAlias = Request | TestEvent | Waiting | WaitedFor | Invalid
"""What one pushed item is."""


class Pushed(Struct, frozen=True):
    """What one post says, item by item, in its order."""

    items: tuple[Item, ...]
    is_batch: bool = True
    """Whether each item is answered in a list; else there is one, with an answer of its own."""
    reply: Callable[[Sequence[Invalid]], Reply] | None = None
    """The answer for the items that cannot be taken, where the sender expects another one than ours."""
    remarks: tuple[Remark, ...] = ()
    """What could not be used of the post, folded."""
    provider_remarks: Mapping[Source, Sequence[Remark]] = {}
    """The same of what providers pushed in it."""
    hints: dict[str, str] = {}
    """By field that no item has here and that was left: what was probably meant."""


TOKEN_HEADER = b"x-tracking-token"
"""Puts all that a post holds under a tracking token, for clients whose format has no room for one."""


class Post(Discreet, frozen=True):
    """One post of a client that holds an ingest key."""

    raw: bytes
    received_at: int
    """UTC µs."""
    settings: Settings
    headers: Mapping[bytes, Sequence[bytes]]
    """Lower-case name to all values."""
    path: str
    """Where it was posted to, one of the source's paths."""

    def header(self, name: bytes) -> Sequence[bytes]:
        """All values of a header; `name` is lower-case."""
        return self.headers.get(name, ())

    @property
    def token(self) -> str:
        """The tracking token that all of it is under, or empty; of several that are sent there is none."""
        sent = self.header(TOKEN_HEADER)
        return sent[0].decode("latin-1") if len(sent) == 1 else ""


class BatchReceiver(Protocol):
    """A source that posts with an ingest key, one request or many at once."""

    source: ClassVar[PushedSource]
    largest: ClassVar[int]
    """Bytes of a post, as it is sent."""
    unpacks: ClassVar[bool]
    """Whether it takes a Content-Encoding. Such posts are read in threads, a few at once."""
    described: ClassVar[Described]

    def read(self, post: Post) -> Pushed:
        """What the post says. May be called in any thread. Raises NotJson and Unreadable."""


@runtime_checkable
class WaitingReceiver(BatchReceiver, Protocol):
    """One of which some items wait for others."""

    def recall(self, told: Mapping[str, str], now: int) -> None:
        """Have exactly this wait, by name, as the store has it, besides what came in the last minute."""

    def overdue(self, now: int) -> Sequence[Item]:
        """What has waited long enough, to be recorded as it is."""
