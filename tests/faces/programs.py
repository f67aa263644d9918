"""What programs read: JSON over HTTP and from commands, Prometheus, CSV, SQL."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text as sql

from spendtop.collector.process.status_snapshot import StatusSnapshot
from spendtop.config.paths import data_folder
from spendtop.domain.clock import to_iso
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.faces.said import Said
from tests.faces.world import COUNTED, MODELS, SESSIONS, SHADOW, USERS, World


async def write_status(world: World) -> None:
    """The file that `spendtop status` reads, as a collector leaves it."""
    path = data_folder() / "spendtop.db.status.json"
    stop = asyncio.Event()
    stop.set()
    await StatusSnapshot(path, world.store, lambda: world.book, world.clock, "http://127.0.0.1:8000").run(stop)


_LABELS = ("version", "event", "model", "provider", "source", "limit", "entity", "window")


def sums(row: Mapping[str, Any]) -> Said:
    """What JSON says of a sum."""
    counts = {name: row[name] for name in ("requests", "unpriced", "failed")}
    return Said(cost=row["cost_usd"], nano=row["cost_nanousd"], **counts)


def limit(row: Mapping[str, Any]) -> Said:
    return Said(nano=row["used_nanousd"], unpriced=row["unpriced"], ratio=row["fraction"], state=row["state"])


def _named(prefix: str, name: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Said]:
    return {f"{prefix} {row[name]}": sums(row) for row in rows}


def _whose(row: Mapping[str, Any]) -> str:
    return f"limit {row['entity'] or row['name']}"


async def http(world: World) -> dict[str, Said]:
    settings = settings_of()
    settings = settings.model_copy(update={"time": settings.time.model_copy(update={"zone": "UTC"})})
    async with listening(world.store, world.clock, FakeRecorder(), settings) as live:
        return {**await _json(live, world), **await _prometheus(live), **await _csv(live, world)}


async def _get(live: Live, target: str) -> Any:
    response = await live.client.get(target)
    assert response.status_code == 200, response.text
    return response.json()


async def _json(live: Live, world: World) -> dict[str, Said]:
    since = f"since={to_iso(world.midnight)}"
    summary = await _get(live, f"/spending/summary?{since}&by=model")
    listed = await _get(live, f"/requests?{since}&limit=1000")
    shade = await _get(live, f"/requests?{since}&limit=1000&token={SHADOW}")
    data = await _get(live, f"/data?{since}&limit=1000")
    assert data == listed
    assert len(listed["data"]) == listed["totals"]["requests"] + listed["totals"]["shadow"]
    models = (await _get(live, f"/models?{since}"))["data"]
    assert {row["model"]: row["cost_usd"] for row in summary["by_model"]} == {
        row["model"]: row["cost_usd"] for row in models
    }
    said = {
        "today": sums(summary),
        **_named("model", "key", summary["by"]),
        **_named("model", "model", summary["by_model"]),
        **_named("user", "user_id", summary["top_users"]),
        **_named("session", "session_id", (await _get(live, f"/sessions?{since}"))["data"]),
        "rows": Said(requests=len(listed["data"])),
        "rows shade": Said(requests=shade["totals"]["shadow"]),
        "listed shade": sums(shade["totals"]),
        "last hour": sums(await _get(live, "/spending/summary?hours=1")),
        **{_whose(row): limit(row) for row in (await _get(live, "/limits"))["data"]},
    }
    assert {name: said[name] for name in said if name.startswith("model")} == _named("model", "model", models)
    assert sums(listed["totals"]) == said["today"]
    for user in USERS:
        costs = await _get(live, f"/users/{user}/costs?days=1")
        assert costs["totalCostUSD"] == said[f"user {user}"].cost == costs["byDay"][0]["costUSD"]
    for session in SESSIONS:
        costs = await _get(live, f"/jobs/{session}/costs")
        assert sum(each["costUSD"] or 0 for each in costs["breakdown"]) == (costs["totalCostUSD"] or 0)
    for row in summary["limits"]:
        assert row["fraction"] == said[_whose(row)].ratio
    verdict = await _get(live, "/verdict?user=alice&model=gpt-4.1")
    assert verdict["verdict"] == "deny"
    (alert,) = [row for row in (await _get(live, "/alerts"))["data"] if row["limit"] == "gpt"]
    tokens = {row["token"]: row["requests"] for row in (await _get(live, "/ingest/tokens"))["data"]}
    return {
        **said,
        "alert said": Said(nano=alert["used_nanousd"], cost=alert["used_usd"], unpriced=alert["unpriced"]),
        "alert now": Said(nano=alert["used_now_nanousd"], cost=alert["used_now_usd"]),
        "token app": Said(requests=tokens[COUNTED]),
        "token shade": Said(requests=tokens[SHADOW]),
    }


async def _prometheus(live: Live) -> dict[str, Said]:
    exposed = (await live.client.get("/metrics", headers={"Accept": "text/plain"})).text
    samples = {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels, key=_LABELS.index))): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }
    said = {}
    for model in MODELS:
        kinds = (samples.get((f"spendtop_model_{kind}", model)) for kind in ("spend_today_usd", "requests_today"))
        cost, requests = kinds
        said[f"prometheus model {model}"] = Said(
            cost=cost,
            requests=requests,
            unpriced=samples["spendtop_model_unpriced_today", model],
            failed=samples["spendtop_model_failed_today", model],
        )
    for name, *labels in samples:
        if name == "spendtop_limit_used_ratio":
            whose = f"prometheus limit {labels[1] or labels[0]}"
            said[whose] = Said(ratio=samples[name, *labels], cost=samples["spendtop_limit_used_usd", *labels])
    return said


async def _csv(live: Live, world: World) -> dict[str, Said]:
    text = (await live.client.get(f"/export.csv?since={to_iso(world.midnight)}")).text
    return {"export rows": Said(requests=len(list(csv.DictReader(io.StringIO(text)))))}


async def views_for_sql(world: World) -> dict[str, Said]:
    columns = "sum(cost), count(*), sum(cost IS NULL OR partial)"
    midnight = to_iso(world.midnight)[:-4] + "Z"
    said = {}
    with world.store.reading() as connection:
        for view in ("requests", "llm_usage"):
            for group, prefix in (("'today'", ""), ("model", "model "), ("user_id", "user ")):
                rows = connection.execute(
                    sql(f"SELECT {group}, {columns} FROM {view} WHERE timestamp >= :since GROUP BY 1"),
                    {"since": midnight},
                )
                for key, cost, requests, unpriced in rows:
                    said[f"{view} {prefix}{key}"] = Said(cost=cost, requests=requests, unpriced=unpriced)
    return said


async def commands_in_json(world: World) -> dict[str, Said]:
    def run(*words: str) -> Any:
        said = world.cli(*words, "--json")
        assert not said.err
        return json.loads(said.out)

    await write_status(world)
    status = run("status")
    by = {name: run("spend", "--since", "today", "--by", name) for name in ("model", "user", "session", "token")}
    pairs = run("spend", "--since", "today", "--by", "model,user")
    assert {name: pairs[name] for name in ("cost_nanousd", "requests", "unpriced")} == {
        name: by["model"][name] for name in ("cost_nanousd", "requests", "unpriced")
    }
    rows = run("requests", "--since", "today", "--limit", "1000")["data"]
    exported = world.cli("export", "--since", "today", "--jsonl").out.splitlines()
    assert [json.loads(line) for line in exported] == rows
    (alert,) = [row for row in run("alert", "list")["data"] if row["limit"] == "gpt"]
    tokens = {row["token"]: row["requests"] for row in run("token", "list")["data"]}
    return {
        "today": sums(run("spend", "--since", "today")),
        "last hour": sums(run("spend", "--since", "1h")),
        **{
            f"{name} {row[name]}": sums(row)
            for name, answer in by.items()
            for row in answer["data"]
            if row[name] is not None
        },
        "status today": sums(status["today"]),
        "status last hour": sums(status["hour"]),
        **{
            f"status {_whose(row)}": Said(nano=row["used_nanousd"], unpriced=row["unpriced"], state=row["state"])
            for row in status["limits"]
        },
        **{_whose(row): limit(row) for row in run("limit", "list")["data"]},
        "rows": Said(requests=len(rows)),
        "rows shade": Said(requests=sum(row["token"] == SHADOW for row in rows)),
        "alert said": Said(nano=alert["used_nanousd"], unpriced=alert["unpriced"]),
        "alert now": Said(nano=alert["used_now_nanousd"]),
        "token shade": Said(requests=tokens[SHADOW]),
        "sum of rows": Said(nano=round(sum(row["cost_nanousd"] or 0 for row in rows if row["token"] != SHADOW))),
    }
