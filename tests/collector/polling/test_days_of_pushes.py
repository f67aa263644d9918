"""Some days of pushes through the listener beside what the providers' own APIs bill for them, all over HTTP: bill and
seen agree to the nano-dollar and to the token per key, and what asking costs is known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple

import msgspec

from spendtop.collector.polling.poll_steps import CostSteps
from spendtop.domain.clock import DAY, HOUR, MINUTE, to_datetime, to_iso, to_micros
from spendtop.domain.money import Usd
from spendtop.sources.pollers.anthropic_analytics import AnthropicAnalytics
from spendtop.sources.pollers.openrouter_activity import OpenRouterActivity
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.day_bills import day_bill
from tests.api.listening import Live, listening, settings_of
from tests.collector.conftest import Bench
from tests.collector.polling_bench import Polling
from tests.sources.pollers.fake_anthropic import ADMIN_KEY
from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer

FIRST = to_micros(datetime(2026, 11, 20, tzinfo=UTC)) // DAY
DAYS = 3
KEY = "an-ingest-key-0123456789abcdef"
PRICES = {"claude-sonnet-4-5": (Decimal(3), Decimal(15)), "claude-haiku-4-5": (Decimal(1), Decimal(5))}
"""US dollars for a million tokens of input and output."""
KEYS = {
    "apikey_web": ("ws_1", "claude-sonnet-4-5"),
    "apikey_ci": ("ws_1", "claude-haiku-4-5"),
    "apikey_lab": ("ws_2", "claude-sonnet-4-5"),
}
CHECKOUT = "f01d5260"
CONFIG = "".join(f'[prices."{model}"]\ninput = {price[0]}\noutput = {price[1]}\n' for model, price in PRICES.items())
_numbers = count(1)


class Call(NamedTuple):
    at: int
    key: str
    prompt: int
    completion: int

    @property
    def cents(self) -> Decimal:
        """What Anthropic bills for it."""
        of_input, of_output = PRICES[KEYS[self.key][1]]
        return (self.prompt * of_input + self.completion * of_output) / 10_000


class Claude(FakeProvider):
    """Tells cost and use of its calls per day, workspace, key and model."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.refreshed = 0

    def good(self, asked: Asked) -> Answer:
        kind = asked.path.rpartition("/")[2]
        if kind not in ("cost", "usage"):
            return answer({"data": []})
        sums: defaultdict[tuple[int, str], list[Call]] = defaultdict(list)
        for call in self.calls:
            sums[call.at // DAY, call.key].append(call)
        rows = [
            {
                "starting_at": f"{to_datetime(day * DAY):%Y-%m-%dT00:00:00Z}",
                "group": {"workspace_id": KEYS[key][0], "api_key_id": key, "model": KEYS[key][1]},
                "cost": {"amount": str(sum(call.cents for call in calls)), "currency": "USD"},
                "usage": {
                    "uncached_input_tokens": sum(call.prompt for call in calls),
                    "output_tokens": sum(call.completion for call in calls),
                },
            }
            for (day, key), calls in sums.items()
        ]
        return answer({"data": rows, "has_more": False, "data_refreshed_at": to_iso(self.refreshed)})


class Router(FakeProvider):
    """Tells what it charged per completed day, in all and by its one key."""

    def __init__(self) -> None:
        super().__init__()
        self.charged: defaultdict[str, Decimal] = defaultdict(Decimal)

    def good(self, asked: Asked) -> Answer:
        if asked.path == "/api/v1/keys":
            return answer(
                {"data": [{"hash": CHECKOUT, "name": "checkout", "usage": 1}] if asked.one("offset") == "0" else []}
            )
        rows = [
            {"date": date, "model": "openai/gpt-4.1", "usage": msgspec.Raw(str(usd).encode()), "prompt_tokens": 10}
            for date, usd in self.charged.items()
        ]
        return answer({"data": rows})


@dataclass(frozen=True)
class Pushes:
    """Posts spans as the providers do."""

    live: Live

    async def claude(self, call: Call) -> None:
        """A request whose model run repeats its tokens; the child comes first, and all of it twice."""
        number = next(_numbers)
        tokens = {"gen_ai.usage.input_tokens": call.prompt, "gen_ai.usage.output_tokens": call.completion}
        workspace, model = KEYS[call.key]
        shared = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": model,
            "anthropic.workspace.id": workspace,
            **tokens,
        }
        trace = f"{number:032x}"
        run = _span(trace, 2 * number + 1, "anthropic.messages.model_run", 1, call.at, shared, parent=2 * number)
        whole = {**shared, "gen_ai.response.id": f"msg_{number}", "anthropic.request.id": f"req_{number}"}
        request = _span(trace, 2 * number, "anthropic.messages.create", 2, call.at, whole)
        for spans in ([run], [request], [request, run]):
            await self._post(spans, "com.anthropic.claude-platform", "claude-platform")

    async def router(self, at: int, usd: Decimal) -> None:
        number = next(_numbers)
        attributes = {
            "span.type": "generation",
            "gen_ai.operation.name": "chat",
            "gen_ai.response.id": f"gen-{number}",
            "gen_ai.request.model": "openai/gpt-4.1",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 0,
            "gen_ai.usage.total_cost": float(usd),
            "trace.metadata.openrouter.api_key_name": "checkout",
        }
        await self._post(
            [_span(f"{number:032x}", 2 * number, "LLM Generation", 3, at, attributes)], "openrouter", "openrouter"
        )

    async def _post(self, spans: list[dict[str, Any]], scope: str, service: str) -> None:
        named = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
        body = {"resourceSpans": [{"resource": named, "scopeSpans": [{"scope": {"name": scope}, "spans": spans}]}]}
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        said = await self.live.client.post("/v1/traces", content=msgspec.json.encode(body), headers=headers)
        assert (said.status_code, said.json()) == (200, {})


