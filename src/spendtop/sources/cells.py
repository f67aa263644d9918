"""Values of other programs' columns, whatever type their databases and files gave them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple

import msgspec

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status
from spendtop.domain.requests.timing import seconds_to_micros
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage import count

_MILLISECONDS_FROM = 100_000_000_000
"""Unix times from here on are milliseconds; as seconds they would lie in the year 5138."""
_STATUSES = {
    **dict.fromkeys(("ok", "success", "succeeded", "completed"), Status.OK),
    **dict.fromkeys(("error", "failed", "failure"), Status.ERROR),
    **dict.fromkeys(("cancelled", "canceled"), Status.CANCELLED),
}
_FALSE = frozenset({"0", "false", "f", "no", "off", "inactive", "disabled"})


class Instant(NamedTuple):
    """UTC µs, and whether the value said its zone."""

    micros: int
    had_zone: bool


def instant(value: object) -> Instant:
    """A date and time, text of ISO 8601, or Unix seconds or milliseconds; without a zone it is UTC.

    Raises ValueError for anything else.
    """
    if isinstance(value, str) and _is_number(value):
        value = float(value)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, int | float):
        seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
        if (micros := seconds_to_micros(seconds)) is None:
            raise ValueError("not a Unix time")
        return Instant(micros, True)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ValueError("not a time")
    micros = to_micros(value if value.tzinfo else value.replace(tzinfo=UTC))
    if micros < 0:
        raise ValueError("before 1970")
    return Instant(micros, value.tzinfo is not None)


def dollars(value: object) -> Usd | None:
    """An amount in USD; None for none. Raises ValueError for what is no amount."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError("not an amount of money")
    return Usd.of(str(value).strip().removeprefix("$"))


def tokens(value: object) -> int | None:
    """A number of tokens; None for none. Raises ValueError for what is no such number."""
    if value is None or value == "":
        return None
    if isinstance(value, str | Decimal):
        value = float(value) if _is_number(str(value)) else None
    number = count(value)
    if number is None:
        raise ValueError("not a number of tokens")
    return number


def name(value: object) -> str | None:
    """A user, model or other name; None for none."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)
    return storable_name(text.strip()) or None


def milliseconds(value: object) -> int | None:
    """A duration, or None for what is none."""
    if isinstance(value, str) and _is_number(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 <= value < 2**53:
        return None
    return round(value)


def is_on(value: object) -> bool:
    """Whether a switch is on; one that says nothing is."""
    return value is None or str(value).strip().lower() not in _FALSE


def properties(value: object) -> dict[str, str] | None:
    """A JSON object as texts, or None for what is none."""
    if isinstance(value, str | bytes):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    texts = {str(key): each if isinstance(each, str) else _json_text(each) for key, each in value.items()}
    return texts or None


def body(value: object) -> bytes | None:
    """A prompt or response as JSON: as it is where it is JSON, else as a JSON text; None for none."""
    if value is None or value in ("", b""):
        return None
    if not isinstance(value, str | bytes):
        return msgspec.json.encode(value, enc_hook=str)
    raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.encode(raw.decode("utf-8", "replace"))
    return raw


def status(value: object, error: object) -> tuple[Status, int | None]:
    """How the call ended, by a word or an HTTP status and by what failed; and the HTTP status."""
    text = "" if value is None else str(value).strip().lower()
    http = int(text) if text.isascii() and text.isdigit() and 100 <= int(text[:6]) <= 599 else None
    if error not in (None, "", 0, False):
        return Status.ERROR, http
    if http is not None:
        return Status.ERROR if http >= 400 else Status.OK, http
    return _STATUSES.get(text, Status.OK), None


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "", 1).isascii() and text.strip().replace(".", "", 1).isdigit()


def _json_text(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
