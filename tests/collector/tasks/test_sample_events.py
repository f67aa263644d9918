"""The task that sends ourselves an event by the way of a source, over a real socket."""

from __future__ import annotations

import pytest

from spendtop.collector.tasks.sample_events import SampleEvents
from spendtop.domain.errors import SpendtopError
from spendtop.services import tokens
from spendtop.services.tasks import TaskKind
from tests.api.listening import listening
from tests.collector.conftest import Bench
from tests.collector.tasks.test_slow_tasks import SlowOffice

KEYS = """
[helicone]
webhook_secrets = ["a-secret-of-webhooks"]
[server.ingest_keys]
app = "a-key-of-an-app"
"""


async def test_each_way_takes_a_request_that_is_found_again_by_its_mark(bench: Bench) -> None:
    bench.file.write_text(KEYS)
    desk = SlowOffice(bench)
    settings = bench.active.settings
    with bench.store.writing() as connection:
        made = tokens.create(connection, "web", bench.clock())
    async with listening(bench.store, bench.clock, bench.recorder, settings) as live:
        sample = SampleEvents(f"http://127.0.0.1:{live.port}", lambda: settings, bench.clock)
        webhook = await sample.send(desk.task(TaskKind.SAMPLE_EVENT))
        assert webhook == "/webhook took a test request: HTTP 200. It counts until `spendtop send-test --remove`."
        push = await sample.send(desk.task(TaskKind.SAMPLE_EVENT, token=made.token))
        assert push.startswith("/ingest took a test request: HTTP 20")
        with pytest.raises(SpendtopError, match="/ingest refused a test request: HTTP 4"):
            await sample.send(desk.task(TaskKind.SAMPLE_EVENT, token="unheard-of"))
    stored = bench.rows("SELECT source, token FROM request ORDER BY source, token IS NOT NULL")
    assert [tuple(row) for row in stored] == [("helicone", None), ("ingest", made.token)]


async def test_a_door_that_is_closed_says_what_to_set(bench: Bench) -> None:
    bench.file.write_text("")
    desk = SlowOffice(bench)
    sample = SampleEvents("http://127.0.0.1:1", lambda: bench.active.settings, bench.clock)
    with pytest.raises(SpendtopError, match="webhook_secrets"):
        await sample.send(desk.task(TaskKind.SAMPLE_EVENT))
    with pytest.raises(SpendtopError, match="ingest_keys"):
        await sample.send(desk.task(TaskKind.SAMPLE_EVENT, token="web"))
    bench.file.write_text(KEYS)
    sample = SampleEvents("http://127.0.0.1:1", lambda: bench.load().settings, bench.clock)
    with pytest.raises(SpendtopError, match=r"http://127\.0\.0\.1:1 did not answer"):
        await sample.send(desk.task(TaskKind.SAMPLE_EVENT))
