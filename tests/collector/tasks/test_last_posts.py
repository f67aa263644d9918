"""The task that tells what was posted last, over a real socket."""

from __future__ import annotations

import json

import httpx
import msgspec
import pytest

from spendtop.collector.tasks.last_posts import LastPosts
from spendtop.domain.bodies.outlines import PostBody, PostOutline
from spendtop.domain.errors import SpendtopError
from spendtop.services import tokens
from spendtop.services.tasks import TaskKind
from tests.api.listening import Live, listening
from tests.collector.conftest import Bench
from tests.collector.tasks.test_slow_tasks import SlowOffice
from tests.waiting import DEADLINE

SECRET = "sk-proj-abcdefghijklmnopqrstuvwx12345678"
ITEM = {"provider": "openai", "model": "gpt-4o-mini", "usage": {"prompt_tokens": 12, "completion_tokens": 3}}
NOTE = {"properties": {"note": "My PIN is 1234."}}


async def push(live: Live, number: int, token: str, key: str = "a-key-of-an-app") -> httpx.Response:
    body = {
        **ITEM,
        "request_id": f"r-{number}",
        "tracking_token": token,
        "user_id": SECRET,
        "properties": {"note": "My PIN is 1234."},
    }
    async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE) as client:
        url = f"http://127.0.0.1:{live.port}/ingest"
        return await client.post(url, json=body, headers={"X-Ingest-Key": key})


async def told(desk: SlowOffice, live: Live, source: str = "ingest") -> list[PostOutline]:
    task = desk.task(TaskKind.LAST_POSTS, source=source)
    result = await LastPosts(live.context.posts, lambda: desk.bench.load().settings).tell(task)
    assert "PIN" not in result and SECRET not in result
    return msgspec.json.decode(result, type=list[PostOutline])


async def test_the_last_twenty_that_were_taken_are_told_without_prompts_and_secrets(bench: Bench) -> None:
    keys = '[server.ingest_keys]\napp = "a-key-of-an-app"\n'
    bench.file.write_text(keys)
    desk = SlowOffice(bench)
    with bench.store.writing() as connection:
        token = tokens.create(connection, "web", bench.clock()).token
    async with listening(bench.store, bench.clock, bench.recorder, bench.active.settings) as live:
        assert await told(desk, live) == []
        assert (await push(live, 0, token, key="another")).status_code == 401
        for number in range(1, 23):
            answer = await push(live, number, token)
            assert answer.status_code == 200, answer.text
        posts = await told(desk, live)
        assert [read(post)["request_id"] for post in (posts[0], posts[-1])] == ["r-22", "r-3"] and len(posts) == 20
        assert read(posts[0])["model"] == "gpt-4o-mini" and read(posts[0])["usage"] == ITEM["usage"]
        assert posts[0].at == bench.clock() and posts[0].size > len(json.dumps(ITEM))
        assert await told(desk, live, "litellm") == []

        body = await shown(desk, live, posts[0].id)
        assert json.loads(body.text)["properties"] == NOTE["properties"] and body.remark == ""
        assert SECRET not in body.text and "[redacted sk-proj-…]" in body.text
        with pytest.raises(SpendtopError, match="remembers this post no more"):
            await shown(desk, live, 1)

        bench.file.write_text(f'{keys}[privacy]\nbodies = "none"\n')
        post = (await told(desk, live))[0]
        assert "gpt-4o-mini" not in post.text and '"prompt_tokens":12' in post.text
        body = await shown(desk, live, posts[0].id)
        assert "PIN" not in body.text and "Prompts may not be kept" in body.remark


async def shown(desk: SlowOffice, live: Live, post: int) -> PostBody:
    task = desk.task(TaskKind.POST_BODY, source="ingest", id=post)
    result = await LastPosts(live.context.posts, lambda: desk.bench.load().settings).show(task)
    return msgspec.json.decode(result, type=PostBody)


def read(post: PostOutline) -> dict[str, object]:
    shown: dict[str, object] = json.loads(post.text)
    return shown
