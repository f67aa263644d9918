"""Tracking tokens: public labels under which clients push their usage."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping

from sqlalchemy import Connection, delete, select, update

from spendtop.domain.errors import UsageError
from spendtop.domain.untrusted import storable_name
from spendtop.store.reads.tokens.tokens import Token, tokens
from spendtop.store.statements import table_of
from spendtop.store.tables import TokenTable

__all__ = ["Token", "TokenBook", "TokenTaken", "book", "create", "find", "remove", "set_active", "tokens"]

_TOKEN = table_of(TokenTable)
_VALUE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ALPHABET = string.ascii_letters + string.digits


class TokenTaken(UsageError):
    """There is a token with this name or value already."""


TokenBook = Mapping[str, Token]
"""Tokens by what clients send."""


def create(
    connection: Connection, name: str, now: int, *, value: str | None = None, shadow: bool = False, length: int = 22
) -> Token:
    """A new token, active. `value` keeps what existing clients send; else one of `length` characters is made.

    Raises UsageError for a name or value that cannot be used, TokenTaken for one that is taken.
    """
    name = storable_name(name.strip())
    if not name or not name.isprintable():
        raise UsageError("A token needs a name of printable characters, such as the application's.")
    value = value if value is not None else "".join(secrets.choice(_ALPHABET) for _ in range(length))
    if _VALUE.fullmatch(value) is None:
        raise UsageError("A token is 1 to 128 letters, digits or any of . _ - ; leave it out to get a fresh one.")
    taken = connection.execute(select(_TOKEN.c.name).where((_TOKEN.c.name == name) | (_TOKEN.c.token == value)))
    if (row := taken.first()) is not None:
        what = "name" if row.name == name else "value"
        raise TokenTaken(f"There is a tracking token with this {what} already. Choose another {what}.")
    inserted = connection.execute(
        _TOKEN.insert().values(token=value, name=name, active=True, shadow=shadow, created_at=now)
    )
    assert inserted.inserted_primary_key is not None
    return Token(
        id=int(inserted.inserted_primary_key[0]), token=value, name=name, active=True, shadow=shadow, created_at=now
    )


def book(connection: Connection) -> TokenBook:
    """All tokens by what clients send."""
    return {token.token: token for token in tokens(connection)}


def find(connection: Connection, reference: str) -> Token | None:
    """The token with this value, name or number."""
    for column in (_TOKEN.c.token, _TOKEN.c.name):
        row = connection.execute(select(_TOKEN).where(column == reference)).one_or_none()
        if row is not None:
            return _token(row)
    number = int(reference) if reference.isascii() and reference.isdigit() and len(reference) < 10 else 0
    row = connection.execute(select(_TOKEN).where(_TOKEN.c.id == number)).one_or_none()
    return None if row is None else _token(row)


def set_active(connection: Connection, token_id: int, active: bool) -> None:
    """Switch a token on or off; what it pushed stays."""
    connection.execute(update(_TOKEN).where(_TOKEN.c.id == token_id).values(active=active))


def remove(connection: Connection, token_id: int) -> None:
    """Delete a token; what it pushed stays."""
    connection.execute(delete(_TOKEN).where(_TOKEN.c.id == token_id))


def _token(row: object) -> Token:
    return Token(**{name: getattr(row, name) for name in Token.__struct_fields__})
