"""Token buckets: how often somebody may come."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Buckets:
    """One bucket per key, for the keys seen last; a key that is forgotten starts full again."""

    def __init__(self, monotonic: Callable[[], float], most_keys: int = 4096) -> None:
        self._monotonic = monotonic
        self._most_keys = most_keys
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, per_minute: int, burst: int) -> int:
        """Take one from the key's bucket. 0 when there was one, else the whole seconds to wait for the next."""
        now, per_second = self._monotonic(), per_minute / 60
        left, since = self._buckets.pop(key, (float(burst), now))
        left = min(float(burst), left + (now - since) * per_second)
        wait = 0 if left >= 1 else max(1, math.ceil((1 - left) / per_second))
        self._buckets[key] = (left if wait else left - 1, now)
        if len(self._buckets) > self._most_keys:
            self._buckets.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._buckets)
