"""Records with something in them that no message, log or traceback may hold."""

from __future__ import annotations

from msgspec import Struct

UNSAID = frozenset(
    {
        *("hmac_key", "key", "secret", "secrets", "url"),
        *("answered", "arguments", "asked", "attributes", "body", "headers", "raw", "request_body", "response_body"),
        *("text", "told", "value", "whole"),
    }
)
"""Fields with keys, or with what people and models wrote."""


class Discreet(Struct, frozen=True):
    """A record that leaves out such fields where it is spelled out."""

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in UNSAID]

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({said})"
