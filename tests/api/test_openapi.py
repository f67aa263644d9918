"""The description is what really happens: schemathesis, which reads nothing else, finds no difference."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from spendtop.api.counters import Count
from spendtop.api.listener import local_use
from spendtop.config.settings import Settings
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import BodyState, Status, Usage
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services import tokens
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from tests import routes
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.api.recorders import apply
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

API_KEY, INGEST_KEY = "an-api-key-that-is-long-enough", "an-ingest-key-that-is-long-enough"
KEYS = {"api_key": API_KEY, "ingest_keys": {"apps": INGEST_KEY}}
OFTEN = {"rpm": 1_000_000, "burst": 1_000_000}
LIMITS = {"rate_limit": OFTEN, "ingest_rate_limit": OFTEN}
_PATHS = "|".join(route.path[1:] for route in routes.PUSHED if not route.path.startswith("/v1/"))
"""Whose bodies are described as JSON."""
RULES = """\
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 431]

# Parameters that exclude one another, texts that are times, filters, positions, amounts or printable names, and counts
# that must fit together: no schema says so, but the answer does.
[[operations]]
include-path-regex = "^/(requests|data|models|sessions|spending/summary|dashboard/chart|export.(csv|jsonl)|events)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 422]
[[operations]]
include-path-regex = "^/(PATHS)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 403, 409, 422]
[[operations]]
include-path = "/ingest/tokens"
checks.positive_data_acceptance.expected-statuses = ["2xx", 409, 422]
[[operations]]
include-path-regex = "^/ledger/"
parameters = { "path.account" = "openai" }
checks.positive_data_acceptance.expected-statuses = ["2xx", 422]

[[operations]]
include-path-regex = "^/(silences$|limits/)"
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 422]

# Nobody guesses the api key, and without one nobody signs in.
[[operations]]
include-path = "/dashboard/login"
checks.positive_data_acceptance.expected-statuses = [303, 401, 403, 429]

