"""Asking Helicone: one place for its key, its two regions and the envelope of its answers."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from spendtop.sources.pollers import KeyRefused, PollFailed, wrong_kind
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, FetchedAnswer, Fetcher, Poll, Query, Rejected

WHO = "Helicone"
_US, _EU = "https://api.helicone.ai", "https://eu.api.helicone.ai"
_EU_KEYS = "sk-helicone-eu-"
_OTHER_KIND = "The key looks like"
_WHERE = "Set api_key in [helicone]"
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Every escape inside JSON; its group is half a character, which JavaScript lets stand alone."""


class _Envelope(Struct):
    data: Raw = Raw()
    error: Raw = Raw()


def helicone(key: str, base_url: str = _US, bounds: FetchBounds = USUAL) -> Fetcher:
    """What asks Helicone with this key; its refusals name a wrong region and a key that may only read."""

    def advise(status: int, message: str) -> str:
        return advice(key, base_url, status, message)

    return Fetcher(WHO, base_url, {"Authorization": f"Bearer {key}"}, advise=advise, bounds=bounds)


async def ask(poll: Poll, method: str, path: str, *, query: Query = (), body: object = None) -> bytes:
    """The JSON of an answer's `data`, empty where it has none.

    Raises KeyRefused, Rejected, AnswerTooLarge, and PollFailed also for an answer that only tells of an error.
    """
    try:
        answer = await poll.answer(method, path, query=query, body=body)
    except Rejected as rejected:
        if rejected.status == 400:
            raise KeyRefused(f"{WHO} cannot read the key (400). {_WHERE} anew.") from None
        raise
    envelope = await asyncio.to_thread(_opened, poll, answer)
    if bytes(envelope.error) not in (b"", b"null", b'""'):
        raise PollFailed(f"{WHO} tells of an error in place of an answer; it is asked again at the next poll")
    data = bytes(envelope.data)
    return b"" if data == b"null" else data


def _opened(poll: Poll, answer: FetchedAnswer) -> _Envelope:
    with suppress(ValueError, RecursionError):  # half surrogates are mended below, and the rest is told there
        return msgspec.json.decode(answer.raw, type=_Envelope)
    try:
        return msgspec.json.decode(_ESCAPE.sub(_whole, answer.raw), type=_Envelope)
    except msgspec.ValidationError:
        raise PollFailed(f"{WHO}'s answer is not as documented; a newer spendtop may be needed") from None
    except (ValueError, RecursionError):
        raise poll.no_json(answer) from None


def _whole(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape[1] else escape[0]


def advice(key: str, base_url: str, status: int, message: str) -> str:
    """What to do about a refused key; Helicone says nothing of one that is known but may not write."""
    kind = wrong_kind(key, "sk-helicone-")
    if kind.startswith(_OTHER_KIND):
        return f"{kind}{_WHERE}."
    host = urlsplit(base_url).hostname or ""
    if key.startswith(_EU_KEYS) and host == urlsplit(_US).hostname:
        return f'It is a key of the EU region: set base_url = "{_EU}" in [helicone].'
    if status == 401 and not message:
        return (
            "A key that may only read is not enough, as queries are written questions to Helicone: "
            "create one with read and write permission and set it as api_key in [helicone]."
        )
    other = _US if host == urlsplit(_EU).hostname else _EU
    return (
        "It may be mistyped or revoked, or belong to the other region: check api_key in [helicone], "
        f'and whether base_url has to be "{other}".'
    )
