"""Own prices and the own pricing rule."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from spendtop.config.section import Section
from spendtop.config.types import Price, surroundings


class PriceSettings(Section):
    """Your own price of one model; it wins over the published one."""

    input: Price
    """US dollars per million input tokens."""
    output: Price
    """US dollars per million output tokens."""
    cache_read: Price | None = None
    """US dollars per million input tokens read from the cache; absent = as input."""
    cache_write: Price | None = None
    """US dollars per million input tokens written to the cache; absent = as input."""


def _hook(text: str, info: ValidationInfo) -> str:
    """The hook with an absolute path."""
    if not text:
        return text
    file, _, function = text.rpartition(":")
    if not file or not function.isidentifier():
        raise ValueError('must name a file and a function in it, such as "./costs.py:cost"')
    path = surroundings(info).resolve(file)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return f"{path}:{function}"


class PricingSettings(Section):
    """How costs are computed."""

    hook: Annotated[str, AfterValidator(_hook)] = ""
    """Your own rule, "./costs.py:cost": cost(request) -> Decimal | None. The path is relative to this file."""
