"""Limits as the configuration writes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Strict

from spendtop.config.section import Section
from spendtop.config.types import Amount, Fraction, Name, Texts, WindowText
from spendtop.domain.filters import fields_of, parse_filter
from spendtop.domain.limits import Each, Limit
from spendtop.domain.windows import parse_window

SCOPE_FIELDS = frozenset({"user", "model", "token", "session", "provider"})
"""The fields that a limit's `where` may use: those that every request carries by itself."""


def _scope(text: str) -> str:
    wrong = fields_of(parse_filter(text)) - SCOPE_FIELDS
    if wrong:
        raise ValueError(f"a limit cannot use {', '.join(sorted(wrong))}; it may use {', '.join(sorted(SCOPE_FIELDS))}")
    return text.strip()


def _reserve(text: str) -> str:
    model = text.removeprefix("model:").strip()
    if not text.startswith("model:") or not model:
        raise ValueError('must name a model, such as "model:gpt-4o"')
    return f"model:{model}"


def _ascending(fractions: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted(set(fractions)))


class LimitSettings(Section):
    """An amount that spend within a window should not exceed."""

    name: Name
    """What screens and messages call it."""
    window: WindowText
    """The last N ("1h", "24h", "7d"), a calendar unit ("hour", "day", "week", "month"), or "request", "session",
    "lifetime"."""
    usd: Amount
    """The amount in US dollars."""
    each: Annotated[Each, Strict(False)] | None = None
    """Makes one limit per "user", "model", "token" or "session"."""
    where: Annotated[str, AfterValidator(_scope)] = ""
    """Counts only the requests that this filter matches, for example "-model:gpt-4o-mini"."""
    warn: Annotated[tuple[Fraction, ...], Strict(False), AfterValidator(_ascending)] = (0.8,)
    """Fractions of the amount at which the limit is approaching; [] for none."""
    notify: Texts | None = None
    """Names of the channels that are told; absent = all, [] = none."""
    reserve: Annotated[str, AfterValidator(_reserve)] | None = None
    """Counts requests without a known price at this model's price, for example "model:gpt-4o"."""

    def limit(self) -> Limit:
        """The limit as the rules know it."""
        return Limit(
            name=self.name,
            window=parse_window(self.window),
            amount=self.usd,
            warn=self.warn,
            each=self.each or (Each.SESSION if self.window == "session" else None),
            where=parse_filter(self.where) if self.where else None,
            where_text=self.where,
            notify=self.notify,
            reserve=self.reserve.removeprefix("model:") if self.reserve else None,
        )
