"""The sections [anomaly] and [loop]: spend that looks wrong by itself, without any limit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from spendtop.config.types import Amount, Section, Texts
from spendtop.domain.money import Usd


class AnomalySettings(Section):
    """Warns when somebody spends far more than usual at this time of day. Tells nobody unless `notify` says whom, and
    changes no verdict and no exit code."""

    enabled: bool = True
    """false looks for nothing unusual."""
    each: Annotated[tuple[Literal["all", "user", "model", "token"], ...], Strict(False)] = (
        "all",
        "user",
        "model",
        "token",
    )
    """Whose spend is compared with its own past, at least 7 of the last 28 days: of "all" together, and of each "user",
    "model" or "token"."""
    factor: Annotated[float, Field(gt=1, le=1000)] = 3
    """How many times the usual is unusual; where spend varies much by itself it takes more."""
    min_usd: Amount = Usd(1_000_000_000)
    """By how many US dollars it has to be above the usual at least."""
    notify: Texts = ()
    """Names of the channels that are told; [] = none."""


class LoopSettings(Section):
    """Warns when near-identical prompts are sent at speed, in one session or by one user without one. Tells nobody
    unless `notify` says whom, and changes no verdict and no exit code."""

    enabled: bool = True
    """false looks for no loops."""
    calls: Annotated[int, Field(ge=5, le=50)] = 10
    """How many calls in a row, at most a minute apart, have to be alike; twice as many where prompts are not kept."""
    min_usd: Amount = Usd(500_000_000)
    """How many US dollars they have to cost together at least."""
    notify: Texts = ()
    """Names of the channels that are told; [] = none."""
