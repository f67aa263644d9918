"""The callback for LiteLLM's SDK: nothing is lost, nothing blocks, nothing leaks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spendtop.client.spool import SEGMENT_EVENTS
from tests.client.conftest import Server, serving
from tests.waiting import DEADLINE, eventually

if TYPE_CHECKING:
    from spendtop.client.litellm import SpendtopLogger

KEY = "secret-ingest-key-0123456789"
Make = Callable[..., "SpendtopLogger"]


@pytest.fixture
def make(litellm: Path, tmp_path: Path) -> Make:
    """Makes loggers that share a spool."""
    from spendtop.client.litellm import SpendtopLogger

    def made(url: str, **options: Any) -> SpendtopLogger:
        return SpendtopLogger(url, **{"key": KEY, "spool": tmp_path / "spool", **options})

    return made


def call(name: str, **fields: Any) -> dict[str, Any]:
    """What LiteLLM hands to a callback."""
    return {"standard_logging_object": {"id": name, "session_id": "", **fields}}


def log(logger: SpendtopLogger, *names: str, **fields: Any) -> None:
    for name in names:
        logger.log_success_event(call(name, **fields), None, None, None)


def nowhere() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def spooled(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "spool").rglob("*.jsonl"))


def test_events_are_sent_once(make: Make, server: Server, tmp_path: Path) -> None:
    logger = make(server.url)
    log(logger, "a", "b")
    logger.log_failure_event(call("c"), None, None, None)
    assert logger.flush(DEADLINE)
    assert server.taken == ["a", "b", "c"]
    assert spooled(tmp_path) == []
    assert {post.path for post in server.posts} == {"/litellm"}
    assert {post.headers["Authorization"] for post in server.posts} == {f"Bearer {KEY}"}


def test_events_are_sent_without_being_asked(make: Make, server: Server) -> None:
    logger = make(server.url)
    log(logger, "a")
    assert eventually(lambda: server.taken) == ["a"]


async def test_the_asynchronous_interface_reports_too(make: Make, server: Server) -> None:
    logger = make(server.url)
    await logger.async_log_success_event(call("a"), None, None, None)
    await logger.async_log_failure_event(call("b"), None, None, None)
    assert await asyncio.to_thread(logger.flush, DEADLINE)
    assert server.taken == ["a", "b"]


def test_nothing_is_lost_while_spendtop_is_away(make: Make) -> None:
    url = nowhere()
    logger = make(url)
    log(logger, "a")
    assert not logger.flush(0.2)
    log(logger, "b")
    with serving(int(url.rpartition(":")[2])) as server:
        assert logger.flush(DEADLINE)
        assert server.taken == ["a", "b"]
    assert logger.dropped == 0


def test_being_away_is_said_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    logger = make(nowhere())
    for name in "abc":
        log(logger, name)
        assert not logger.flush(0.1)
    eventually(lambda: caplog.records)
    assert not logger.flush(0.3)
    (record,) = caplog.records
    assert "kept and sent later" in record.message
    assert KEY not in caplog.text


SENDER = """
import sys
from spendtop.client.litellm import SpendtopLogger
logger = SpendtopLogger(sys.argv[1], "key-of-the-first", spool=sys.argv[2])
for name in ("a", "b", "c"):
    logger.log_success_event({"standard_logging_object": {"id": name}}, None, None, None)
