"""Ready code that puts an application's LLM calls under a tracking token. The ingest key is named, never held."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from importlib.resources import files
from string import Template

KEY_VARIABLE = "SPENDTOP_INGEST_KEY"
"""The environment variable from which every snippet takes the ingest key."""
NO_ADDRESS = "http://HOST:PORT"
"""Stands for the listener's address while nobody listens."""


def snippets(token: str, url: str, key_name: str = "default") -> Mapping[str, str]:
    """`python`, `curl`, `litellm` and `opentelemetry` for a token's value.

    `url` is where clients reach the listener, `key_name` the ingest key that has to be in KEY_VARIABLE.
    """
    base = url.rstrip("/")
    key = f"{KEY_VARIABLE} has to hold the ingest key {json.dumps(key_name)} (ingest_keys under [server])."
    event = {
        "tracking_token": token,
        "model": "your-model",
        "usage": {"prompt_tokens": 1200, "completion_tokens": 85, "total_tokens": 1285},
        "cost_usd": 0.0002,
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
        "traces_word": shlex.quote(f"{base}/v1/traces"),
        "label": token,  # of characters that mean nothing to a shell
    }
    templates = {"curl": _CURL, "litellm": _LITELLM, "opentelemetry": _OPENTELEMETRY}
    python = f"# {key}\n{client()}{Template(_PYTHON).substitute(values)}"
    return {"python": python, **{name: Template(text).substitute(values) for name, text in templates.items()}}


def client() -> str:
    """The client in one file that needs nothing of ours; the Python snippet begins with it."""
    return (files("spendtop") / "client" / "spendtop_client.py").read_text(encoding="utf-8")


_PYTHON = """\

INGEST = $ingest
TOKEN = $token
spendtop = Spendtop(INGEST, TOKEN)  # prompts=True sends prompts and answers as well
OPENAI_MODEL, ANTHROPIC_MODEL = os.environ.get("OPENAI_MODEL", ""), os.environ.get("ANTHROPIC_MODEL", "")
EMBEDDING_MODEL = os.environ.get("EMBEDDING_MODEL", "")


def ask_openai(question):
    from openai import OpenAI

    request = {"model": OPENAI_MODEL, "messages": [{"role": "user", "content": question}]}
    with spendtop.call("openai", request, user_id="alice") as call:
        response = call.answered(OpenAI().chat.completions.create(**request))
        return response.choices[0].message.content


async def ask_openai_async(question):
    from openai import AsyncOpenAI

    request = {"model": OPENAI_MODEL, "messages": [{"role": "user", "content": question}]}
    with spendtop.call("openai", request, user_id="alice") as call:
        response = call.answered(await AsyncOpenAI().chat.completions.create(**request))
        return response.choices[0].message.content


def stream_openai(question):
    from openai import OpenAI

    request = {"model": OPENAI_MODEL, "messages": [{"role": "user", "content": question}], "stream": True}
    request["stream_options"] = {"include_usage": True}  # else a stream does not say what it used
    with spendtop.call("openai", request, user_id="alice") as call:
        for chunk in call.stream(OpenAI().chat.completions.create(**request)):
            if chunk.choices:
                yield chunk.choices[0].delta.content or ""


def embed_openai(text):
    from openai import OpenAI

    request = {"model": EMBEDDING_MODEL, "input": text}
    with spendtop.call("openai", request, user_id="alice") as call:
        return call.answered(OpenAI().embeddings.create(**request)).data[0].embedding


def ask_anthropic(question):
    from anthropic import Anthropic

    request = {"model": ANTHROPIC_MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": question}]}
    with spendtop.call("anthropic", request, user_id="alice") as call:
        return call.answered(Anthropic().messages.create(**request)).content[0].text


async def ask_anthropic_async(question):
    from anthropic import AsyncAnthropic

    request = {"model": ANTHROPIC_MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": question}]}
    with spendtop.call("anthropic", request, user_id="alice") as call:
        return call.answered(await AsyncAnthropic().messages.create(**request)).content[0].text


def stream_anthropic(question):
    from anthropic import Anthropic

    request = {"model": ANTHROPIC_MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": question}]}
    with spendtop.call("anthropic", request, user_id="alice") as call:
        for event in call.stream(Anthropic().messages.create(**request, stream=True)):
            if event.type == "content_block_delta":
                yield event.delta.text


if __name__ == "__main__":  # OPENAI_MODEL or ANTHROPIC_MODEL has to hold the name of a model
    if OPENAI_MODEL:
        print(ask_openai("Say hello."))
    if ANTHROPIC_MODEL:
        print(ask_anthropic("Say hello."))
"""

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

_OPENTELEMETRY = """\
# In the environment of an application with OpenLLMetry, OpenInference or the official instrumentation. $key
export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=$traces_word
export OTEL_EXPORTER_OTLP_TRACES_HEADERS="X-Ingest-Key=$$$variable,X-Tracking-Token=$label"

# The official instrumentation tells prompts and answers with these two only:
export OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental
export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY
"""
