"""What is said of a parameter or field that is none: the name that was probably meant, and those that exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from spendtop.domain.errors import nearest

_PLAIN = re.compile(r"[A-Za-z][A-Za-z_]{0,39}(?:\[\])?", re.ASCII)
"""A name that can be repeated: neither markup nor a key fits into it."""
_MOST_NAMED = 40
_MEANINGS: Mapping[str, str] = {
    "since": "start start_date start_time start_at starts_at startdate begin from_date date_from after gte",
    "until": "end end_date end_time end_at ends_at enddate finish to_date date_to before lte",
    "cursor": "page offset skip after_id next next_cursor start_after page_token",
    "limit": "count size per_page page_size max max_results top take n",
    "q": "query filter search where expression text",
    "by": "group group_by groupby dimension dimensions breakdown",
    "hours": "period window last range",
    "days": "period window last range",
    "user": "user_id userid username user_name customer end_user",
    "user_id": "user userid username user_name customer end_user",
    "token": "tracking_token token_name key label",
    "tracking_token": "token token_name tag label app application",
    "session": "session_id job job_id run run_id trace trace_id conversation_id",
    "session_id": "session job job_id run run_id trace trace_id conversation_id",
    "session_path": "path",
    "model": "model_name model_id deployment engine",
    "prompt_tokens": "input_tokens tokens_in input in_tokens prompt_token_count",
    "completion_tokens": "output_tokens tokens_out output out_tokens completion_token_count",
    "total_tokens": "tokens token_count tokens_total",
    "cached_tokens": "cache_read_tokens cached_prompt_tokens cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_tokens cache_creation_input_tokens",
    "cost_usd": "cost price amount total_cost usd spend",
    "latency_ms": "latency duration duration_ms elapsed response_time",
    "timestamp": "time date datetime created created_at occurred_at ts at",
    "properties": "metadata meta tags labels custom extra attributes",
    "request_id": "id call_id uuid external_id event_id",
    "response_id": "completion_id message_id generation_id",
    "request_body": "request prompt messages input_text question",
    "response_body": "response completion answer output_text content",
    "status": "state success http_status",
    "provider": "vendor",
    "balance": "amount value usd",
    "active": "enabled enable on",
}
"""By name what others call it."""


def unknown_name(name: str, known: Iterable[str], instead: str) -> tuple[str, str]:
    """Under which name to say it, and what is wrong. `instead` stands for a name that is not repeated."""
    names = sorted(known)
    if not names:
        said = "is not known here; nothing is taken"
    else:
        meant = _meant(name, names)
        said = f"is not known here; {f'did you mean {meant}? ' if meant else ''}known: {', '.join(names[:_MOST_NAMED])}"
    plain = _PLAIN.fullmatch(name) is not None
    return (name, said) if plain else (instead, f"has a name that {said}")


def _meant(name: str, known: list[str]) -> str | None:
    word = name.lower().removesuffix("[]").replace("-", "_")
    same = [each for each in known if word in _MEANINGS.get(each, "").split()]
    return next(iter(same), None) or nearest(word, known)
