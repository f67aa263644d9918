"""Senders that are refused for who they are, told where people look: health, the file beside the store, check, log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spendtop.services.stores.presence import running_collector
from tests.e2e.processes import LISTENER, collecting, save, spendtop, webhook
from tests.e2e.pushing import ADMIN, ITEM, KEYED, RECEIVER, receiving
from tests.waiting import eventually

WORDS = "5 webhooks refused: the signature does not match"
MISTYPED = LISTENER.replace('webhook_secrets = ["', 'webhook_secrets = ["mistyped-')
DATABASE = '[database]\nurl = "sqlite:///{}/spendtop.db"\n'


def amiss(folder: Path) -> list[str]:
    """What the collector says of itself beside the store."""
    running = running_collector(folder / "spendtop.db.collector.json")
    assert running is not None
    return [condition.sentence for condition in running.conditions]


def test_a_mistyped_secret_is_seen_everywhere_until_it_is_mended(tmp_path: Path) -> None:
    with collecting(tmp_path, MISTYPED) as collector:
        for number in range(5):
            assert collector.post(webhook(f"r-{number}")).status_code == 401
        (sentence,) = eventually(lambda: amiss(tmp_path))
        assert sentence.startswith(WORDS)
        assert collector.health()["status"] == "degraded"
        checked = spendtop(tmp_path, "check", "--config", tmp_path / "spendtop.toml")
        (line,) = [line for line in checked.out.splitlines() if WORDS in line]
        assert "warning" in line
        assert checked.code == 0
        save(tmp_path / "spendtop.toml", LISTENER + DATABASE.format(tmp_path))
        eventually(lambda: collector.post(webhook("good")).status_code == 200)
        eventually(lambda: not amiss(tmp_path))
        assert collector.health()["status"] == "healthy"
        ended = collector.end()
    assert WORDS in ended.err
    assert ended.err.count("webhooks refused") <= 3  # when it began, and what was refused since, at most once a minute


def test_a_token_that_is_off_is_named_and_never_its_text(tmp_path: Path) -> None:
    with receiving(tmp_path, RECEIVER) as collector:
        named = collector.client.post("/ingest/tokens", json={"name": "Batch job"}, headers=ADMIN)
        made: dict[str, Any] = named.json()
        collector.client.patch(f"/ingest/tokens/{made['id']}/active", json={"active": False}, headers=ADMIN)
        for _ in range(2):
            answer = collector.client.post("/ingest", json={**ITEM, "tracking_token": made["token"]}, headers=KEYED)
            assert answer.status_code == 403
        (sentence,) = eventually(lambda: amiss(tmp_path))
        assert sentence.startswith("2 pushes to /ingest refused: the tracking token Batch job is switched off")
        ended = collector.end()
    assert made["token"] not in ended.err + sentence
