"""What people change about limits without changing the configuration."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from spendtop.store.tables.stored import Stored


class LimitRaiseTable(Stored, table=True):
    """An amount by which a limit is raised until an instant; append-only but for its end."""

    __tablename__: ClassVar[Any] = "limit_raise"
    __table_args__: ClassVar[Any] = (Index("limit_raise_until", "until"),)

    id: int | None = Field(default=None, primary_key=True)
    limit_name: str = Field(sa_type=Text)
    entity: str | None = Field(default=None, sa_type=Text)
    """Null for every entity of the limit."""
    amount_nano: int = Field(sa_type=BigInteger)
    since: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)
    """The first instant at which it holds no more; of one that was taken back when that was."""
    meant_until: int | None = Field(default=None, sa_type=BigInteger)
    """The same before it was taken back; null where that is not known."""
    raised_by: str | None = Field(default=None, sa_type=Text)
    judged_at: int | None = Field(default=None, sa_type=BigInteger)
    """When the limit was judged anew after its end; null until then."""
