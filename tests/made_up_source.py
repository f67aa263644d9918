"""A source that pushes, as one who adds one writes it: a record, a receiver, a recorded body."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.requests.request import Cost, Request, TimeSource
from spendtop.domain.sources.records import LITELLM, SOURCES, KeyRule, PushedSource
from spendtop.sources.receivers import Described, NotJson, Post, Pushed
from spendtop.sources.registry import READERS, Readers

ACME = PushedSource(
    name="acme",
    trust=LITELLM.trust + 1,
    trusted_because="Made up for tests, a little less trusted than LiteLLM.",
    space="acme",
    title="acme gateway",
    setting="ingest_keys under [server]",
    path="/acme",
    key=KeyRule.INGEST_KEY,
    sender="Acme posts to",
)
BODY = b'[{"call":"c-1","model":"gpt-4o-mini","who":"ann"},{"call":"c-2","model":"gpt-4o-mini","who":"bob"}]'


class _Call(Struct):
    call: str
    model: str
    who: str


class AcmeReceiver:
    """Reads what Acme posts."""

    source: ClassVar[PushedSource] = ACME
    largest: ClassVar[int] = 1024 * 1024
    unpacks: ClassVar[bool] = False
    described: ClassVar[Described] = Described(
        summary="Takes calls of Acme's gateway.", content={"application/json": {"schema": {"type": "array"}}}
    )

    def read(self, post: Post) -> Pushed:
        try:
            calls = msgspec.json.decode(post.raw, type=list[_Call])
        except msgspec.DecodeError as error:
            raise NotJson("The body is not JSON") from error
        at = post.received_at
        return Pushed(
            tuple(
                Request(
                    source=ACME,
                    external_id=each.call,
                    received_at=at,
                    occurred_at=at,
                    time_source=TimeSource.RECEIVED,
                    model=each.model,
                    user_id=each.who,
                    cost=Cost(),
                )
                for each in calls
            )
        )


def with_acme(monkeypatch: pytest.MonkeyPatch) -> Readers:
    """All readers and Acme's, while its record is among the sources."""
    monkeypatch.setitem(SOURCES, ACME.name, ACME)
    readers: Readers = replace(READERS, batches={**READERS.batches, ACME.name: AcmeReceiver})
    return readers
