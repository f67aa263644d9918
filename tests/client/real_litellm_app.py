"""An application that calls a model through LiteLLM's SDK, as the documentation shows it: every way of calling once."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import litellm

from spendtop.client.litellm import SpendtopLogger


def options(user: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hello"}]
    return {"model": "openai/gpt-4o-mini", "messages": messages, "api_key": "sk-x", "user": user, **more}


async def asynchronous(upstream: str) -> None:
    session = {"session_id": "6c6af595-1ece-4626-b5eb-f0f913f6e53b"}
    await litellm.acompletion(**options("async", api_base=upstream, metadata=session))
    stream = await litellm.acompletion(**options("async stream", api_base=upstream, stream=True))
    async for _ in stream:
        pass
    try:
        await litellm.acompletion(**options("async failure", api_base=f"{upstream}/broken", num_retries=0))
    except litellm.exceptions.InternalServerError:
        return
    raise AssertionError("the broken address answered")


def main(spendtop: str, upstream: str, spool: str) -> None:
    logger = SpendtopLogger(url=spendtop, spool=spool)
    litellm.callbacks = [logger]
    litellm.completion(**options("sync", api_base=upstream, metadata={"session_id": "chat-1", "tags": ["t1"]}))
    for _ in litellm.completion(**options("sync stream", api_base=upstream, stream=True)):
        pass
    litellm.completion(**options("mock", mock_response="hi"))
    asyncio.run(asynchronous(upstream))


if __name__ == "__main__":
    main(*sys.argv[1:])
