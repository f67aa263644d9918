"""What gateways and instrumentation post of one call again, with more or with less, read and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any

import pytest

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.rows import from_row
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.sources.receivers.litellm import LitellmReceiver
from spendtop.sources.receivers.otlp.receiver import JSON, OtlpReceiver
from spendtop.store.engine import Store
from spendtop.store.tables import RequestTable, RevisionTable
from tests.conftest import SettableClock
from tests.otlp_posts import ARRIVAL, call, export, in_json
from tests.services.conftest import PRICER, Collecting, clear, rows, sums, totals

INTERIM, FINAL, LESS = (900, 3), (900, 77), (900, 70)
ALIAS, EXACT = "gpt-4o", "gpt-4o-2024-08-06"


def webhook(counts: tuple[int, int], cost: float | None, model: str) -> Any:
    usage = {"prompt_tokens": counts[0], "completion_tokens": counts[1]}
    event = {
        "request_id": "r-1",
        "request_body": {"model": model},
        "response_body": {"id": "chatcmpl-1", "model": model, "usage": usage, "created": ARRIVAL // 1_000_000},
        "metadata": {} if cost is None else {"cost": cost},
    }
    return HeliconeReceiver().parse(json.dumps(event).encode(), ARRIVAL)


def litellm(counts: tuple[int, int], cost: float | None, model: str) -> Any:
    item = {
        "id": "chatcmpl-1",
        "litellm_call_id": "call-1",
        "status": "success",
        "model": model,
        "custom_llm_provider": "openai",
        "startTime": ARRIVAL / 1_000_000,
        "prompt_tokens": counts[0],
        "completion_tokens": counts[1],
        "response_cost": cost,
    }
    return LitellmReceiver().parse(json.dumps([item]).encode(), ARRIVAL).items[0]


def otlp(counts: tuple[int, int], cost: float | None, model: str) -> Any:
    attributes = {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": counts[0],
        "gen_ai.usage.output_tokens": counts[1],
        "gen_ai.usage.cost": cost,
    }
    return OtlpReceiver().parse(in_json(export(call(1, attributes))), JSON, ARRIVAL).items[0]


Said = Callable[[tuple[int, int], float | None, str], Any]
SAID = pytest.mark.parametrize("said", [webhook, litellm, otlp])


class Receiving:
    def __init__(self, store: Store, clock: SettableClock) -> None:
        self._store = store
        self._recording = Collecting(store, clock).recording
        self._preparer = Preparer(PRICER, None, keep_bodies=True)

    def record(self, reports: Iterable[Any]) -> Request:
        """Record each on its own; what is known then."""
        for report in reports:
            assert isinstance(report, Request)
            with self._store.writing() as connection:
                self._recording.record(connection, [self._preparer.prepare(report)])
            assert totals(self._store) == sums(self._store)
        (row,) = rows(self._store, RequestTable)
        return from_row(row).request

    def changes(self) -> list[dict[str, Any]]:
        return [json.loads(row.changes) for row in rows(self._store, RevisionTable)]


@SAID
def test_larger_counts_a_cost_and_a_more_exact_name_correct_the_request(
    store: Store, clock: SettableClock, said: Said
) -> None:
    known = []
    for order in permutations([said(INTERIM, None, ALIAS), said(FINAL, 0.5, EXACT), said(FINAL, 0.5, ALIAS)]):
        clear(store)
        known.append(Receiving(store, clock).record(order))
    assert known == [known[0]] * 6
    assert (known[0].usage.prompt, known[0].usage.completion, known[0].model) == (*FINAL, EXACT)
    assert known[0].cost.amount == Usd.of("0.5")


@SAID
def test_a_correction_leaves_a_revision(store: Store, clock: SettableClock, said: Said) -> None:
    receiving = Receiving(store, clock)
    receiving.record([said(INTERIM, None, ALIAS), said(FINAL, 0.5, EXACT)])
    (changes,) = receiving.changes()
    assert (changes["completion_tokens"], changes["model"]) == ([3, 77], [ALIAS, EXACT])


@SAID
def test_smaller_counts_and_another_model_are_not_taken_and_shown(
    store: Store, clock: SettableClock, said: Said
) -> None:
    receiving = Receiving(store, clock)
    first = receiving.record([said(FINAL, 0.5, ALIAS)])
    assert receiving.record([said(LESS, 0.5, ALIAS), said(FINAL, 0.5, "gpt-4o-mini")] * 2) == first
    smaller, other = receiving.changes()
    assert smaller["completion_tokens"] == [77, 70, "refused"]
    assert other["model"] == [ALIAS, "gpt-4o-mini", "refused"]
