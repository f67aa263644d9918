"""The Model Context Protocol as far as a server of tools needs it: JSON-RPC 2.0, one message or batch per line.

Clients up to 2025-11-25 shake hands by `initialize`; from 2026-07-28 on each request says its version in `_meta`, and
`server/discover` takes the handshake's place. Both are answered, in any order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from spendtop.domain.errors import SpendtopError
from spendtop.services.exchange.export import ascii_json

_log = logging.getLogger(__name__)

HANDSHAKE_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The newest first; a client that asks for none of them is offered the first."""
STATELESS_VERSIONS = ("2026-07-28",)

_META = "io.modelcontextprotocol/"
_PARSE_ERROR, _INVALID_REQUEST, _NO_METHOD, _INVALID_PARAMS, _INTERNAL, _NO_VERSION = (
    *(-32700, -32600, -32601, -32602, -32603),
    -32022,
)

Object = dict[str, Any]


class Tool(NamedTuple):
    """A question that a client may ask."""

    name: str
    title: str
    description: str
    parameters: Object
    """JSON Schema of its arguments."""
    answer: Callable[[Object], Object]
    """Raises SpendtopError with a sentence for whoever asked."""

    @property
    def described(self) -> Object:
        hints = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.parameters,
            "annotations": {"title": self.title, **hints},
        }


class _Refused(Exception):
    """A message that is answered by an error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({} if data is None else {"data": data})}


class Server:
    """Answers a client's messages; it asks nothing of its own."""

    def __init__(self, info: Mapping[str, str], instructions: str, tools: Iterable[Tool]) -> None:
        self._info = dict(info)
        self._instructions = instructions
        self._tools = {tool.name: tool for tool in tools}
        self._methods: Mapping[str, Callable[[Object], Object]] = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "ping": lambda params: {},
            "tools/list": lambda params: {"tools": [tool.described for tool in self._tools.values()]},
            "tools/call": self._call,
        }

    def answer(self, line: bytes) -> bytes | None:
        """The line that answers a line; None where nothing is to be said."""
        try:
            message = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _line(_failure(None, _Refused(_PARSE_ERROR, "This is not JSON.").error))
        if not isinstance(message, list):
            answer = self._answer(message)
            return None if answer is None else _line(answer)
        if not message:
            return _line(_failure(None, _Refused(_INVALID_REQUEST, "The batch is empty.").error))
        answers = [answer for each in message if (answer := self._answer(each)) is not None]
        return _line(answers) if answers else None

    def _answer(self, message: object) -> Object | None:
        id = message.get("id") if isinstance(message, dict) else None
        if isinstance(id, bool) or not isinstance(id, int | str):
            id = None
        try:
            method, params = _request(message)
            if (isinstance(message, dict) and "id" not in message) or method is None:
                return None
            if id is None:
                raise _Refused(_INVALID_REQUEST, "The id of a request is a text or a whole number.")
            return {"jsonrpc": "2.0", "id": id, "result": self._result(method, params)}
        except _Refused as refused:
            return _failure(id, refused.error)
        except Exception as failure:
            _log.error("%s while a client was answered", type(failure).__name__)
            return _failure(id, {"code": _INTERNAL, "message": "This should not have happened."})

    def _result(self, method: str, params: Object) -> Object:
        meta = params.get("_meta")
        version = meta.get(f"{_META}protocolVersion") if isinstance(meta, dict) else None
        if version is not None and version not in STATELESS_VERSIONS:
            data = {"supported": list(STATELESS_VERSIONS), "requested": version}
            raise _Refused(_NO_VERSION, "Unsupported protocol version", data)
        if method not in self._methods:
            raise _Refused(_NO_METHOD, f"There is no method {method!r} here.")
        result = self._methods[method](params)
        if version is None:
            return result
        lasting = {} if method == "tools/call" else {"ttlMs": 0, "cacheScope": "private"}
        return {**result, **lasting, "resultType": "complete", "_meta": {f"{_META}serverInfo": self._info}}

    def _initialize(self, params: Object) -> Object:
        asked = params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": self._info,
            "instructions": self._instructions,
        }

    def _discover(self, params: Object) -> Object:
        return {
            "supportedVersions": list(STATELESS_VERSIONS),
            "capabilities": {"tools": {}},
            "instructions": self._instructions,
        }

    def _call(self, params: Object) -> Object:
        name, arguments = params.get("name"), params.get("arguments")
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None:
            raise _Refused(_INVALID_PARAMS, f"There is no such tool; there are {', '.join(self._tools)}.")
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, dict):
            raise _Refused(_INVALID_PARAMS, "The arguments of a tool are an object.")
        try:
            answer = tool.answer(arguments)
        except SpendtopError as failure:
            return {"content": [_text(str(failure))], "isError": True}
        return {"content": [_text(ascii_json(answer))], "structuredContent": answer, "isError": False}


def _request(message: object) -> tuple[str | None, Object]:
    """Method and parameters; no method where it is an answer, which nobody here waits for."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise _Refused(_INVALID_REQUEST, "This is no JSON-RPC 2.0 message.")
    if "method" not in message and ("result" in message or "error" in message):
        return None, {}
    method, params = message.get("method"), message.get("params")
    if not isinstance(method, str):
        raise _Refused(_INVALID_REQUEST, "The method of a request is a text.")
    if params is None:
        return method, {}
    if not isinstance(params, dict):
        raise _Refused(_INVALID_PARAMS, "The params of a request are an object.")
    return method, params


def _failure(id: int | str | None, error: Object) -> Object:
    return {"jsonrpc": "2.0", "id": id, "error": error}


def _text(text: str) -> Object:
    return {"type": "text", "text": text}


def _line(message: object) -> bytes:
    return f"{ascii_json(message)}\n".encode()