print("logged", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_did_not_send_is_sent_by_the_next(make: Make, litellm: Path, tmp_path: Path) -> None:
    url = nowhere()
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, url, str(tmp_path / "spool")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(litellm)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"logged\n"
        process.send_signal(signal.SIGKILL)
    with serving(int(url.rpartition(":")[2])) as server:
        logger = make(url)
        log(logger, "d")
        assert logger.flush(DEADLINE)
        assert server.taken == ["a", "b", "c", "d"]


def test_what_was_not_sent_is_tried_at_the_end_of_the_process(litellm: Path, server: Server, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", SENDER, server.url, str(tmp_path / "spool")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        env={**os.environ, "PYTHONPATH": str(litellm)},
    )
    assert server.taken == ["a", "b", "c"]


def test_an_event_that_its_process_wrote_in_part_is_left_out(make: Make, server: Server, tmp_path: Path) -> None:
    logger = make(server.url)
    log(logger, "a")
    assert logger.flush(DEADLINE)
    (folder,) = (tmp_path / "spool").iterdir()
    (folder / "00000000000000000001-cut.jsonl").write_bytes(b'{"id":"b"}\n{"id":"c')
    log(logger, "d")
    assert logger.flush(DEADLINE)
    assert server.taken == ["a", "b", "d"]


def test_two_processes_share_a_spool(make: Make, litellm: Path, server: Server, tmp_path: Path) -> None:
    logger = make(server.url)
    others = [
        subprocess.Popen(
            [sys.executable, "-c", SENDER, server.url, str(tmp_path / "spool")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(litellm)},
        )
        for _ in range(2)
    ]
    log(logger, *map(str, range(2 * SEGMENT_EVENTS)))
    assert [other.wait(DEADLINE) for other in others] == [0, 0]
    assert logger.flush(DEADLINE)
    assert sorted(server.taken) == sorted([*map(str, range(2 * SEGMENT_EVENTS)), *"aabbcc"])


FORKER = """
import os, sys
from spendtop.client.litellm import SpendtopLogger
logger = SpendtopLogger(sys.argv[1], "key", spool=sys.argv[2])
logger.log_success_event({"standard_logging_object": {"id": "parent"}}, None, None, None)
child = os.fork()
if child == 0:
    logger.log_success_event({"standard_logging_object": {"id": "child"}}, None, None, None)
    os._exit(0 if logger.flush(120) else 1)
assert os.waitpid(child, 0)[1] == 0
assert logger.flush(120)
"""


def test_a_forked_child_reports_for_itself(litellm: Path, server: Server, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", FORKER, server.url, str(tmp_path / "spool")],
        check=True,
        env={**os.environ, "PYTHONPATH": str(litellm)},
    )
    assert sorted(server.taken) == ["child", "parent"]


def test_the_oldest_events_give_way_to_new_ones(
    make: Make, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda post: (503, {"Retry-After": "600"})
    most = 64 * 1024
    logger = make(server.url, most_bytes=most)
    log(logger, "first")
    eventually(lambda: caplog.records)
    for number in range(300):
        log(logger, f"{number}", messages="x" * 1000)
        assert sum(path.stat().st_size for path in spooled(tmp_path)) <= most
    kept = [json.loads(line)["id"] for path in spooled(tmp_path) for line in path.read_text().splitlines()]
    assert kept == [str(number) for number in range(300 - len(kept), 300)]
    assert len(kept) > 30
    assert logger.dropped == 301 - len(kept)
    assert [record.message for record in caplog.records if "full" in record.message] == [
        "the spool of spendtop is full; the oldest events are given up"
    ]


def test_an_event_larger_than_the_spool_is_counted_as_dropped(make: Make, server: Server) -> None:
    logger = make(server.url, most_bytes=64 * 1024)
    log(logger, "large", messages="x" * 70_000)
    log(logger, "small")
    assert logger.flush(DEADLINE)
    assert (server.taken, logger.dropped) == (["small"], 1)


def test_a_poisonous_event_does_not_block_the_others(make: Make, server: Server) -> None:
    server.answer = lambda post: (400 if b"poison" in post.raw else 200, {})
    logger = make(server.url)
    log(logger, "a", "b", "poison", "c", "d")
    assert logger.flush(DEADLINE)
    assert (server.taken, logger.dropped) == (["a", "b", "c", "d"], 1)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_for_good_is_not_repeated(make: Make, server: Server, status: int) -> None:
    server.answer = lambda post: (status, {})
    logger = make(server.url)
    log(logger, "a", "b")
    assert logger.flush(DEADLINE)
    alone = [post.events[0]["id"] for post in server.posts if len(post.events) == 1]
    assert (alone, logger.dropped) == (["a", "b"], 2)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 415, 429, 302, 500, 503, 507])
def test_what_can_be_mended_is_kept_and_sent_again(make: Make, server: Server, status: int) -> None:
    server.answer = lambda post: (status, {"Location": "/elsewhere"})
    logger = make(server.url)
    log(logger, "a")
    assert not logger.flush(0.2)
    server.answer = lambda post: (200, {})
    assert logger.flush(DEADLINE)
    assert (server.taken, logger.dropped) == (["a"], 0)
    assert {post.path for post in server.posts} == {"/litellm"}


def test_the_random_numbers_of_the_application_stay_its_own(make: Make, server: Server) -> None:
    server.answer = lambda post: (503, {})
    random.seed(7)
    before = random.getstate()
    logger = make(server.url)
    log(logger, "a")
    assert not logger.flush(0.2)
    assert random.getstate() == before


def test_retry_after_is_honoured_even_when_asked_to_send(make: Make, server: Server) -> None:
    server.answer = lambda post: (429, {"Retry-After": "600"})
    logger = make(server.url)
    log(logger, "a")
    eventually(lambda: server.posts)
    assert not logger.flush(0.2)
    log(logger, "b")
    assert not logger.flush(0.2)
    assert len(server.posts) == 1


def test_an_answer_that_is_not_spendtops_is_no_delivery(make: Make, tmp_path: Path, server: Server) -> None:
    logger = make(f"{server.url}/elsewhere")
    server.answer = lambda post: (204, {})
    log(logger, "a")
    assert not logger.flush(0.2)
    assert len(spooled(tmp_path)) == 1


def test_a_tracking_token_goes_along(make: Make, server: Server) -> None:
    logger = make(server.url, tracking_token="shop-1")
    log(logger, "a")
    assert logger.flush(DEADLINE)
    assert server.posts[0].headers["X-Tracking-Token"] == "shop-1"


