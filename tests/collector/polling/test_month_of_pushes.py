"""Four weeks of pushes through the listener beside what the providers' own APIs bill for them, all over HTTP: bill and
seen agree to the nano-dollar and to the token per key, the rest is explained, and what asking costs is known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple

import msgspec

from spendtop.collector.polling.poll_steps import CostSteps
from spendtop.domain.clock import DAY, HOUR, MINUTE, to_datetime, to_iso, to_micros
from spendtop.domain.money import Usd
from spendtop.services.ledger.differences import explain, sentence
from spendtop.sources.pollers.anthropic.analytics import AnthropicAnalytics
from spendtop.sources.pollers.openrouter.activity import OpenRouterActivity
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.day_bills import day_bill
from tests.api.listening import Live, listening, settings_of
from tests.collector.conftest import Bench
from tests.collector.polling_bench import Polling
from tests.sources.pollers.fake_anthropic import ADMIN_KEY
from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer

FIRST = to_micros(datetime(2026, 11, 1, tzinfo=UTC)) // DAY
DAYS = 28
NOW = (FIRST + DAYS - 1) * DAY + 13 * HOUR
"""When bills are asked for: the last day is not over."""
REFRESHED = NOW - 20 * MINUTE
KEY = "an-ingest-key-0123456789abcdef"
PRICES = {
    "claude-sonnet-4-5": (Decimal(3), Decimal(15)),
    "claude-haiku-4-5": (Decimal(1), Decimal(5)),
    "claude-opus-4": (Decimal(15), Decimal(75)),
}
"""US dollars for a million tokens of input and output."""
KEYS = {
    "apikey_web": ("ws_1", "claude-sonnet-4-5"),
    "apikey_ci": ("ws_1", "claude-haiku-4-5"),
    "apikey_lab": ("ws_2", "claude-sonnet-4-5"),
}
STRANGER = "apikey_gone"
"""A key whose calls never pass here, every ninth day."""
BILLED = {**KEYS, STRANGER: ("ws_2", "claude-opus-4")}
ROUTED = {"f01d5260": "checkout", "a9b8c7d6": "batch"}
"""Keys of OpenRouter, with their names."""
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
        of_input, of_output = PRICES[BILLED[self.key][1]]
        return (self.prompt * of_input + self.completion * of_output) / 10_000


class Claude(FakeProvider):
    """Tells cost and use of its calls until `REFRESHED` per day, workspace, key and model, and a few names."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def good(self, asked: Asked) -> Answer:
        if asked.headers.get("x-api-key") != ADMIN_KEY:
            return answer({"type": "error", "error": {"type": "authentication_error", "message": "no"}}, 401)
        kind = asked.path.rpartition("/")[2]
        if kind == "workspaces":
            default = [{"id": "ws_2", "name": "Default"}] if asked.one("include_default") else []
            return answer({"data": [{"id": "ws_1", "name": "Checkout"}, *default]})
        if kind not in ("cost", "usage"):
            return answer({"data": [{"id": STRANGER, "name": "old-cron"}] if kind == "api_keys" else []})
        sums: defaultdict[tuple[int, str], list[Call]] = defaultdict(list)
        for call in self.calls:
            if call.at < REFRESHED:
                sums[call.at // DAY, call.key].append(call)
        rows = [
            {
                "starting_at": f"{to_datetime(day * DAY):%Y-%m-%dT00:00:00Z}",
                "group": {
                    "workspace_id": BILLED[key][0],
                    "api_key_id": key,
                    "model": BILLED[key][1],
                    "actor": {"type": "user_actor", "user_id": "user_1", "email_address": "alice@example.com"},
                },
                "cost": {"amount": str(sum(call.cents for call in calls)), "list_amount": "9", "currency": "USD"},
                "usage": {
                    "uncached_input_tokens": sum(call.prompt for call in calls),
                    "output_tokens": sum(call.completion for call in calls),
                },
            }
            for (day, key), calls in sums.items()
        ]
        page, size = int(asked.one("page") or 0), min(int(asked.one("limit") or 20), 40)
        more = str(page + 1) if len(rows) > (page + 1) * size else None
        return answer(
            {
                "data": rows[page * size : (page + 1) * size],
                "has_more": more is not None,
                "next_page": more,
                "data_refreshed_at": to_iso(REFRESHED),
            }
        )


class Router(FakeProvider):
    """Tells what it charged per completed day, in all and by key."""

    def __init__(self) -> None:
        super().__init__()
        self.charged: defaultdict[tuple[int, str], Decimal] = defaultdict(Decimal)
        """By day and key."""

    def good(self, asked: Asked) -> Answer:
        if asked.path == "/api/v1/keys":
            keys = [{"hash": key, "name": name, "usage": 1} for key, name in ROUTED.items()]
            return answer({"data": keys[int(asked.one("offset") or 0) :]})
        wanted = asked.one("api_key_hash")
        rows = [
            {
                "date": f"{to_datetime(day * DAY):%Y-%m-%d}",
                "model": "openai/gpt-4.1",
                "usage": msgspec.Raw(str(usd).encode()),
                "prompt_tokens": 10,
            }
            for (day, key), usd in self.charged.items()
            if wanted in (None, key) and (day + 1) * DAY <= NOW
        ]
        return answer({"data": rows})


@dataclass(frozen=True)
class Pushes:
    """Posts spans as the providers do."""

    live: Live

    async def claude(self, calls: Sequence[Call]) -> None:
        """Requests whose model runs repeat their tokens; the runs come first, and all of it twice."""
        requests, runs = [], []
        for call in calls:
            number = next(_numbers)
            workspace, model = KEYS[call.key]
            shared = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": model,
                "anthropic.workspace.id": workspace,
                "gen_ai.usage.input_tokens": call.prompt,
                "gen_ai.usage.output_tokens": call.completion,
            }
            trace = f"{number:032x}"
            runs.append(
                _span(trace, 2 * number + 1, "anthropic.messages.model_run", 1, call.at, shared, parent=2 * number)
            )
            whole = {**shared, "gen_ai.response.id": f"msg_{number}", "anthropic.request.id": f"req_{number}"}
            requests.append(_span(trace, 2 * number, "anthropic.messages.create", 2, call.at, whole))
        for spans in (runs, requests, [*requests, *runs]):
            await self._post(spans, "com.anthropic.claude-platform", "claude-platform")

    async def router(self, at: int, charged: Mapping[str, Decimal]) -> None:
        """A call of each key, in one post."""
        spans = []
        for key, usd in charged.items():
            number = next(_numbers)
            attributes = {
                "span.type": "generation",
                "gen_ai.operation.name": "chat",
                "gen_ai.response.id": f"gen-{number}",
                "gen_ai.request.model": "openai/gpt-4.1",
                "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.output_tokens": 0,
                "gen_ai.usage.total_cost": float(usd),
                "trace.metadata.openrouter.api_key_name": ROUTED[key],
            }
            spans.append(_span(f"{number:032x}", 2 * number, "LLM Generation", 3, at, attributes))
        await self._post(spans, "openrouter", "openrouter")

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


