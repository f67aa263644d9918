"""Ready code that puts an application's LLM calls under a tracking token. The ingest key is named, never held."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from string import Template

KEY_VARIABLE = "SPENDTOP_INGEST_KEY"
"""The environment variable from which every snippet takes the ingest key."""
NO_ADDRESS = "http://HOST:PORT"
"""Stands for the listener's address while nobody listens."""


def snippets(token: str, url: str, key_name: str = "default") -> Mapping[str, str]:
    """`python`, `curl` and `litellm` for a token's value.

    `url` is where clients reach the listener, `key_name` the ingest key that has to be in KEY_VARIABLE.
    """
    base = url.rstrip("/")
    key = f"{KEY_VARIABLE} has to hold the ingest key {json.dumps(key_name)} (ingest_keys under [server])."
    event = {
        "tracking_token": token,
        "model": "gpt-4o-mini",
        "usage": {"prompt_tokens": 1200, "completion_tokens": 85, "total_tokens": 1285},
        "user_id": "alice",
    }
    values = {
        "key": key,
        "variable": KEY_VARIABLE,
        "token": json.dumps(token),
        "url": json.dumps(base),
        "ingest": json.dumps(f"{base}/ingest"),
        "litellm": json.dumps(f"{base}/litellm"),
        "ingest_word": shlex.quote(f"{base}/ingest"),
        "event_word": shlex.quote(json.dumps(event)),
    }
    templates = {"python": _PYTHON, "curl": _CURL, "litellm": _LITELLM}
    return {name: Template(text).substitute(values) for name, text in templates.items()}


_PYTHON = '''\
# Tells spendtop what each call used, in the background; a failure is logged and never reaches the application.
# $key
import asyncio
import json
import logging
import os
import threading
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

INGEST = $ingest
TOKEN = $token
_senders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="spendtop")
_places = threading.BoundedSemaphore(200)  # what finds no place is dropped, so that memory stays bounded


def record(provider, response, started, **more):
    """Push the usage of one response. `more`: user_id, session_id, session_path, properties, ..."""
    try:
        event = {
            "tracking_token": TOKEN,
            "provider": provider,
            "model": response.model,
            "usage": response.usage.model_dump(mode="json"),
            "request_id": getattr(response, "_request_id", None) or str(uuid.uuid4()),
            "response_id": response.id,
            "latency_ms": round((time.perf_counter() - started) * 1000),
            **more,
        }
        if _places.acquire(blocking=False):
            _senders.submit(_send, event)
    except Exception as failure:
        logging.getLogger("spendtop").warning("usage was not recorded: %r", failure)


def _send(event):
    try:
        headers = {"Content-Type": "application/json", "X-Ingest-Key": os.environ["$variable"]}
        post = urllib.request.Request(INGEST, json.dumps(event).encode(), headers)
        urllib.request.urlopen(post, timeout=2).close()
    except Exception as failure:
        logging.getLogger("spendtop").warning("usage was not recorded: %r", failure)
    finally:
        _places.release()


def ask_openai(question):
    from openai import OpenAI

    started = time.perf_counter()
    response = OpenAI().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )
    record("openai", response, started, user_id="alice")
    return response.choices[0].message.content


async def ask_openai_async(question):
    from openai import AsyncOpenAI

    started = time.perf_counter()
    response = await AsyncOpenAI().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )
    record("openai", response, started, user_id="alice")
    return response.choices[0].message.content


def ask_anthropic(question):
    from anthropic import Anthropic

    started = time.perf_counter()
    response = Anthropic().messages.create(
        model="claude-sonnet-4-5", max_tokens=256, messages=[{"role": "user", "content": question}]
    )
    record("anthropic", response, started, user_id="alice")
    return response.content[0].text


if __name__ == "__main__":
    print(ask_openai("Say hello."))
    # print(asyncio.run(ask_openai_async("Say hello.")))
    # print(ask_anthropic("Say hello."))
'''

_CURL = """\
# $key
printf 'X-Ingest-Key: %s' "$$$variable" | curl --silent --show-error \\
  --header @- --header 'Content-Type: application/json' \\
  --data $event_word \\
  $ingest_word
"""

_LITELLM = """\
# LiteLLM proxy, in its config.yaml. $key
litellm_settings:
  callbacks: ["spendtop"]
callback_settings:
  spendtop:
    callback_type: generic_api
    endpoint: $litellm
    headers:
      X-Ingest-Key: os.environ/$variable
      X-Tracking-Token: $token

# LiteLLM as a Python library, sync and async, in place of the above, with spendtop installed beside it:
#
#   import litellm
#   from spendtop.client.litellm import SpendtopLogger
#
#   litellm.callbacks = [SpendtopLogger(url=$url, tracking_token=$token)]
"""
