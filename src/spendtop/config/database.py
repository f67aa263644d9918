"""What the address of a store may look like."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from spendtop.config.types import Surroundings

_POSTGRESQL = frozenset({"postgres", "postgresql"})


def database_url(url: str, around: Surroundings) -> str:
    """The URL with our driver, `~` expanded and relative paths taken from its folder.

    Raises ValueError for stores that cannot be used; the message shows only the URL's scheme.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ValueError("must be an address such as sqlite:///PATH or postgresql://USER@HOST/NAME")
    kind = scheme.lower().partition("+")[0]
    if kind in _POSTGRESQL:
        if not rest or not _is_readable(f"postgresql://{rest}"):
            raise ValueError("must name a server, such as postgresql://USER@HOST:5432/NAME")
        return f"postgresql+psycopg://{rest}"
    if kind != "sqlite":
        raise ValueError(f"cannot use {scheme}://; use sqlite:///PATH or postgresql://USER@HOST/NAME")
    path, question, query = rest.removeprefix("/").partition("?")
    if not rest.startswith("/") or not path or path == ":memory:":
        raise ValueError("must name a file with three slashes before it, such as sqlite:///spendtop.db")
    return f"sqlite:///{around.resolve(path)}{question}{query}"


def _is_readable(url: str) -> bool:
    """Whether the URL can be taken apart; a port that is no number cannot."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url)
    except (ArgumentError, ValueError):
        return False
    return True


def holds_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.password) or "password=" in unquote(parts.query).lower()
    except ValueError:
        return True
