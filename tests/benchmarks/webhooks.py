"""Signed webhooks of 4 KB: the shapes of the sample data around prose that no dictionary was trained on."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.metadata import distributions
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import msgspec

from spendtop.collector.demo.sample_traffic import live_bodies

SECRET = "5e0b0f7c1a9d4e2f8b6a3c7d9e1f0a2b"
SIZE = 4096
_USERS = 200


class Webhook(NamedTuple):
    """A body as Helicone would post it, and its signature."""

    body: bytes
    signature: str


def signed(body: bytes) -> Webhook:
    """The body with its signature."""
    return Webhook(body, hmac.new(SECRET.encode(), body, sha256).hexdigest())


def webhooks(seed: int, now: int, users: int = _USERS) -> Iterator[Webhook]:
    """Endless different webhooks of about SIZE bytes; `now` is UTC seconds."""
    random, prose, shapes = Random(seed), _prose(), _shapes()
    for number in range(1_000_000_000):
        event = msgspec.json.decode(shapes[number % len(shapes)])
        _rewrite(event, random, now, users)
        missing = SIZE - len(msgspec.json.encode(event))
        start = random.randrange(len(prose) - SIZE)
        question = max(1, missing * 2 // 3)
        event["request_body"]["messages"][-1]["content"] = prose[start : start + question]
        answer = event["response_body"]["choices"][0]["message"]
        answer["content"] = prose[start + question : start + max(question + 1, missing)]
        yield signed(msgspec.json.encode(event))


def many(count: int, seed: int, now: int) -> list[Webhook]:
    """So many of them."""
    return list(islice(webhooks(seed, now), count))


def _rewrite(event: dict[str, Any], random: Random, now: int, users: int) -> None:
    """New ids, user, cost and time; the long texts emptied."""
    event["request_id"] = str(uuid.UUID(int=random.getrandbits(128), version=4))
    event["user_id"] = f"user-{int(users * random.random() ** 2)}"
    event["request_response_url"] = f"https://s3.us-west-2.amazonaws.com/bucket/{event['request_id']}"
    event["metadata"]["cost"] = round(random.lognormvariate(-6, 1), 8)
    event["response_body"]["id"] = f"chatcmpl-{random.getrandbits(120):030x}"
    event["response_body"]["created"] = now
    event["request_body"]["messages"][-1]["content"] = ""
    event["response_body"]["choices"][0]["message"]["content"] = ""


@cache
def _shapes() -> tuple[bytes, ...]:
    """Chat completions of the sample data that leave room for prose."""
    found = []
    for body in live_bodies():
        event = msgspec.json.decode(body)
        response, messages = event["response_body"], event["request_body"].get("messages")
        if not messages or "choices" not in response or not event.get("metadata"):
            continue
        _rewrite(event, Random(0), 1_795_000_000, 1)
        if len(msgspec.json.encode(event)) < SIZE - 500:
            found.append(body)
    return tuple(found)


@cache
def _prose() -> str:
    """The descriptions of the installed packages, as people wrote them."""
    texts = sorted({str(each.metadata.json.get("description", "")) for each in distributions()})
    return "\n".join(texts)
