"""What the demo's applications push themselves, each under its tracking token, beside the gateway's webhooks."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection

from spendtop.domain.clock import HOUR, MINUTE, SECOND, to_datetime
from spendtop.domain.request import SAME_CONTENT, Request, TimeSource, Usage
from spendtop.domain.sources import INGEST, LITELLM, OTLP, Source
from spendtop.services import missed_requests, tokens

_MADE = (
    ("billing prod", "billing-prod", False),
    ("chat mirror", "chat-mirror", True),
    ("old crawler", "crawler", False),
)
"""Name, value and whether it is a shadow token, of each tracking token."""
_OFF = "crawler"
_JOBS = {
    "billing": ("invoices", ("/invoices/read", "/invoices/match/lines", "/invoices/match/taxes")),
    "grace": ("briefing", ("/briefing/collect", "/briefing/write")),
}
"""Users whose pushes belong to a session per hour, its name and its paths."""
_PUSHED = (
    (INGEST, "billing-prod", "gpt-4o-mini", "billing"),
    (INGEST, "billing-prod", "gpt-4o-mini", "billing"),
    (INGEST, "chat-mirror", "gpt-4o-mini", "erin"),
    (LITELLM, None, "claude-haiku-4-5", "frank"),
    (OTLP, None, "gemini-2.5-flash", "grace"),
    (INGEST, _OFF, "gpt-4o-mini", "crawler"),
)
"""Source, token, model and user of what is pushed; the last one's token is switched off by now."""
_PAST = 6 * HOUR


def make_tokens(connection: Connection, now: int) -> None:
    """One that is used, one that only watches, and one that was switched off while its clients still send."""
    for name, value, shadow in _MADE:
        made = tokens.create(connection, name, now, value=value, shadow=shadow)
        tokens.set_active(connection, made.id, value != _OFF)
    missed_requests.note_refusals(connection, {(INGEST.name, "ingest_bad_token"): 3}, now - HOUR, 0)


def past_pushes(now: int, chance: random.Random) -> Iterator[Request]:
    """Those of the last hours, oldest first."""
    at = now - _PAST
    while (at := at + chance.randrange(MINUTE, 4 * MINUTE)) < now:
        yield _of(chance.choice(_PUSHED[:-1]), at, chance)
        if at < now - 2 * HOUR:
            yield _of(_PUSHED[-1], at, chance)


def a_push(now: int, chance: random.Random) -> Request:
    """One that arrives at `now` (UTC µs)."""
    return _of(chance.choice(_PUSHED), now, chance)


def body_of(push: Request) -> bytes:
    """What its application posts to /ingest."""
    external_id = {} if push.external_id.startswith(SAME_CONTENT) else {"request_id": push.external_id}
    return msgspec.json.encode(
        {
            "tracking_token": push.token,
            "provider": push.provider,
            "model": push.model,
            "prompt_tokens": push.usage.prompt,
            "completion_tokens": push.usage.completion,
            "total_tokens": push.usage.total,
            "timestamp": to_datetime(push.occurred_at),
            "user_id": push.user_id,
            "session_id": push.session_id,
            "session_path": push.session_path,
            "latency_ms": push.latency_ms,
            **external_id,
        }
    )


def _of(pushed: tuple[Source, str | None, str, str], now: int, chance: random.Random) -> Request:
    source, token, model, user = pushed
    latency = chance.randrange(300, 2_500)
    prompt = chance.randrange(120, 900)
    number = str(uuid.UUID(int=chance.getrandbits(128)))
    has_id = source is not INGEST or chance.random() < 0.9
    job, paths = _JOBS.get(user, (None, (None,)))
    return Request(
        source=source,
        external_id=number if has_id else SAME_CONTENT + number,
        received_at=now,
        occurred_at=now - latency * 1_000 - chance.randrange(SECOND // 5, SECOND),
        time_source=TimeSource.CLIENT,
        provider={"gpt": "openai", "cla": "anthropic", "gem": "google"}[model[:3]],
        model=model,
        http_status=200,
        usage=Usage(prompt=prompt, completion=prompt // 4),
        user_id=user,
        session_id=job and f"{job}-{to_datetime(now):%m%d-%H}",
        session_path=chance.choice(paths),
        token=token,
        counted=token != "chat-mirror",
        latency_ms=latency,
    )
