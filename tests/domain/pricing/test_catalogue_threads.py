from __future__ import annotations

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest

from spendtop.domain.clock import to_micros
from spendtop.domain.pricing import catalogue
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.price import Price
from spendtop.domain.pricing.pricer import Terms
from spendtop.domain.requests.request import ServiceLevel

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def test_threads_get_one_answer_while_little_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_MOST_MODELS", 2)
    prices, together = PublishedPrices(), Barrier(4)
    asked = [
        (model, Terms(level), to_micros(NOW.replace(hour=hour)))
        for model in ("gpt-4o", "o1", "deepseek-chat", "unheard-of", "gpt-5-mini")
        for level in (None, ServiceLevel.BATCH)
        for hour in (2, 20)
    ]
    answers: list[list[Price | None]] = []

    def ask() -> None:
        together.wait(20)
        answers.append([prices(None, *each) for each in asked * 20])

    threads = [Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    fresh = PublishedPrices()
    assert answers == [[fresh(None, *each) for each in asked] * 20] * 4