# Whatever is signed is kept, also what is not understood.
[[operations]]
include-path = "/webhook"
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "^/(requests|sessions|jobs|users)/"
parameters = { "path.id" = "1" }
"""


def fill(store: Store, clock: SettableClock) -> None:
    """One of everything that an answer can hold."""
    made, now = Recorded(store), clock()
    body = b'{"messages":[{"role":"user","content":"a question"}]}'
    whole: dict[str, Any] = {
        "session_id": "1",
        "session_path": "/plan",
        "user_id": "1",
        "model": "gpt-4o",
        "provider": "openai",
        "properties": {"team": "blue"},
        "usage": Usage(prompt=10, completion=5, cache_read=2, reasoning=1),
        "latency_ms": 900,
        "request_body": body,
        "response_body": body,
        "body_state": BodyState.STORED,
    }
    limit = Limit(name="daily", window=parse_window("day"), amount=Usd.of("1"))
    made.add(
        [
            made.request(now - MINUTE, 30_000_000, external_id="1", **whole),
            made.request(now - HOUR, None, session_id="1", status=Status.ERROR, http_status=429),
        ],
        [limit],
    )
    account = Account(
        name="openai", provider="openai", poller=None, poll_every=HOUR, low_balance=None, tells_balance=False
    )
    apply(store, clock, [limit], [account])
    with store.writing() as connection:
        tokens.create(connection, "app", now, value="app-1")
        values: dict[str, Any] = {
            "rule": "limit/daily",
            "entity": "",
            "window_start": now,
            "state": "exceeded",
            "severity": "critical",
            "version": 1,
            "announced": 1.0,
            "spoke": 1,
            "used_nano": 5_200_000_000,
            "limit_nano": 5_000_000_000,
            "unpriced": 2,
            "crossed_at": now,
            "late": False,
            "falls": 0,
            "opened_at": now,
            "updated_at": now,
        }
        connection.execute(table_of(AlertTable).insert().values(**values))


@asynccontextmanager
async def serving(store: Store, clock: SettableClock, settings: Settings) -> AsyncIterator[Live]:
    """A listener over a filled store that limits nobody, and whose endless answers end."""
    fill(store, clock)
    preparer = Preparer(Pricer({}, None, lambda provider, model, terms, at: None), None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook((), Calendar(), {}))
    recorder.start()
    try:
        minutes, stopping = count(step=60), asyncio.Event()
        stopping.set()
        async with listening(
            store, clock, recorder, settings, monotonic=lambda: next(minutes), stopping=stopping
        ) as live:
            yield live
    finally:
        recorder.stop()


async def found(live: Live, folder: Path, keys: dict[str, str], *options: str) -> str:
    """What schemathesis says about a listener; empty where it finds nothing."""
    rules = folder / "rules.toml"
    rules.write_text(RULES.replace("PATHS", _PATHS))
    headers = [part for name, key in keys.items() for part in ("--header", f"{name}: {key}")]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(rules), "run"]
    process = await asyncio.create_subprocess_exec(
        *(*command, f"http://127.0.0.1:{live.port}/openapi.json", *headers, *options),
        *("--generation-deterministic", "--no-shrink"),
        *("--generation-with-security-parameters", "false", "--continue-on-failure", "--no-color"),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode() if process.returncode else ""


@pytest.mark.parametrize("examples", [5, pytest.param(200, marks=pytest.mark.soak)])
async def test_with_keys_every_route_answers_as_it_is_described(
    readable_store: Store, clock: SettableClock, tmp_path: Path, examples: int
) -> None:
    """So many cases are made up for each operation, beside those at the edges of what its schema allows."""
    keys = {"X-API-Key": API_KEY, "X-Ingest-Key": INGEST_KEY}
    async with serving(readable_store, clock, settings_of({**KEYS, **LIMITS})) as live:
        made_up = ("--max-examples", str(examples))
        said = await found(live, tmp_path, keys, "--exclude-path-regex", "^/api/|^/reset$", *made_up)
        said += await found(live, tmp_path, keys, "--include-path", "/reset", "--phases", "coverage")
    assert not said, said
    assert live.context.counters[Count.FAILED] == 0


@pytest.mark.parametrize("extent", [("--phases", "coverage"), pytest.param((), marks=pytest.mark.soak)])
async def test_without_keys_every_route_answers_as_it_is_described(
    readable_store: Store,
    clock: SettableClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    extent: tuple[str, ...],
) -> None:
    """Local programs read, webhooks need no signature, and nothing can be pushed; bodies are the same as with keys."""
    monkeypatch.setattr(local_use, "_OF_CLIENTS", local_use._OF_CLIENTS | {b"x-schemathesis-testcaseid"})
    settings = settings_of(LIMITS, {"webhook_secrets": [], "allow_unsigned": True})
    options = ("--exclude-checks", "ignored_auth,missing_required_header", *extent)
    async with serving(readable_store, clock, settings) as live:
        said = await found(live, tmp_path, {}, "--exclude-path-regex", "^/api/|^/reset$", *options)
    assert not said, said
    assert live.context.counters[Count.FAILED] == 0


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_route_is_described_and_admin_routes_also_under_api(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        described = operations((await live.client.get("/openapi.json")).json())
    admin = {(route.method, route.described) for route in routes.ADMIN}
    others = {(route.method, route.described) for route in (*routes.OPEN, *routes.SIGNED, *routes.PUSHED)}
    alike = admin | {(route.method, route.described) for route in routes.OPEN if "/dashboard" in route.path}
    assert described.keys() == others | admin | {(method, f"/api{path}") for method, path in alike}
    for method, path in alike:
        one, other = described[method, path], described[method, f"/api{path}"]
        assert one["responses"].keys() == other["responses"].keys()
        for part in ("parameters", "requestBody", "security"):
            assert one.get(part) == other.get(part)


async def test_every_route_exists(readable_store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(readable_store, clock, recorder) as live:
        for route in (*routes.ADMIN, *routes.OPEN, *routes.SIGNED, *routes.PUSHED):
            for prefix in ("", "/api") if route in routes.ADMIN else ("",):
                other = await live.client.request("PUT", prefix + route.path)
                assert (other.status_code, route.method in other.headers["allow"]) == (405, True), route


async def test_what_is_described_is_openapi_with_unique_names(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        description = (await live.client.get("/openapi.json")).json()
    described = operations(description)
    names = [operation["operationId"] for operation in described.values()]
    assert description["openapi"].startswith("3.1")
    assert len(set(names)) == len(names)
    for operation in described.values():
        busy = [answer for status, answer in operation["responses"].items() if status in ("429", "507")]
        for answer in busy:
            resolved = description["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert resolved["headers"]["Retry-After"]["required"]
