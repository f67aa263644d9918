"""Two collectors on sockets: one reads a home and pushes, the other one records."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, select

from spendtop.collector.agents import push_loop, reading_loop
from spendtop.collector.agents.poster import PostFailed, posting
from spendtop.collector.agents.push_loop import PushLoop
from spendtop.collector.agents.reading_loop import ReadingLoop
from spendtop.collector.setup import CompanionContext
from spendtop.domain.clock import to_iso
from spendtop.services.agents import files as agent_files
from spendtop.services.agents import spool as agent_spool
from spendtop.store.engine import Store
from spendtop.store.reads.requests.detail import detail
from spendtop.store.reads.spending.sums import plan_spend
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.api.listening import settings_of
from tests.api.recorders import recording
from tests.collector.agents.test_reading_loop import calls, rooms_of
from tests.collector.conftest import Bench
from tests.conftest import SettableClock
from tests.sources.agents.homes import cases, lay_out
from tests.sources.agents.test_claude_code import line
from tests.sources.agents.test_talk import block, user, written
from tests.waiting import DEADLINE, soon

KEY = "an-ingest-key-that-is-long-enough"


@pytest.fixture
def there(empty_file: Path, tmp_path: Path) -> Store:
    """Where another collector records."""
    file = tmp_path / "there.db"
    shutil.copy(empty_file, file)
    return Store(f"sqlite:///{file}")


@asynccontextmanager
async def running(rooms: CompanionContext, home: Path) -> AsyncIterator[None]:
    """What reads and what pushes, until the end of the block."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for loop in (ReadingLoop(rooms, home, {}), PushLoop(rooms)):
            tasks.create_task(asyncio.wait_for(loop.run(stop), DEADLINE))
        try:
            yield
        finally:
            stop.set()


def recorded(store: Store) -> int:
    with store.reading() as connection:
        return plan_spend(connection, None, None).requests


