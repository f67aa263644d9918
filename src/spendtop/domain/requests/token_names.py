"""What a tracking token is called: people read its name, and may ask for it by name or value."""

from __future__ import annotations


def apart(name: str, value: str) -> str:
    """A name that another token has already, made this token's own by the value behind it."""
    return f"{name}{_behind(value)}"


def names_of(value: str, name: str | None) -> tuple[str, ...]:
    """All that finds the token: its value, its name, and the name that it shares with another one."""
    return (value,) if name is None else (value, name, name.removesuffix(_behind(value)))


def _behind(value: str) -> str:
    return f" ({value})"
