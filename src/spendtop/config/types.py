"""What a section of the configuration is, and what its values may look like: amounts, durations, secrets, names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    Strict,
    ValidationInfo,
    WithJsonSchema,
)

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.money import Usd
from spendtop.domain.windows import WindowKind, parse_duration, parse_window

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?b|[kmg]ib)", re.ASCII | re.IGNORECASE)
_BYTES_IN = {"B": 1, "KB": 10**3, "KIB": 2**10, "MB": 10**6, "MIB": 2**20, "GB": 10**9, "GIB": 2**30, "TB": 10**12}
_AMOUNT = re.compile(r"\$?\s*(-?\d+(?:,\d{3})*(?:\.\d+)?)\s*(?:USD)?", re.ASCII | re.IGNORECASE)


class Section(BaseModel):
    """A table of the configuration: frozen, strict, and every field documented by the text below it.

    Checks are built when they are needed first: all at once cost less than one by one.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        defer_build=True,
        hide_input_in_errors=True,
    )


@dataclass(frozen=True)
class Surroundings:
    """What references are resolved against: `env:NAME` in `variables`, relative paths in `folder`."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path = Path()

    def resolve(self, text: str) -> Path:
        """An absolute path: `~` is a home, what is relative lies in `folder`. Raises ValueError."""
        try:
            return (self.folder / Path(text).expanduser()).resolve()
        except (RuntimeError, OSError):
            raise ValueError(f"cannot find the folder of {text}") from None


def surroundings(info: ValidationInfo) -> Surroundings:
    """The validation's context; nothing is set and paths are relative to the process where there is none."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def kind_of(value: object) -> str:
    """What sort of value this is, for messages that must not show the value itself."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true/false"),
        (int, "a whole number"),
        ((Decimal, float), "a number"),
        (str, "text"),
        ((list, tuple), "a list"),
        (dict, "a table"),
        ((datetime, date, time), "a date or time"),
    )
    if value == "":
        return "empty text"
    return next((name for types, name in kinds if isinstance(value, types)), type(value).__name__)


def to_decimal(value: object) -> Decimal:
    """A number, or text such as `$1,250.50` or `50 USD`, exactly. Raises ValueError."""
    if isinstance(value, str) and (match := _AMOUNT.fullmatch(value.strip())):
        value = match[1].replace(",", "")
    elif isinstance(value, float):
        value = repr(value)
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f'must be an amount such as 100, 10.50 or "$50", not {kind_of(value)}')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("must be an amount") from None
    if not number.is_finite():
        raise ValueError("must be a finite amount")
    return number


def _amount(value: object) -> Usd:
    if isinstance(value, Usd):
        return value
    amount = Usd.of(to_decimal(value))
    if amount.nano <= 0:
        raise ValueError("must be more than $0")
    return amount


def _price(value: object) -> Decimal:
    number = to_decimal(value)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"must be a fraction such as 0.8 for 80 %, not {kind_of(value)}")
    if not 0 < value < 1:
        raise ValueError("must lie between 0 and 1 (both excluded), for example 0.8 for 80 %")
    return float(value)


def _duration(value: object, info: ValidationInfo) -> int:
    """Microseconds of a duration's text. Code may give microseconds; in a file a bare number has no unit."""
    if isinstance(value, str):
        micros = parse_duration(value)
    elif isinstance(value, int) and not isinstance(value, bool) and info.context is None:
        micros = value
    else:
        raise ValueError(f'must be a duration such as "90s", "5m", "1h" or "7d", not {kind_of(value)}')
    if micros <= 0:
        raise ValueError("must be longer than zero")
    return micros


def _size(value: object, info: ValidationInfo) -> int:
    """Bytes of a size's text. Code may give bytes; in a file only 0 needs no unit."""
    if isinstance(value, int) and not isinstance(value, bool) and (info.context is None or value == 0):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        size = int(Decimal(match[1]) * _BYTES_IN[match[2].upper()])
    else:
        raise ValueError(f'must be a size such as "200MB" or "1.5GB", or 0, not {kind_of(value)}')
    if size < 0:
        raise ValueError("must not be negative")
    return size


def size_text(size: int) -> str:
    """A size as the configuration writes it, in the largest unit that divides it: `200MB`."""
    unit = next((name for name in ("TB", "GB", "MB", "KB") if size and size % _BYTES_IN[name] == 0), "B")
    return f"{size // _BYTES_IN[unit]}{unit}"


def as_written(value: object, metadata: Sequence[object]) -> object:
    """A field's value as the configuration writes it: durations and sizes with their unit."""
    for item in metadata:
        if isinstance(item, BeforeValidator) and isinstance(value, int) and item.func in _WRITTEN:
            return _WRITTEN[item.func](value)
    return value


