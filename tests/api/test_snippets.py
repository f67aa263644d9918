"""The ready snippets, pasted and run against a listener, with local stand-ins for the providers' packages."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from spendtop.services import tokens
from spendtop.services.snippets import snippets
from spendtop.store.engine import Store
from spendtop.store.reads.rows import RequestRow, from_row, selected
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.api.listening import Live, settings_of
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.waiting import DEADLINE

KEY = "an ingest key of the tests"
STAND_IN = """
class _Object:
    def __init__(self, **fields):
        self.__dict__.update(fields)

    def model_dump(self, mode):
        fields = vars(self).items()
        return {name: value.model_dump(mode) if isinstance(value, _Object) else value for name, value in fields}
"""
OPENAI = (
    STAND_IN
    + """
def _answer(model, messages):
    usage = _Object(
        prompt_tokens=1000, completion_tokens=100, total_tokens=1100, service_tier=None,
        prompt_tokens_details=_Object(cached_tokens=400, audio_tokens=0),
        completion_tokens_details=_Object(reasoning_tokens=20, audio_tokens=None),
    )
    choices = [_Object(message=_Object(content="hello"))]
    return _Object(id="chatcmpl-" + messages[0]["content"], _request_id=None, model=model, usage=usage, choices=choices)


class OpenAI:
    def __init__(self):
        self.chat = _Object(completions=_Object(create=_answer))


class AsyncOpenAI:
    def __init__(self):
        async def create(**call):
            return _answer(**call)

        self.chat = _Object(completions=_Object(create=create))
"""
)
ANTHROPIC = (
    STAND_IN
    + """
def _answer(model, max_tokens, messages):
    usage = _Object(
        input_tokens=10, output_tokens=5, cache_read_input_tokens=100, cache_creation_input_tokens=50,
        server_tool_use=None, service_tier="standard",
    )
    return _Object(id="msg_1", _request_id="req_1", model=model, usage=usage, content=[_Object(text="hello")])


class Anthropic:
    def __init__(self):
        self.messages = _Object(create=_answer)
"""
)
OTHER_CALLS = """
    assert asyncio.run(ask_openai_async("async")) == "hello"
    assert ask_anthropic("third") == "hello"
"""


@pytest.fixture
async def live(readable_store: Store, clock: SettableClock) -> AsyncIterator[Live]:
    with readable_store.writing() as connection:
        tokens.create(connection, "web", clock(), value="web-token")
    async with recording(readable_store, clock, settings_of({"ingest_keys": {"default": KEY}})) as (live, _):
        yield live


def url(live: Live) -> str:
    return f"http://127.0.0.1:{live.port}"


async def ran(*command: str, key: str = KEY, **environ: str) -> tuple[str, str]:
    """What a command wrote; it has to succeed."""
    variables = {"PATH": os.environ["PATH"], "SPENDTOP_INGEST_KEY": key, **environ}
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=variables
    )
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode(), err.decode()


async def ran_python(live: Live, folder: Path, key: str = KEY, port: int | None = None) -> tuple[str, str]:
    (folder / "openai.py").write_text(OPENAI)
    (folder / "anthropic.py").write_text(ANTHROPIC)
    script = folder / "application.py"
    address = url(live) if port is None else f"http://127.0.0.1:{port}"
    script.write_text(snippets("web-token", address)["python"] + OTHER_CALLS)
    return await ran(sys.executable, "-W", "error", str(script), key=key)


def stored(store: Store) -> list[RequestRow]:
    request = table_of(RequestTable)
    with store.reading() as connection:
        return [from_row(row) for row in connection.execute(select(*selected()).order_by(request.c.id))]


async def test_the_python_snippet_records_every_client(live: Live, readable_store: Store, tmp_path: Path) -> None:
    assert await ran_python(live, tmp_path) == ("hello\n", "")
    rows = {str(row.response_id): row for row in stored(readable_store)}
    assert set(rows) == {"chatcmpl-Say hello.", "chatcmpl-async", "msg_1"}
    for row in rows.values():
        assert (str(row.token), str(row.user_id), row.latency_ms is not None) == ("web-token", "alice", True)
    ours = rows["chatcmpl-async"]
    assert (str(ours.provider), ours.usage.prompt, ours.usage.cache_read, ours.usage.reasoning) == (
        "openai",
        1000,
        400,
        20,
    )
    theirs = rows["msg_1"]
    assert (str(theirs.provider), theirs.usage.prompt, theirs.usage.cache_write) == ("anthropic", 160, 50)
    assert theirs.external_ids == {"ingest": "req_1"}


@pytest.mark.parametrize("key", ["a wrong key", ""])
async def test_a_push_that_fails_only_warns(live: Live, readable_store: Store, tmp_path: Path, key: str) -> None:
    out, err = await ran_python(live, tmp_path, key=key)
    assert (out, err.count("usage was not recorded"), stored(readable_store)) == ("hello\n", 3, [])
    assert KEY not in err


async def test_without_a_collector_the_application_goes_on(live: Live, tmp_path: Path) -> None:
    out, err = await ran_python(live, tmp_path, port=1)
    assert (out, err.count("usage was not recorded")) == ("hello\n", 3)


async def test_the_curl_snippet_records(live: Live, readable_store: Store) -> None:
    out, err = await ran("sh", "-c", snippets("web-token", url(live))["curl"])
    assert ('"status":"stored"' in out, err) == (True, "")
    (row,) = stored(readable_store)
    assert (str(row.token), str(row.model), row.usage.prompt, row.usage.completion) == (
        "web-token",
        "gpt-4o-mini",
        1200,
        85,
    )
