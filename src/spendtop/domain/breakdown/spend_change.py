"""Why one span of time cost more or less than another: causes whose amounts add up to the difference exactly.

The causes are taken in turn, each with those before it in place: how many requests, of which models, with how long
prompts, how much of those from caches, with how long answers; what is left is the price. Models that were used in one
of the two spans alone are causes of their own. All is reckoned in fractions and rounded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from operator import mul
from typing import NamedTuple

from spendtop.domain.money import ZERO, Usd


class Cause(StrEnum):
    """What made the difference."""

    VOLUME = "volume"
    """More or fewer requests, were they as before in everything else."""
    MIX = "mix"
    """Requests went to dearer or cheaper models."""
    PROMPT = "prompts"
    """Longer or shorter prompts."""
    CACHE = "cache"
    """More or less from the provider's or the gateway's cache."""
    OUTPUT = "output"
    """Longer or shorter answers."""
    PRICE = "price"
    """The same quantities cost more or less."""
    NEW = "new"
    """Models that were not used before."""
    GONE = "gone"
    """Models that are not used any more."""


class ModelUsage(NamedTuple):
    """What one model was asked and what that cost, without requests that failed or whose cost is not known."""

    requests: int = 0
    """With those that a gateway answered from its cache."""
    hits: int = 0
    """Those, which cost nothing; their tokens are not in the figures below."""
    fresh: int = 0
    """Prompt tokens that no cache knew or took."""
    read: int = 0
    """Prompt tokens read from the provider's cache."""
    written: int = 0
    """Prompt tokens written to it."""
    output: int = 0
    cost: Usd = ZERO

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        return self.fresh, self.read, self.written, self.output

    def plus(self, other: ModelUsage) -> ModelUsage:
        return ModelUsage(
            self.requests + other.requests,
            self.hits + other.hits,
            self.fresh + other.fresh,
            self.read + other.read,
            self.written + other.written,
            self.output + other.output,
            self.cost + other.cost,
        )


Prices = tuple[Fraction, Fraction, Fraction, Fraction]
"""Nano-USD per token, in the order of `ModelUsage.tokens`."""
_USUAL: Prices = (Fraction(1), Fraction(1, 10), Fraction(5, 4), Fraction(5))
"""How prices of tokens usually stand to each other, where the requests themselves do not show it."""


@dataclass(frozen=True, slots=True)
class SpendChange:
    """The difference, cause by cause."""

    causes: Mapping[Cause, Usd]
    """All of them; their sum is `total`."""
    models: Mapping[str, Mapping[Cause, Usd]]
    """Of each model, rounded apart; volume and mix are of all together."""

    @property
    def total(self) -> Usd:
        return sum(self.causes.values(), ZERO)

    @property
    def largest_first(self) -> list[tuple[Cause, Usd]]:
        """Those that made a difference."""
        moved = [(cause, amount) for cause, amount in self.causes.items() if amount.nano]
        return sorted(moved, key=lambda part: -abs(part[1].nano))


def spend_change(
    before: Mapping[str, ModelUsage], after: Mapping[str, ModelUsage], prices: Mapping[str, Prices]
) -> SpendChange:
    """From the use of each model before to that after. `prices` is what tokens of a model cost before, as far as it is
    known."""
    nothing = ModelUsage()
    parts = dict.fromkeys(Cause, Fraction(0))
    of_models: dict[str, dict[Cause, Fraction]] = {}
    both: list[tuple[str, ModelUsage, ModelUsage]] = []
    for model in sorted({*before, *after}):
        old, new = before.get(model, nothing), after.get(model, nothing)
        if old.requests and new.requests:
            both.append((model, old, new))
        else:
            of_models[model] = {Cause.NEW: Fraction(new.cost.nano), Cause.GONE: Fraction(-old.cost.nano)}
    growth = Fraction(sum(new.requests for _, _, new in both), sum(old.requests for _, old, _ in both) or 1)
    for model, old, new in both:
        parts[Cause.VOLUME] += old.cost.nano * (growth - 1)
        parts[Cause.MIX] += old.cost.nano * (Fraction(new.requests, old.requests) - growth)
        of_models[model] = _within_model(old, new, prices.get(model, _USUAL))
    for causes in of_models.values():
        for cause, amount in causes.items():
            parts[cause] += amount
    return SpendChange(_rounded(parts), {model: _rounded(causes) for model, causes in of_models.items()})