def duration_text(micros: int) -> str:
    """A duration as the configuration writes it, in the largest unit that divides it: `5m`, `30d`."""
    units = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", SECOND // 1000))
    for unit, length in units:
        if micros % length == 0:
            return f"{micros // length}{unit}"
    return f"{micros} µs"


_WRITTEN: Mapping[object, Callable[[int], str]] = {_duration: duration_text, _size: size_text}


def _at_least_a_second(micros: int) -> int:
    if micros < SECOND:
        raise ValueError('must be at least "1s"')
    return micros


def _secret(value: object, info: ValidationInfo) -> object:
    """Resolves `env:NAME` and `file:PATH`. Messages name the reference, never a value."""
    if not isinstance(value, str):
        return value
    text, around = value.strip(), surroundings(info)
    if text.startswith("env:"):
        name = text.removeprefix("env:").strip()
        if name not in around.variables:
            raise ValueError(f"the environment variable {name or '(no name)'} is not set; export it, or use file:PATH")
        text = around.variables[name].strip()
    elif text.startswith("file:"):
        path = around.resolve(text.removeprefix("file:").strip())
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ValueError(f"cannot read the secret's file {path}: {reason}") from None
    return SecretStr(text)


def _without_empty(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple(secret for secret in secrets if secret)


def _window(text: str) -> str:
    return parse_window(text).text


def http_url(text: str) -> str:
    """An http or https address without a trailing slash. Raises ValueError for another one."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://example.org")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be a plain address, without a user, password, query or fragment")
    return text.rstrip("/")


def _https_url(text: str) -> str:
    if urlsplit(text).scheme != "https":
        raise ValueError("must be an https address such as https://example.org/prices.json")
    return http_url(text)


def _http_url_or_empty(text: str) -> str:
    return text and http_url(text)


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError('must be an origin such as "https://example.org": scheme and host, no path, no "*"')
    return text.lower()


def _name(text: str) -> str:
    if not text.strip() or len(text) > 64 or not text.isprintable():
        raise ValueError("must be a name of 1 to 64 printable characters")
    return text.strip()


_DURATION_PATTERN = r"^\s*\d{1,12}(\.\d{1,6})?([mM]?[sS]|[mMhHdDwW])\s*$"
_MONEY_TEXT = {"type": "string", "pattern": r"^\s*\$?\s*\d+(,\d{3})*(\.\d+)?\s*([Uu][Ss][Dd])?\s*$"}

Amount = Annotated[
    Usd,
    PlainValidator(_amount),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, _MONEY_TEXT]}),
]
"""US dollars, more than zero: `100`, `10.50`, `"$50"`, `"50 USD"`."""

Price = Annotated[
    Decimal,
    PlainValidator(_price),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, _MONEY_TEXT]}),
]
"""US dollars, zero or more, exact."""

Fraction = Annotated[
    float,
    PlainValidator(_fraction),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]
"""Between 0 and 1, both excluded."""

Duration = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN}),
]
"""Microseconds, written `90s`, `5m`, `1h`, `7d`."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema(
        {"anyOf": [{"const": 0}, {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*[kKmMgGtT]?[iI]?[bB]\s*$"}]}
    ),
]
"""Bytes, written `200MB`, `1.5GiB`, or 0."""

PollInterval = Annotated[Duration, AfterValidator(_at_least_a_second)]
"""Microseconds between two polls, at least one second."""

Secret = Annotated[SecretStr, BeforeValidator(_secret)]
"""Text that no message, log or repr shows; `env:NAME` and `file:PATH` are resolved. Empty means unset."""

Secrets = Annotated[tuple[Secret, ...], Strict(False), AfterValidator(_without_empty)]
"""Secrets of which each opens the door; empty ones open nothing and are left out."""

WindowText = Annotated[
    str,
    AfterValidator(_window),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [kind for kind in WindowKind if kind is not WindowKind.ROLLING]},
                {"type": "string", "pattern": _DURATION_PATTERN},
            ]
        }
    ),
]
"""A window's name as `domain.windows.parse_window` understands it."""

HttpUrl = Annotated[str, AfterValidator(http_url), Field(json_schema_extra={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"})]
"""An http or https address without credentials and without a trailing slash."""

HttpsUrl = Annotated[str, AfterValidator(_https_url), Field(json_schema_extra={"pattern": "^[Hh][Tt][Tt][Pp][Ss]://"})]
"""The same, https only."""

OptionalHttpUrl = Annotated[str, AfterValidator(_http_url_or_empty)]
"""An http or https address, or empty."""

Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], Strict(False)]
"""Origins of web pages: scheme and host."""

Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"minLength": 1, "maxLength": 64})]
"""What messages and screens call one limit, channel or account."""

Texts = Annotated[tuple[str, ...], Strict(False)]
"""A list of texts."""

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose a free one."""
