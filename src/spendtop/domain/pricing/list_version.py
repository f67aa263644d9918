"""Which price list prices come from, and how old it is. Knows no list itself, so that viewers need not load one."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

from msgspec import Struct

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.counted import counted
from spendtop.domain.untrusted import clean_line

_PACKAGE = "genai-prices"
_FETCHED = re.compile(rf"{_PACKAGE} (\d{{4}}-\d\d-\d\d) sha256:[0-9a-f]+")
_BUNDLED = re.compile(rf"{_PACKAGE} \d[\w.]*")


class ListVersion(Struct, frozen=True, kw_only=True):
    name: str
    """What `price_version` of a request says: `genai-prices 0.2.3`, `genai-prices 2026-11-29 sha256:ab12cd34`."""
    as_of: int | None = None
    """When its publisher last gave it, UTC µs. None for the package's own, which does not say when it was made."""
    newest_price: str | None = None
    """The day from which the newest of its dated prices holds, where any does by now."""

    @classmethod
    def of_package(cls, release: str) -> ListVersion:
        """The list that a release of the package brings."""
        return cls(name=f"{_PACKAGE} {release}")

    @classmethod
    def of_fetched(cls, digest: str, fetched_at: int, confirmed_at: int) -> ListVersion:
        """A list that was fetched first and last at these times; `digest` is its sha256 in hexadecimal."""
        return cls(name=f"{_PACKAGE} {to_datetime(fetched_at):%Y-%m-%d} sha256:{digest[:8]}", as_of=confirmed_at)


def age(version: ListVersion, now: int) -> str:
    """How old the list is, as far as that is known."""
    if version.as_of is not None:
        days = max(now - version.as_of, 0) // DAY
        return "fetched within the last 24 h" if not days else f"fetched {counted(days, 'day')} ago"
    newest = f", newest dated price of {version.newest_price}" if version.newest_price else ""
    return f"came with the program, age not known{newest}"


def priced_by(name: str | None, called_at: int) -> str | None:
    """What a request's detail says of the version that priced it, and how old that was when the request was made."""
    if name is None:
        return None
    if fetched := _FETCHED.fullmatch(name):
        with suppress(ValueError):  # an import may bring any text
            days = (to_datetime(called_at).date() - date.fromisoformat(fetched[1])).days
            if days == 0:
                return f"{name}, fetched that day"
            return f"{name}, fetched {counted(abs(days), 'day')} {'before' if days > 0 else 'after'} the request"
    return f"{name}, came with the program, age not known" if _BUNDLED.fullmatch(name) else clean_line(name)
