"""The ready snippets, pasted and run against a listener, with the providers' packages and a local server for these."""

from __future__ import annotations

import ast
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from spendtop.domain.requests.request import BodyState, Status
from spendtop.services import tokens
from spendtop.services.snippets import client, snippets
from spendtop.store.engine import Store
from spendtop.store.reads.rows import RequestRow, from_row, selected
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests import fake_llm
from tests.api.listening import Live, settings_of
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.waiting import DEADLINE

KEY = "an ingest key of the tests"
OTHER_CALLS = """
    import asyncio

    assert asyncio.run(ask_openai_async("async")) == "hello"
    assert "".join(stream_openai("stream")) == "hello"
    assert next(stream_openai("left")) == "hel"
    assert embed_openai("a text") == [0.5, 0.25]
    assert asyncio.run(ask_anthropic_async("async")) == "hello"
    assert "".join(stream_anthropic("stream")) == "hello"
    try:
        ask_openai("fail")
    except Exception as failure:
        assert failure.status_code == 400
    else:
        raise AssertionError
    spendtop.prompts = True
    ask_openai("with its prompt")
"""
ONLY_THE_CLIENT = """
    with spendtop.call("openai", {"model": "a-model"}) as call:
        call.answered(type("Answer", (), {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}))
    print("went on")
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


async def ran_python(live: Live, folder: Path, calls: str, key: str = KEY, port: int | None = None) -> tuple[str, str]:
    """The Python snippet with further calls, where the providers' packages ask a server of this machine."""
    script = folder / "application.py"
    address = url(live) if port is None else f"http://127.0.0.1:{port}"
    script.write_text(snippets("web-token", address)["python"] + calls)
    with fake_llm.answering() as variables:
        return await ran(sys.executable, str(script), key=key, **(variables if calls is OTHER_CALLS else {}))


def stored(store: Store) -> list[RequestRow]:
    request = table_of(RequestTable)
    with store.reading() as connection:
        return [from_row(row) for row in connection.execute(select(*selected()).order_by(request.c.id))]


async def test_the_python_snippet_records_every_kind_of_call(live: Live, readable_store: Store, tmp_path: Path) -> None:
    assert await ran_python(live, tmp_path, OTHER_CALLS) == ("hello\nhello\n", "")
    rows = stored(readable_store)
    assert {(str(row.token), str(row.user_id), row.latency_ms is not None) for row in rows} == {
        ("web-token", "alice", True)
    }
    found = {str(row.response_id): row for row in rows}
    openai, anthropic = ("Say hello.", "async", "stream", "with its prompt"), ("Say hello.", "async", "stream")
    for name in openai:
        row = found[f"chatcmpl-{name}"]
        assert (str(row.provider), row.status, row.usage.prompt) == ("openai", Status.OK, 1000), name
        assert (row.usage.cache_read, row.usage.reasoning, row.usage.completion) == (400, 20, 100), name
    for name in anthropic:
        row = found[f"msg_{name}"]
        assert (str(row.provider), row.usage.prompt, row.usage.cache_write, row.usage.completion) == (
            "anthropic",
            160,
            50,
            5,
        ), name
    assert found["chatcmpl-left"].status is Status.CANCELLED and found["chatcmpl-left"].usage.total is None
    (embedded,) = [row for row in rows if str(row.model) == "text-embedding-3-small"]
    assert (embedded.usage.prompt, embedded.usage.completion) == (8, 0)
    (failed,) = [row for row in rows if row.status is Status.ERROR]
    assert (str(failed.model), failed.usage.total) == ("gpt-4o-mini", None)
    kept = {str(row.response_id) for row in rows if row.body_state is BodyState.STORED}
    assert kept == {"chatcmpl-with its prompt"}
    assert len(rows) == 10


@pytest.mark.parametrize(("key", "port"), [("a wrong key", None), ("", None), (KEY, 1)])
async def test_a_push_that_fails_only_warns(
    live: Live, readable_store: Store, tmp_path: Path, key: str, port: int | None
) -> None:
    out, err = await ran_python(live, tmp_path, ONLY_THE_CLIENT, key, port)
    assert (out, err.count("usage was not recorded"), stored(readable_store)) == ("went on\n", 1, [])
    assert KEY not in err


def test_the_client_alone_is_a_whole_module(tmp_path: Path) -> None:
    file = tmp_path / "spendtop_client.py"
    file.write_text(client())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(client()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([each.name for each in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }
    assert imported <= sys.stdlib_module_names


async def test_the_curl_snippet_records(live: Live, readable_store: Store) -> None:
    out, err = await ran("sh", "-c", snippets("web-token", url(live))["curl"])
    assert ('"status":"stored"' in out, err) == (True, "")
    (row,) = stored(readable_store)
    assert (str(row.token), str(row.model), row.usage.prompt, row.usage.completion) == (
        "web-token",
        "your-model",
        1200,
        85,
    )