def _within_model(old: ModelUsage, new: ModelUsage, prices: Prices) -> dict[Cause, Fraction]:
    """Why as many requests as now cost something else than they would have before."""
    growth = Fraction(new.requests, old.requests)
    paid, paid_before = new.requests - new.hits, old.requests - old.hits
    if not paid_before:
        return {Cause.PRICE: new.cost.nano - old.cost.nano * growth}
    per_paid = Fraction(old.cost.nano, paid_before)
    cache = per_paid * (paid - paid_before * growth)
    was = [Fraction(tokens * paid, paid_before) for tokens in old.tokens]
    """The tokens of as many requests as are paid now, were they as before."""
    at_prices = sum(map(mul, was, prices))
    if not at_prices:
        return {Cause.CACHE: cache, Cause.PRICE: new.cost.nano - per_paid * paid}
    level = per_paid * paid / at_prices
    """What they really cost, as a part of what they cost at `prices`."""
    prompt_was, prompt_is = sum(was[:3]), sum(new.tokens[:3])
    input_was = sum(map(mul, was[:3], prices[:3]))
    longer = input_was * prompt_is / prompt_was if prompt_was else prompt_is * prices[0]
    input_is = sum(map(mul, new.tokens[:3], prices[:3]))
    causes = {
        Cause.PROMPT: level * (longer - input_was),
        Cause.CACHE: cache + level * (input_is - longer),
        Cause.OUTPUT: level * prices[3] * (new.output - was[3]),
    }
    causes[Cause.PRICE] = new.cost.nano - old.cost.nano * growth - sum(causes.values())
    return causes


def _rounded(parts: Mapping[Cause, Fraction]) -> dict[Cause, Usd]:
    """Whole nano-dollars with the same sum, which is whole; what is nothing stays nothing."""
    rounded = {cause: round(amount) for cause, amount in parts.items()}
    missing = round(sum(parts.values())) - sum(rounded.values())
    by_size = sorted((cause for cause, amount in parts.items() if amount), key=lambda cause: -abs(parts[cause]))
    for cause in by_size[: abs(missing)]:
        rounded[cause] += 1 if missing > 0 else -1
    return {cause: Usd(nano) for cause, nano in rounded.items()}


def prices_shown_by(uses: Iterable[ModelUsage]) -> Prices | None:
    """What tokens of a model cost, as several uses of it show; None where these do not tell kinds of tokens apart.

    The least squares of the uses: exact where all were billed by the same prices.
    """
    rows = [(use.tokens, use.cost.nano) for use in uses]
    kinds = [kind for kind in range(4) if any(tokens[kind] for tokens, _ in rows)]
    matrix = [
        [
            *(Fraction(sum(tokens[a] * tokens[b] for tokens, _ in rows)) for b in kinds),
            Fraction(sum(tokens[a] * cost for tokens, cost in rows)),
        ]
        for a in kinds
    ]
    solved = _solution(matrix)
    if solved is None or min(solved, default=Fraction(0)) < 0:
        return None
    found = dict(zip(kinds, solved, strict=True))
    scale = _scale(found)
    return tuple(found.get(kind, _USUAL[kind] * scale) for kind in range(4))  # type: ignore[return-value]  # four


def _scale(prices: Mapping[int, Fraction]) -> Fraction:
    """How the known prices stand to the usual ones, for kinds of tokens that were not used."""
    return Fraction(sum(prices.values()), sum(_USUAL[kind] for kind in prices) or 1) if prices else Fraction(1)


def _solution(matrix: Sequence[list[Fraction]]) -> list[Fraction] | None:
    """Of linear equations whose right sides are the last column; None where there is not exactly one."""
    size = len(matrix)
    for at in range(size):
        pivot = next((row for row in range(at, size) if matrix[row][at]), None)
        if pivot is None:
            return None
        rows = [*matrix]
        rows[at], rows[pivot] = rows[pivot], rows[at]
        head = [each / rows[at][at] for each in rows[at]]
        matrix = [
            head if index == at else [a - row[at] * b for a, b in zip(row, head, strict=True)]
            for index, row in enumerate(rows)
        ]
    return [row[-1] for row in matrix]
