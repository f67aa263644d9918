"""Requests in files: our own exports and other tools'. Readers take the lines of a file and know nothing of files."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from spendtop.domain.requests.request import Request, Restored
from spendtop.sources.skipped import NoCall, Skipped


class Format(StrEnum):
    """What a file holds."""

    CSV = "csv"
    """Our own export, or any table whose columns say what they are."""
    JSONL = "jsonl"
    """Our own export."""
    HELICONE = "helicone"
    """Rows of Helicone's query API, one or an array of them per line."""
    LANGFUSE = "langfuse"
    """Observations, as Langfuse's API and its exports have them."""
    LITELLM = "litellm"
    """LiteLLM's spend logs, as its API answers or its table is copied."""
    PORTKEY = "portkey"
    """Portkey's exported logs."""
    CURSOR = "cursor"
    """Usage events of Cursor's account page."""


Read = Iterator[Request | Restored | Skipped | NoCall]
"""What a reader makes of a file, in its order."""