def test_loggers_for_other_destinations_do_not_mix(make: Make, server: Server) -> None:
    away = make(nowhere())
    log(away, "a")
    logger = make(server.url)
    log(logger, "b")
    assert logger.flush(DEADLINE)
    assert server.taken == ["b"]


def test_the_spool_is_private_and_holds_no_key(make: Make, tmp_path: Path) -> None:
    logger = make(nowhere())
    log(logger, "a", messages="hello")
    (segment,) = spooled(tmp_path)
    assert (segment.stat().st_mode & 0o777, segment.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert KEY.encode() not in segment.read_bytes()
    assert KEY not in f"{logger!r} {vars(logger)!r}"


class Strange:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("kwargs", [{}, {"standard_logging_object": None}, {"standard_logging_object": "x"}, None, 5])
def test_a_callback_never_fails(make: Make, server: Server, kwargs: Any) -> None:
    logger = make(server.url)
    logger.log_success_event(kwargs, None, None, None)
    log(logger, "a")
    assert logger.flush(DEADLINE)
    assert server.taken == ["a"]


@pytest.mark.parametrize("bodies", [{"messages": float("nan")}, {"response": Strange()}, {"messages": {("a",): 1}}])
def test_an_event_is_rather_sent_without_bodies_than_not_at_all(make: Make, server: Server, bodies: Any) -> None:
    logger = make(server.url)
    log(logger, "a", response_cost=0.5, **bodies)
    assert logger.flush(DEADLINE)
    (event,) = server.posts[0].events
    assert (event["id"], event["response_cost"]) == ("a", 0.5)


def test_a_spool_that_is_taken_away_is_made_again(make: Make, server: Server, tmp_path: Path) -> None:
    logger = make(server.url)
    (folder,) = (tmp_path / "spool").iterdir()
    folder.rmdir()
    log(logger, "a")
    assert logger.flush(DEADLINE)
    assert server.taken == ["a"]


def test_an_event_that_cannot_be_kept_is_counted_and_told(
    make: Make, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = make(server.url)
    (folder,) = (tmp_path / "spool").iterdir()
    folder.rmdir()
    folder.touch()
    with caplog.at_level(logging.WARNING):
        log(logger, "a", "b")
    assert logger.dropped == 2
    assert [record.message for record in caplog.records if "could not be kept" in record.message] == [
        "an event for spendtop could not be kept (FileExistsError)"
    ]


@pytest.mark.parametrize(
    ("params", "session"),
    [
        ({"litellm_session_id": "chat-1", "metadata": {"session_id": "chat-2"}}, "chat-1"),
        ({"metadata": {"session_id": "chat-2"}}, "chat-2"),
        ({"metadata": None}, None),
        (None, None),
    ],
)
def test_a_session_that_the_application_names_goes_along(
    make: Make, server: Server, params: Any, session: str | None
) -> None:
    logger = make(server.url)
    logger.log_success_event({**call("a"), "litellm_params": params}, None, None, None)
    assert logger.flush(DEADLINE)
    assert server.posts[0].events[0]["session_id"] == session


def test_the_key_may_come_from_the_environment(
    make: Make, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPENDTOP_INGEST_KEY", "from-the-environment")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    logger = make(server.url, key=None, spool=None)
    log(logger, "a")
    assert list((tmp_path / "state" / "spendtop" / "litellm").iterdir())
    assert logger.flush(DEADLINE)
    assert server.posts[0].headers["Authorization"] == "Bearer from-the-environment"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"key": ""}, "SPENDTOP_INGEST_KEY"),
        ({"key": "a\nb"}, "key has to be plain"),
        ({"tracking_token": ""}, "tracking_token has to be plain"),
        ({"most_bytes": 10}, "most_bytes has to be"),
        ({"url": "ftp://x"}, "url has to be"),
        ({"url": "http://me:pass@x"}, "url has to be"),
    ],
)
def test_what_cannot_work_is_said_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], says: str
) -> None:
    monkeypatch.delenv("SPENDTOP_INGEST_KEY", raising=False)
    with pytest.raises(ValueError, match=says):
        make(**{"url": "http://127.0.0.1:1", **options})


def test_without_litellm_it_says_what_to_install(tmp_path: Path) -> None:
    hidden = (
        "import sys\nfrom importlib import util\nutil.find_spec = lambda name: None\nimport spendtop.client.litellm"
    )
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: spendtop.client.litellm needs LiteLLM. Install it with: pip install 'spendtop[litellm]'"
    )


def test_it_loads_nothing_but_the_standard_library_and_litellm(litellm: Path) -> None:
    program = "import sys, spendtop.client.litellm\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(litellm)},
    )
    loaded = set(done.stdout.split()) - sys.stdlib_module_names
    bare = subprocess.run(
        [sys.executable, "-c", "import sys\nprint(*{name.partition('.')[0] for name in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded - set(bare.stdout.split()) == {"litellm", "spendtop"}
