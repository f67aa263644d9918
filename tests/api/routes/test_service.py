from __future__ import annotations

import pytest

from spendtop import __version__
from spendtop.domain.clock import DAY, HOUR, to_iso
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.sources.remarks import Remark, RemarkKind
from spendtop.domain.windows import parse_window
from spendtop.services import tokens
from spendtop.services.recording.remarks import note
from spendtop.store.engine import Store
from tests.api.listening import settings_of
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

DAILY = Limit(name="daily", window=parse_window("day"), amount=Usd.of(10))


@pytest.mark.replaces("push/metrics")
async def test_the_figures_as_json(readable_store: Store, clock: SettableClock) -> None:
    settings = settings_of({"ingest_keys": {"apps": "pushes"}, "ingest_rate_limit": {"rpm": 70, "burst": 7}})
    recorded = Recorded(readable_store)
    recorded.add([recorded.request(clock() - HOUR), recorded.request(clock() - 1, counted=False, token="twin")])
    with readable_store.writing() as connection:
        tokens.create(connection, "web", clock())
        note(connection, {"ingest": [Remark(RemarkKind.UNREAD, "weird_units", "is not priced", 312)]}, clock())
    async with recording(readable_store, clock, settings) as (live, _):
        await live.client.post("/webhook", content=b"{}")
        first = (await live.client.get("/metrics")).json()
        browser = await live.client.get("/api/metrics", headers={"Accept": "text/html,*/*"})
    counters = first.pop("counters")
    assert first == {
        "version": __version__,
        "env": None,
        "ingest": {"rpm": 70, "burst": 7, "auth_enabled": True},
        "db": {"usage_rows": 2, "active_tokens": 1, "last_usage_at": to_iso(clock() - 1)},
        "remarks": [
            {
                "source": "ingest",
                "last_at": to_iso(clock()),
                "text": "312 requests had `weird_units`, which is not priced",
            }
        ],
    }
    assert {"ingest_success", "ingest_duplicate", "ingest_bad_auth"} <= set(counters)
    assert (counters["ingest_bad_auth"], counters["ingest_success"]) == (1, 0)
    assert browser.headers["content-type"] == "application/json"


async def test_the_figures_as_prometheus_reads_them(readable_store: Store, clock: SettableClock) -> None:
    recorded = Recorded(readable_store)
    today = [recorded.request(clock() - HOUR, 4 * 10**9, model="gpt-4o", provider="openai")]
    recorded.add([*today, recorded.request(clock() - DAY, 10**9, model="gpt-4o")], [DAILY])
    async with recording(readable_store, clock, limits=[DAILY]) as (live, _):
        answer = await live.client.get("/metrics", headers={"Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"})
        modern = await live.client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=zwei"})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'spendtop_model_spend_today_usd{model="gpt-4o"} 4.0' in lines
    assert 'spendtop_provider_spend_today_usd{provider="openai"} 4.0' in lines
    assert 'spendtop_source_requests_today{source="helicone"} 1.0' in lines
    assert 'spendtop_limit_used_ratio{entity="",limit="daily",window="day"} 0.4' in lines
    assert (modern.status_code, modern.text.endswith("# EOF\n")) == (200, True)