def _span(
    trace: str, number: int, name: str, kind: int, at: int, attributes: dict[str, Any], parent: int | None = None
) -> dict[str, Any]:
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        **({} if parent is None else {"parentSpanId": f"{parent:016x}"}),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(at * 1000),
        "endTimeUnixNano": str((at + 1_000_000) * 1000),
        "status": {"code": 1},
        "attributes": [{"key": key, "value": _value(value)} for key, value in attributes.items()],
    }


def _value(value: object) -> dict[str, object]:
    match value:
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": value}


def _account(name: str) -> Account:
    return Account(name=name, provider=name, poller=name, poll_every=HOUR, low_balance=None, tells_balance=False)


def _calls() -> Iterator[Call]:
    for day in range(DAYS):
        for number, key in enumerate(KEYS):
            at = (FIRST + day) * DAY + number * HOUR
            yield Call(at, key, 1_234_567 + 7 * day + number, 98_761 + 13 * number)


async def test_what_is_pushed_and_what_is_billed_agree_per_key_to_the_nano_dollar_and_token(bench: Bench) -> None:
    bench.configure(CONFIG)
    bench.start()
    office, settings = Polling(bench), settings_of({"ingest_keys": {"pushes": KEY}})
    with Claude() as claude, Router() as router:
        async with listening(bench.store, bench.clock, bench.recorder, settings) as live:
            pushes = Pushes(live)
            for call in _calls():
                bench.clock.now = call.at + MINUTE
                await pushes.claude(call)
                claude.calls.append(call)
                usd = Decimal(call.completion) / 1_000_000
                await pushes.router(call.at, usd)
                router.charged[f"{to_datetime(call.at):%Y-%m-%d}"] += usd
        bench.clock.now = claude.refreshed = (FIRST + DAYS) * DAY + HOUR
        for name, poller in (
            ("anthropic", AnthropicAnalytics(ADMIN_KEY, claude.url)),
            ("openrouter", OpenRouterActivity("sk-or-canary", router.url)),
        ):
            await office.poll(CostSteps(name, HOUR, poller, office.context, accounts=[name], epoch=FIRST, trailing=30))
        costs = Counter(asked.path for asked in (*claude.asked, *router.asked))
    for day in range(FIRST, FIRST + DAYS):
        with bench.store.reading() as connection:
            of_claude = day_bill(connection, _account("anthropic"), day, "key")
            (of_router,) = day_bill(connection, _account("openrouter"), day, "key").holders
        assert {row.id for row in of_claude.holders} == {*KEYS}
        for row in of_claude.holders:
            assert (row.difference, row.requests, row.unpriced) == (Usd(0), 1, 0)
            assert row.billed_tokens == row.seen_tokens > 0 and row.billed > Usd.of(1)
        assert (of_router.name, of_router.difference, of_router.requests) == ("checkout", Usd(0), len(KEYS))
        assert of_router.billed > Usd(0)
    names = {f"/v1/organizations/{kind}": times for kind, times in (("workspaces", 2), ("api_keys", 1), ("users", 1))}
    analytics = {f"/v1/organizations/analytics/{kind}": 1 for kind in ("cost", "usage")}
    assert costs == {**names, **analytics, "/api/v1/activity": 2, "/api/v1/keys": 2}