async def test_a_second_machine_and_a_silent_collector_lose_nothing_and_count_nothing_twice(
    bench: Bench, there: Store, clock: SettableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (push_loop, reading_loop):
        monkeypatch.setattr(module, "_LOOK_EVERY", 0.05)
    home = lay_out("claude/streaming", tmp_path / "mira")
    known = len(cases()["claude/streaming"]["expected"]["records"])
    async with recording(there, clock, settings_of({"ingest_keys": {"laptop": KEY}})) as (live, _):
        address = f"http://127.0.0.1:{live.port}"
    bench.configure(f'[agents]\npush_to = "{address}"\npush_key = "{KEY}"\n')
    bench.start()
    async with running(rooms_of(bench), home):
        await soon(lambda: state(bench).problem != "" and calls(bench) == known)
    assert (state(bench).waiting, recorded(there)) == (known, 0)
    (file,) = home.rglob("*/projects/*/*.jsonl")
    async with recording(there, clock, settings_of({"ingest_keys": {"laptop": KEY}})) as (live, _):
        bench.configure(f'[agents]\npush_to = "http://127.0.0.1:{live.port}"\npush_key = "{KEY}"\n')
        bench.active.apply(bench.load())
        async with running(rooms_of(bench), home):
            await soon(lambda: recorded(there) == known)
            with file.open("a") as growing:
                growing.write(line(message_id="msg_new", model="unpriced") + "\n")
            await soon(lambda: recorded(there) == known + 1)
            await soon(lambda: state(bench).waiting == 0)
        assert (state(bench).sent, state(bench).problem) == (known + 1, "")
        monkeypatch.setattr(socket, "gethostname", lambda: "second")
        async with running(rooms_of(bench), Path(shutil.copytree(home, tmp_path / "copy"))):
            await soon(lambda: state(bench, "second").sent == known + 1)
    assert recorded(there) == known + 1
    with there.reading() as connection:
        (use,) = agent_files.pushed(connection, "nobody")
    assert (use.agent, use.calls) == ("claude-code", known + 1)


SECRET = "sk-ant-api03-0123456789abcdefghij"
SAYS = [
    user(f"My key is {SECRET}, name the birds."),
    block(36, {"type": "thinking", "thinking": "REASONED"}),
    block(37, {"type": "text", "text": f"Two larks know {SECRET}."}),
    user([{"type": "tool_result", "content": "GIVEN BACK"}]),
]


def bodies_in(store: Store) -> str:
    """All prompts and responses that are kept."""
    with store.reading() as connection:
        rows = connection.execute(select(table_of(RequestTable).c.id)).scalars().all()
        details = [detail(connection, each) for each in rows]
    return " ".join(str((each.request_body, each.response_body)) for each in details if each is not None)


@pytest.mark.parametrize(("sends", "keeps"), [(True, True), (True, False), (False, True)])
async def test_texts_leave_only_with_the_switch_masked_and_are_kept_only_where_that_is_wanted(
    sends: bool,
    keeps: bool,
    bench: Bench,
    there: Store,
    clock: SettableClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (push_loop, reading_loop):
        monkeypatch.setattr(module, "_LOOK_EVERY", 0.05)
    file = tmp_path / "mira" / ".claude" / "projects" / "p" / "s.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(written(SAYS))
    spooled: list[bytes] = []
    append = agent_spool.append

    def noted(connection: Connection, host: str, items: Sequence[bytes]) -> None:
        spooled.extend(items)
        append(connection, host, items)

    monkeypatch.setattr(agent_spool, "append", noted)
    settings = settings_of({"ingest_keys": {"laptop": KEY}}, agents={"bodies": keeps})
    async with recording(there, clock, settings) as (live, _):
        address = f"http://127.0.0.1:{live.port}"
        bench.configure(f'[agents]\nbodies = {str(sends).lower()}\npush_to = "{address}"\npush_key = "{KEY}"\n')
        bench.start()
        async with running(rooms_of(bench), tmp_path / "mira"):
            await soon(lambda: recorded(there) == 1)
        remarks = [each.name for told in live.context.counters.take_remarks().values() for each in told]
    left = b" ".join(spooled).decode()
    assert ("larks" in left, "birds" in left) == (sends, sends)
    assert ("larks" in bodies_in(there), "birds" in bodies_in(there)) == (sends and keeps, sends and keeps)
    assert ("larks" in bodies_in(bench.store)) == sends
    for text in (left, bodies_in(there), bodies_in(bench.store)):
        assert not any(word in text for word in (SECRET, "REASONED", "GIVEN BACK"))
    assert ("[redacted sk-ant-" in left) == sends
    assert remarks == ["texts of claude-code"] * (sends and not keeps)


@pytest.mark.parametrize(
    "switched_off", ["[agents]\nbodies = false\n", '[privacy]\nbodies = "none"\n[agents]\nbodies = true\n']
)
async def test_texts_that_wait_do_not_leave_once_either_switch_is_off(
    switched_off: str,
    bench: Bench,
    there: Store,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(push_loop, "_LOOK_EVERY", 0.05)
    call = {"agent": "codex", "key": "k", "time": to_iso(clock()), "host": "box", "path": "/" * 5_000}
    item = msgspec.json.encode({**call, "request_body": {"messages": [{"role": "user", "content": "larks"}]}})
    settings = settings_of({"ingest_keys": {"laptop": KEY}}, agents={"bodies": True})
    async with recording(there, clock, settings) as (live, _):
        address = f"http://127.0.0.1:{live.port}"
        bench.configure(f'{switched_off}push_to = "{address}"\npush_key = "{KEY}"\n')
        bench.start()
        with bench.store.writing() as connection:
            agent_spool.begin(connection, socket.gethostname(), address)
            short = msgspec.json.encode({**msgspec.json.decode(item), "key": "short", "path": "/"})
            agent_spool.append(connection, socket.gethostname(), [item, short])
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as running_loop:
            running_loop.create_task(asyncio.wait_for(PushLoop(rooms_of(bench)).run(stop), DEADLINE))
            await soon(lambda: state(bench).waiting == 0 and state(bench).sent == 1)
            stop.set()
    assert (recorded(there), state(bench).refused) == (1, 1)
    assert "larks" not in bodies_in(there)


def state(bench: Bench, host: str | None = None) -> agent_spool.PushState:
    with bench.store.reading() as connection:
        return agent_spool.state(connection, host or socket.gethostname())


async def test_what_an_answer_means(there: Store, clock: SettableClock) -> None:
    item = b'{"agent":"codex","key":"k","time":"2026-11-03T09:11:07Z","host":"box"}'
    async with recording(there, clock, settings_of({"ingest_keys": {"laptop": KEY}})) as (live, _):
        url = f"http://127.0.0.1:{live.port}"
        async with posting(url, KEY) as poster:
            first = await poster.post([item, b'{"agent":"codex"}'])  # type: ignore[list-item]
            again = await poster.post([item])  # type: ignore[list-item]
        assert (first.new, first.refused, again.known) == (1, 1, 1)
        async with posting(url, "another-key-that-is-long-enough") as poster:
            with pytest.raises(PostFailed, match="refuses the key") as refused:
                await poster.post([item])  # type: ignore[list-item]
        assert not refused.value.is_passing
        assert KEY not in str(refused.value)
        async with posting(f"{url}/elsewhere", KEY) as poster:
            with pytest.raises(PostFailed, match="check the address"):
                await poster.post([item])  # type: ignore[list-item]
        assert (await live.client.post("/agents", content=b"[]")).status_code == 401
        assert (await live.client.get("/openapi.json")).json()["paths"]["/agents"]["post"]["security"]
