"""A stored request as a command or a program that sends it again. Keys are named by variables, never held."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from spendtop.domain.errors import UsageError
from spendtop.domain.shell_words import shell_word

_WIDE = 110


@dataclass(frozen=True, slots=True)
class _Endpoint:
    url: str
    variable: str
    """The environment variable that holds the key."""
    header: str = "Authorization: Bearer"
    """What stands before the key."""
    further: tuple[tuple[str, str], ...] = ()


_CHAT = "/chat/completions"
_PROVIDERS = {
    "openai": _Endpoint("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": _Endpoint(
        "https://api.anthropic.com/v1/messages",
        "ANTHROPIC_API_KEY",
        "x-api-key:",
        (("anthropic-version", "2023-06-01"),),
    ),
    "openrouter": _Endpoint("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "deepseek": _Endpoint("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "mistral": _Endpoint("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "groq": _Endpoint("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
}
_UNKNOWN = _Endpoint("https://HOST/v1", "API_KEY")


def as_curl(provider: str | None, body: bytes | None) -> str:
    """One command for a shell. Raises UsageError where the body is not one that can be sent."""
    content = _content(body)
    endpoint = _endpoint(provider, content)
    headers = [f"{endpoint.header} ${endpoint.variable}", "content-type: application/json"]
    headers += [f"{name}: {value}" for name, value in endpoint.further]
    lines = [f"curl {shell_word(endpoint.url)}", *(f'  -H "{header}"' for header in headers)]
    lines.append(f"  --data-raw {shell_word(json.dumps(content))}")
    return " \\\n".join(lines) + "\n"


def as_python(provider: str | None, body: bytes | None) -> str:
    """A program that needs nothing but Python. Raises UsageError where the body is not one that can be sent."""
    content = _content(body)
    endpoint = _endpoint(provider, content)
    name, _, before = endpoint.header.partition(":")
    key = f'os.environ["{endpoint.variable}"]'
    headers = [f'"{name}": "{before.strip()} " + {key}' if before.strip() else f'"{name}": {key}']
    headers.append('"content-type": "application/json"')
    headers += [f'"{each}": "{value}"' for each, value in endpoint.further]
    return "\n".join(
        [
            "import json",
            "import os",
            "import urllib.request",
            "",
            f"body = {ascii_form(content)}",
            f"headers = {{{', '.join(headers)}}}",
            f"request = urllib.request.Request({endpoint.url!r}, json.dumps(body).encode(), headers)",
            "print(urllib.request.urlopen(request).read().decode())",
            "",
        ]
    )


def ascii_form(content: Any) -> str:
    """A Python literal in which nothing steers a terminal."""
    return pformat(content, width=_WIDE, sort_dicts=False).encode("ascii", "backslashreplace").decode()


def _content(body: bytes | None) -> dict[str, Any]:
    try:
        content = json.loads(body or b"")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UsageError("There is nothing to send again: the request's body is not stored whole.")
    return content


def _endpoint(provider: str | None, content: dict[str, Any]) -> _Endpoint:
    """Where a body of this shape goes."""
    found = _PROVIDERS.get(provider or "", _UNKNOWN)
    if found.further:
        return found
    path = _CHAT if "messages" in content else "/responses" if "input" in content else _CHAT
    return _Endpoint(found.url + path, found.variable, found.header, found.further)
