"""Why a span of time cost something else than an earlier one, as the requests of both tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from spendtop.domain.breakdown.spend_change import ModelUsage, Prices, SpendChange, prices_shown_by, spend_change
from spendtop.domain.money import Usd
from spendtop.store.engine import Store
from spendtop.store.reads.breakdown.breakdown import Times
from spendtop.store.reads.spending.kept_sums import Grouping, KeptSums, Key, Values


class ChangeReading:
    """Asked again and again. For one thread at a time."""

    def __init__(self, grouping: Grouping) -> None:
        """`grouping` is by model, of all requests or of some."""
        self._after = KeptSums(grouping)
        self._before = KeptSums(grouping)

    @property
    def was_read(self) -> bool:
        """Whether little is left to be read."""
        return self._after.share == self._before.share == 1.0

    def read(self, store: Store, times: Times, goes_on: Callable[[], bool]) -> SpendChange | None:
        """None where the reading was ended, or nothing is compared with."""
        if times.earlier is None:
            return None
        if not self._after.read(store, times.span, times.now, goes_on):
            return None
        if not self._before.read(store, times.earlier, times.now, goes_on):
            return None
        return spend_change(_uses(self._before), _uses(self._after), self._prices())

    def _prices(self) -> dict[str, Prices]:
        """What tokens of each model cost before, as its use at different times shows."""
        uses: defaultdict[str, list[ModelUsage]] = defaultdict(list)
        for piece in self._before.pieces():
            for key, values in piece:
                uses[_model(key)].append(_usage(values))
        found = {model: prices_shown_by(each) for model, each in uses.items()}
        return {model: prices for model, prices in found.items() if prices is not None}


def _uses(sums: KeptSums) -> dict[str, ModelUsage]:
    return {_model(key): _usage(values) for key, values in sums.by_key.items()}


def _model(key: Key) -> str:
    return str(key[0])


def _usage(values: Values) -> ModelUsage:
    *counts, nano = values
    requests, hits, fresh, read, written, output = counts
    return ModelUsage(requests, hits, fresh, read, written, output, Usd(nano))
