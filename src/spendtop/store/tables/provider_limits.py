"""Limits that providers tell of."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Text
from sqlmodel import Field

from spendtop.store.tables.stored import Stored


class ProviderLimitTable(Stored, table=True):
    """One limit as its provider told it last. Each poll replaces all rows of its poller."""

    __tablename__: ClassVar[Any] = "provider_limit"

    poller: str = Field(primary_key=True, sa_type=Text)
    place: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """Its place in the answer."""
    provider: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    """Whose bills tell what is used, where the provider does not."""
    scope: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    amount_nano: int | None = Field(default=None, sa_type=BigInteger)
    """Null where it is unlimited."""
    used_nano: int | None = Field(default=None, sa_type=BigInteger)
    measure: str = Field(sa_type=Text)
    interval: str = Field(sa_type=Text)
    resets_at: int | None = Field(default=None, sa_type=BigInteger)
    enforced: bool
    as_of: int = Field(sa_type=BigInteger)
