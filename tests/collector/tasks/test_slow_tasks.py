"""What faces ask of pollers: a poll now, a span to fill, a body to fetch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from spendtop.api.recent_posts import RecentPosts
from spendtop.collector.polling.poll_supervisor import PollSupervisor
from spendtop.collector.tasks.kinds import all_slow_tasks
from spendtop.collector.tasks.slow_tasks import SlowTasks
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import SpendtopError
from spendtop.domain.money import Usd
from spendtop.domain.sources.records import LITELLM
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.reads.requests.detail import detail
from tests.collector.conftest import Bench
from tests.collector.polling.test_poll_supervisor import openai, with_api
from tests.collector.polling_bench import Polling
from tests.collector.tasks.test_task_runner import Office
from tests.sources.pollers.fake_helicone import QUERY, FakeHelicone
from tests.sources.pollers.fake_openai import FakeOpenAI, a_month
from tests.sources.pollers.fake_provider import bad_key
from tests.waiting import DEADLINE, soon


@pytest.fixture
def fake(bench: Bench) -> Iterator[FakeHelicone]:
    with FakeHelicone(clock=bench.clock).running() as running:
        yield running


class SlowOffice:
    """Slow tasks on a bench."""

    def __init__(self, bench: Bench) -> None:
        bench.start()
        self.bench = bench
        context = Polling(bench).context
        self.pollers = PollSupervisor(context, lambda: bench.active.settings, lambda: True)
        self.slow = SlowTasks(context, self.pollers, lambda: bench.active.settings)

    def task(self, kind: TaskKind, **arguments: object) -> Task:
        with self.bench.store.writing() as connection:
            tasks.ask(connection, kind, arguments, self.bench.clock())
            claimed = tasks.claim(connection, self.bench.clock())
        assert claimed is not None
        return claimed

    def look(self, task: Task) -> Task:
        with self.bench.store.reading() as connection:
            found = tasks.look(connection, task.id)
        assert found is not None
        return found

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
            group.create_task(self.pollers.run(stop))
            await soon(self.pollers.running)
            yield
            stop.set()


async def test_a_poll_that_is_asked_for_is_waited_for(bench: Bench) -> None:
    with FakeOpenAI(a_month()) as bills:
        bench.configure(openai(bills))
        desk = SlowOffice(bench)
        async with desk.polling():
            await soon(lambda: bench.rows("SELECT 1 FROM checkpoint WHERE poller = 'openai-costs'"))
            before = [each.path for each in bills.asked]
            assert (
                await desk.slow.poll_now(desk.task(TaskKind.POLL_NOW, poller="openai-costs")) == "Polled: openai-costs."
            )
            asked = [each.path for each in bills.asked]
            assert [path for path in asked[len(before) :] if path.endswith("/costs")]


async def test_a_poll_that_fails_says_why(bench: Bench) -> None:
    with FakeOpenAI() as bills:
        bills.always = bad_key
        bench.configure(openai(bills))
        desk = SlowOffice(bench)
        async with desk.polling():
            with pytest.raises(SpendtopError, match="OpenAI refused the key"):
                await desk.slow.poll_now(desk.task(TaskKind.POLL_NOW, poller="openai-costs"))


async def test_what_is_not_polled_cannot_be_polled_now(bench: Bench) -> None:
    desk = SlowOffice(bench)
    with pytest.raises(SpendtopError, match="`spendtop check` names what is"):
        await desk.slow.poll_now(desk.task(TaskKind.POLL_NOW, poller="helicone-api"))


async def test_a_span_is_filled_with_its_progress_in_the_row(bench: Bench, fake: FakeHelicone) -> None:
    now = bench.clock()
    inside = fake.add_many([now - 10 * DAY + number * MINUTE for number in range(600)])
    fake.add_many([now - 20 * DAY, now - HOUR])
    with_api(bench, fake)
    desk = SlowOffice(bench)
    task = desk.task(TaskKind.BACKFILL, since=now - 11 * DAY, until=now - 9 * DAY)
    assert await desk.slow.backfill(task) == "600 requests were missing there and came in now."
    assert bench.rows("SELECT count(*) FROM request") == [(len(inside),)]
    assert desk.look(task).progress == "100%, 600 new requests"


async def test_a_fill_that_was_interrupted_goes_on_where_it_was(bench: Bench, fake: FakeHelicone) -> None:
    now = bench.clock()
    fake.add_many([now - 10 * DAY + number * MINUTE for number in range(600)])
    with_api(bench, fake)
    desk = SlowOffice(bench)
    task = desk.task(TaskKind.BACKFILL, since=now - 11 * DAY, until=now - 9 * DAY)
    fake.fail(QUERY, 400, {"error": "no"}, skip=2)
    with pytest.raises(SpendtopError):
        await desk.slow.backfill(task)
    (known,) = bench.rows("SELECT count(*) FROM request")[0]
    assert 0 < known < 600
    assert await desk.slow.backfill(desk.look(task)) == "600 requests were missing there and came in now."
    assert bench.rows("SELECT count(*) FROM request") == [(600,)]


async def stop_after_one_page(desk: SlowOffice, since: int, until: int) -> None:
    """A fill that somebody stops before its first page is there."""
    task = desk.task(TaskKind.BACKFILL, since=since, until=until)
    with desk.bench.store.writing() as connection:
        tasks.stop(connection, task.id, desk.bench.clock())
    with pytest.raises(tasks.Stopped, match=r"Stopped at \d+%, .* new requests\. Asked for again, it goes on there\."):
        await desk.slow.backfill(task)
    with desk.bench.store.writing() as connection:
        tasks.finish(connection, task.id, TaskState.STOPPED, "", desk.bench.clock())


@pytest.mark.parametrize("later", [0, HOUR])
async def test_a_fill_that_was_stopped_goes_on_there_when_it_is_asked_for_again(
    bench: Bench, fake: FakeHelicone, later: int
) -> None:
    now = bench.clock()
    fake.add_many([now - 10 * DAY + number * MINUTE for number in range(1500)])
    with_api(bench, fake)
    desk = SlowOffice(bench)
    await stop_after_one_page(desk, now - 10 * DAY, now - 8 * DAY)
    (known,) = bench.rows("SELECT count(*) FROM request")[0]
    assert 0 < known < 1500
    again = desk.task(TaskKind.BACKFILL, since=now - 10 * DAY + later, until=now - 8 * DAY + later)
    assert await desk.slow.backfill(again) == "1,500 requests were missing there and came in now."
    assert bench.rows("SELECT count(*) FROM request") == [(1500,)]


async def test_another_span_begins_anew_after_a_stop(bench: Bench, fake: FakeHelicone) -> None:
    now = bench.clock()
    fake.add_many([now - 10 * DAY + number * MINUTE for number in range(1500)])
    fake.add_many([now - 20 * DAY])
    with_api(bench, fake)
    desk = SlowOffice(bench)
    await stop_after_one_page(desk, now - 11 * DAY, now - 8 * DAY)
    other = desk.task(TaskKind.BACKFILL, since=now - 21 * DAY, until=now - 19 * DAY)
    assert await desk.slow.backfill(other) == "1 request was missing there and came in now."


async def test_a_poll_says_how_far_it_is_complete_and_what_had_been_missed(bench: Bench, fake: FakeHelicone) -> None:
    with_api(bench, fake)
    desk = SlowOffice(bench)
    async with desk.polling():
        await soon(lambda: bench.rows("SELECT count(*) FROM checkpoint WHERE succeeded_at > 0") == [(1,)])
        fake.add_many([bench.clock() + MINUTE] * 3)
        bench.clock.advance(HOUR)
        said = await desk.slow.poll_now(desk.task(TaskKind.POLL_NOW))
    assert said.startswith("Polled: helicone-api (complete until 20")
    assert ", 3 that were missed before ($" in said


async def test_a_fill_needs_a_key_and_a_span(bench: Bench, fake: FakeHelicone) -> None:
    desk = SlowOffice(bench)
    with pytest.raises(SpendtopError, match="api_key under"):
        await desk.slow.backfill(desk.task(TaskKind.BACKFILL, since=1, until=2))
    with_api(bench, fake)
    bench.active.apply(bench.load())
    with pytest.raises(SpendtopError, match="ends before it begins"):
        await desk.slow.backfill(desk.task(TaskKind.BACKFILL, since=2, until=2))


async def test_prompt_and_response_are_fetched_and_stored_redacted(bench: Bench, fake: FakeHelicone) -> None:
    secret = "sk-proj-" + "a1B2" * 10
    row = fake.add(
        bench.clock() - HOUR,
        request_body={"messages": [{"role": "user", "content": f"my key is {secret}"}]},
        response_body={"choices": [{"message": {"content": "yes"}}]},
    )
    with_api(bench, fake)
    desk = SlowOffice(bench)
    (recorded,) = bench.record(bench.request(external_id=row["request_id"]))
    assert await desk.slow.fetch_body(desk.task(TaskKind.FETCH_BODY, id=str(recorded.id))) == (
        "Prompt and response are stored now."
    )
    with bench.store.reading() as connection:
        found = detail(connection, recorded.id)
    assert found is not None and found.request_body is not None and found.response_body is not None
    assert b"my key is" in found.request_body and secret.encode() not in found.request_body
    assert (found.row.cost.amount, found.row.verified) == (Usd.of("0.1"), False)  # an old answer corrects nothing
    assert await desk.slow.fetch_body(desk.task(TaskKind.FETCH_BODY, id=str(recorded.id))) == (
        "Prompt and response are stored already."
    )


@pytest.mark.parametrize(("more", "said"), [("", "does not have"), ('[privacy]\nbodies = "none"\n', "keeps neither")])
async def test_a_body_that_cannot_be_had_is_a_sentence(bench: Bench, fake: FakeHelicone, more: str, said: str) -> None:
    with_api(bench, fake, more)
    desk = SlowOffice(bench)
    (recorded,) = bench.record(bench.request(external_id="gone"))
    with pytest.raises(SpendtopError, match=said):
        await desk.slow.fetch_body(desk.task(TaskKind.FETCH_BODY, id=str(recorded.id)))


async def test_only_what_went_through_helicone_is_asked_for_there(bench: Bench, fake: FakeHelicone) -> None:
    with_api(bench, fake)
    desk = SlowOffice(bench)
    (recorded,) = bench.record(bench.request(source=LITELLM))
    with pytest.raises(SpendtopError, match="went through Helicone"):
        await desk.slow.fetch_body(desk.task(TaskKind.FETCH_BODY, id=str(recorded.id)))


def of_session(fake: FakeHelicone, at: int, session: str = "job", **fields: Any) -> str:
    properties = {"Helicone-Session-Id": session}
    return str(fake.add(at, properties=properties, request_properties=properties, **fields)["request_id"])


async def test_a_session_is_read_whole_and_nothing_else(bench: Bench, fake: FakeHelicone) -> None:
    now = bench.clock()
    wanted = {of_session(fake, now - number * MINUTE) for number in range(600)}
    of_session(fake, now - MINUTE, "another")
    fake.add(now - MINUTE)
    with_api(bench, fake)
    desk = SlowOffice(bench)
    said = await desk.slow.fetch_session(desk.task(TaskKind.FETCH_SESSION, session="job"))
    assert said == "Helicone has 600 of its requests, and 600 came in now."
    assert bench.rows("SELECT session_id, count(*) FROM request GROUP BY session_id") == [("job", len(wanted))]
    said = await desk.slow.fetch_session(desk.task(TaskKind.FETCH_SESSION, session="job"))
    assert said == "Helicone has 600 of its requests, and 0 came in now."


@pytest.mark.parametrize("session", ["none", "null", "__empty__"])
async def test_an_unknown_session_brings_nothing(bench: Bench, fake: FakeHelicone, session: str) -> None:
    fake.add(bench.clock() - MINUTE)
    with_api(bench, fake)
    desk = SlowOffice(bench)
    said = await desk.slow.fetch_session(desk.task(TaskKind.FETCH_SESSION, session=session))
    assert said == "Helicone has 0 of its requests, and 0 came in now."


async def test_large_rows_are_asked_for_in_smaller_pages(
    bench: Bench, fake: FakeHelicone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        of_session(fake, bench.clock() - number * MINUTE, request_body={"prompt": "x" * 2_000_000})
    with_api(bench, fake, '[privacy]\nbodies = "none"\n')
    desk = SlowOffice(bench)
    await desk.slow.fetch_session(desk.task(TaskKind.FETCH_SESSION, session="job"))
    assert bench.rows("SELECT count(*) FROM request") == [(20,)]


async def test_a_session_that_was_asked_for_may_be_stopped(bench: Bench, fake: FakeHelicone) -> None:
    for number in range(600):
        of_session(fake, bench.clock() - number * MINUTE)
    with_api(bench, fake)
    desk = SlowOffice(bench)
    task = desk.task(TaskKind.FETCH_SESSION, session="job")
    with bench.store.writing() as connection:
        tasks.stop(connection, task.id, bench.clock())
    with pytest.raises(tasks.Stopped, match="Stopped after 250 requests"):
        await desk.slow.fetch_session(task)


async def test_the_bodies_of_a_session_come_with_it_or_one_by_one(bench: Bench, fake: FakeHelicone) -> None:
    chat: dict[str, Any] = {"request_body": {"messages": []}, "response_body": {"choices": []}}
    known = str(fake.add(bench.clock() - HOUR, **chat)["request_id"])  # of the session only by what the store knows
    of_session(fake, bench.clock() - HOUR, **chat)
    with_api(bench, fake)
    desk = SlowOffice(bench)
    bench.record(
        bench.request(external_id=known, session_id="job"),
        bench.request(external_id="gone", session_id="job"),
        bench.request(external_id="pushed", session_id="job", source=LITELLM),
    )
    task = desk.task(TaskKind.FETCH_BODIES, session="job")
    assert await desk.slow.fetch_bodies(task) == (
        "Helicone has 1 of its requests, and 1 came in now. Prompt and response of 1 request are stored now. "
        "1 not: Helicone does not have its prompt and response (any more). "
        "1 not: Only requests that went through Helicone can be asked for there."
    )
    assert bench.rows("SELECT count(*) FROM request WHERE body_state = 'stored'") == [(2,)]
    progress = desk.look(task).progress
    assert progress == "2 of 3 asked for"


async def test_a_session_comes_also_where_bodies_are_not_kept(bench: Bench, fake: FakeHelicone) -> None:
    of_session(fake, bench.clock() - HOUR)
    with_api(bench, fake, '[privacy]\nbodies = "none"\n')
    desk = SlowOffice(bench)
    said = await desk.slow.fetch_bodies(desk.task(TaskKind.FETCH_BODIES, session="job"))
    assert said.startswith("Helicone has 1 of its requests, and 1 came in now. [privacy] bodies keeps neither")
    with pytest.raises(SpendtopError, match="keeps neither"):
        await desk.slow.fetch_bodies(desk.task(TaskKind.FETCH_BODIES, ids=["1"]))


async def test_bodies_of_chosen_requests_are_fetched_and_those_that_are_there_are_not(
    bench: Bench, fake: FakeHelicone
) -> None:
    chat: dict[str, Any] = {"request_body": {"messages": []}, "response_body": {"choices": []}}
    ids = [str(fake.add(bench.clock() - HOUR, **chat)["request_id"]) for _ in range(3)]
    with_api(bench, fake)
    desk = SlowOffice(bench)
    recorded = bench.record(*(bench.request(external_id=each) for each in ids))
    chosen = [str(each.id) for each in recorded[:2]] + ["17"]
    said = await desk.slow.fetch_bodies(desk.task(TaskKind.FETCH_BODIES, ids=chosen))
    assert said == "Prompts and responses of 2 requests are stored now."
    asked = len(fake.asked)
    said = await desk.slow.fetch_bodies(desk.task(TaskKind.FETCH_BODIES, ids=chosen))
    assert (said, len(fake.asked)) == ("No prompts and responses came in.", asked)


async def test_an_unknown_request_has_no_body(bench: Bench) -> None:
    desk = SlowOffice(bench)
    with pytest.raises(SpendtopError, match="no such request"):
        await desk.slow.fetch_body(desk.task(TaskKind.FETCH_BODY, id="17"))


def test_every_kind_of_task_can_be_asked(bench: Bench) -> None:
    office, context = Office(bench), Polling(bench).context
    pollers = PollSupervisor(context, lambda: bench.active.settings, lambda: True)
    slow = all_slow_tasks(context, pollers, lambda: bench.active.settings, "http://127.0.0.1:1", RecentPosts())
    assert {*office.runner._quick, *slow} == set(TaskKind)