def _day(day: int) -> Iterator[Call]:
    """A call of each key on a day; the last day has one more, which is later than what is billed by then."""
    for number, key in enumerate(KEYS):
        yield Call((FIRST + day) * DAY + number * HOUR, key, 1_234_567 + 7 * day + number, 98_761 + 13 * number)
    if day == DAYS - 1:
        yield Call(REFRESHED + MINUTE, "apikey_web", 100_000, 10_000)


async def _month(bench: Bench, claude: Claude, router: Router) -> None:
    """All that happens, pushed as it happens."""
    settings = settings_of({"ingest_keys": {"pushes": KEY}})
    async with listening(bench.store, bench.clock, bench.recorder, settings) as live:
        pushes = Pushes(live)
        for day in range(DAYS):
            calls = [*_day(day)]
            bench.clock.now = calls[-1].at + MINUTE
            await pushes.claude(calls)
            claude.calls += calls
            if day % 9 == 0:
                claude.calls.append(Call(calls[0].at, STRANGER, 50_000, 1_000))
            charged = {key: Decimal(97 + day * place) / 1_000_003 for place, key in enumerate(ROUTED, 1)}
            charged = {key: round(usd, 9) for key, usd in charged.items()}
            await pushes.router(calls[0].at, charged)
            for key, usd in charged.items():
                router.charged[FIRST + day, key] += usd


