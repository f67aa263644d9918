"""OpenAI: what was used per UTC day by project, key, user and model, of everything that it sells.

`GET /v1/organization/usage/...` (openai 3.57.0), a route for each kind, days of `bucket_width=1d`, 31 of them at most.
`input_tokens` is the whole input; its parts do not sum up to it. Vector stores and the code interpreter are told by
project alone. Money is in the costs only. All of it needs the permission api.usage.read.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from spendtop.domain.clock import DAY, SECOND
from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, Used
from spendtop.sources.pollers.cost_pages import all_pages
from spendtop.sources.pollers.http_client import Poll, Query, Rejected
from spendtop.sources.pollers.used_parts import Counted

_WHO = "OpenAI"
_DAY_SECONDS = DAY // SECOND
_MOST_DAYS = 31
_BY_KEY = ("project_id", "user_id", "api_key_id", "model")
_BY_STORE = ("project_id", "user_id", "api_key_id")
_BY_PROJECT = ("project_id",)
_MODEL_CALLS = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "num_model_requests": REQUESTS}


class _Route(Struct, frozen=True):
    groups: tuple[str, ...]
    units: Mapping[str, str]
    """By field of a row."""


_ROUTES: Mapping[str, _Route] = {
    "completions": _Route(_BY_KEY, _MODEL_CALLS),
    "decisions": _Route(_BY_KEY, _MODEL_CALLS),
    "embeddings": _Route(_BY_KEY, _MODEL_CALLS),
    "moderations": _Route(_BY_KEY, _MODEL_CALLS),
    "audio_speeches": _Route(_BY_KEY, {"characters": "characters spoken", "num_model_requests": REQUESTS}),
    "audio_transcriptions": _Route(_BY_KEY, {"seconds": "seconds of audio", "num_model_requests": REQUESTS}),
    "images": _Route(_BY_KEY, {"images": "images", "num_model_requests": REQUESTS}),
    "vector_stores": _Route(_BY_PROJECT, {"usage_bytes": "bytes in vector stores"}),
    "code_interpreter_sessions": _Route(_BY_PROJECT, {"num_sessions": "sessions of the code interpreter"}),
    "file_search_calls": _Route(_BY_STORE, {"num_requests": "file searches"}),
    "web_search_calls": _Route(_BY_KEY, {"num_requests": "web searches"}),
}


class _OpenAIUse(Struct, frozen=True):
    """A row of any route; each has some of these."""

    project_id: str | None = None
    user_id: str | None = None
    api_key_id: str | None = None
    model: str | None = None
    input_tokens: object = None
    output_tokens: object = None
    num_model_requests: object = None
    characters: object = None
    seconds: object = None
    images: object = None
    usage_bytes: object = None
    num_sessions: object = None
    num_requests: object = None


class _OpenAIUseDay(Struct, frozen=True):
    start_time: int
    results: list[_OpenAIUse]


class _OpenAIUseDays(Struct, frozen=True):
    data: list[_OpenAIUseDay]
    has_more: bool
    next_page: str | None = None


async def openai_usage(poll: Poll, first_day: int, last_day: int) -> Used:
    """The last of these UTC days, a question for each kind. Kinds that this organization does not have are left out.

    Raises PollFailed.
    """
    first = max(first_day, last_day - _MOST_DAYS + 1)
    unknown = 0
    counted = Counted(_WHO, first, last_day)
    for kind, route in _ROUTES.items():
        query: Query = (
            ("start_time", first * _DAY_SECONDS),
            ("end_time", (last_day + 1) * _DAY_SECONDS),
            ("bucket_width", "1d"),
            ("limit", _MOST_DAYS),
            *(("group_by", group) for group in route.groups),
        )
        try:
            pages = await all_pages(poll, f"/v1/organization/usage/{kind}", query, _OpenAIUseDays)
        except Rejected as rejected:
            if rejected.status != 404:
                raise
            unknown += 1
            if unknown == len(_ROUTES):
                raise
            continue
        for page in pages:
            for day in page.data:
                for use in day.results:
                    counted.add(
                        day.start_time // _DAY_SECONDS,
                        {unit: getattr(use, field) for field, unit in route.units.items()},
                        project=use.project_id,
                        api_key=use.api_key_id,
                        user=use.user_id,
                        model=use.model,
                    )
    return counted.used()
