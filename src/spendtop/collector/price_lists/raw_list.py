"""A published list as bytes, read as the package reads what it fetches itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from spendtop.domain.errors import SpendtopError

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

MOST_BYTES = 19 << 20
"""Unpacked: somewhat less than 20 MB, thirty times what is published."""
_NOBODYS_MODEL = "a model that nobody has"


class NoPriceList(SpendtopError):
    """Bytes that are no price list. Its text is the end of a sentence: what they are instead."""


def read_list(raw: bytes) -> DataSnapshot:
    """All providers with their models. Raises NoPriceList."""
    from genai_prices.data_snapshot import DataSnapshot

    # Private, but there is no other way to turn a list into its classes; the package's own `fetch` does just this.
    from genai_prices.types import _providers_from_raw
    from pydantic import ValidationError

    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise NoPriceList("is no whole JSON") from None
    if not isinstance(document, list):
        raise NoPriceList("is no list of providers")
    try:
        snapshot = DataSnapshot(_providers_from_raw(document), from_auto_update=True)
        for provider in snapshot.providers:  # which compiles the patterns by which models are matched
            provider.find_model(_NOBODYS_MODEL, all_providers=snapshot.providers)
    except ValidationError as error:
        raise NoPriceList(f"cannot be read in {error.error_count()} places") from None
    except (ValueError, TypeError, RecursionError, re.error):
        raise NoPriceList("cannot be read") from None
    return snapshot