async def test_what_is_pushed_and_what_is_billed_agree_per_key_to_the_nano_dollar_and_token(bench: Bench) -> None:
    bench.configure(CONFIG)
    bench.start()
    office = Polling(bench)
    with Claude() as claude, Router() as router:
        await _month(bench, claude, router)
        bench.clock.now = NOW
        for name, poller in (
            ("anthropic", AnthropicAnalytics(ADMIN_KEY, claude.url)),
            ("openrouter", OpenRouterActivity("sk-or-canary", router.url)),
        ):
            await office.poll(CostSteps(name, HOUR, poller, office.context, accounts=[name], epoch=FIRST, trailing=30))
        costs = Counter(asked.path for asked in (*claude.asked, *router.asked))
    assert bench.rows("SELECT count(*) FROM request WHERE counted") == [(DAYS * (len(KEYS) + len(ROUTED)) + 1,)]
    with bench.store.reading() as connection:
        for day in range(FIRST, FIRST + DAYS):
            of_claude = day_bill(connection, _account("anthropic"), day, "key")
            billed = {row.id: row for row in of_claude.holders}
            for key in KEYS:
                row = billed.pop(key)
                assert (row.difference, row.requests, row.unpriced) == (Usd(0), 1, 0), (day, key)
                assert row.billed_tokens == row.seen_tokens > 0 and row.billed > Usd.of(1)
            never = [(row.id, row.name) for row in billed.values() if row.never_passed]
            assert never == ([(STRANGER, "old-cron")] if (day - FIRST) % 9 == 0 else [])
            of_router = day_bill(connection, _account("openrouter"), day, "key").holders
            if day < FIRST + DAYS - 1:
                assert {row.name: (row.difference, row.requests) for row in of_router} == {
                    name: (Usd(0), 1) for name in ROUTED.values()
                }
                assert all(row.billed > Usd(0) for row in of_router)
        today = day_bill(connection, _account("anthropic"), FIRST + DAYS - 1, "key")
        assert (today.billed_until, today.whole.later_requests) == (REFRESHED, 1)
        assert today.whole.later == Usd.of("0.45")
        explained = explain(connection, "anthropic", "anthropic", FIRST + 18)
        assert explained is not None
        assert [sentence(share) for share in explained.shares] == [
            "API key old-cron (apikey_gone) of project Default (ws_2) (claude-opus-4): never passed through us"
        ]
        projects = day_bill(connection, _account("anthropic"), FIRST + 1, "project").holders
        assert {row.id: (row.name, row.difference) for row in projects} == {
            "ws_1": ("Checkout", Usd(0)),
            "ws_2": ("Default", Usd(0)),
        }
        (user, shared) = day_bill(connection, _account("anthropic"), FIRST + 1, "user").holders
        assert (user.name, user.billed, shared.is_shared) == ("alice@example.com", shared.seen, True)
    names = {f"/v1/organizations/{kind}": times for kind, times in (("workspaces", 2), ("api_keys", 1), ("users", 1))}
    analytics = {f"/v1/organizations/analytics/{kind}": 3 for kind in ("cost", "usage")}
    assert costs == {**names, **analytics, "/api/v1/activity": 1 + len(ROUTED), "/api/v1/keys": 2}
