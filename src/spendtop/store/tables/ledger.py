"""What providers billed, and prepaid balances."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from spendtop.store.tables.stored import Stored


class LedgerEventTable(Stored, table=True):
    """One entry of an account's ledger, append-only: money that came or went, or a calibration."""

    __tablename__: ClassVar[Any] = "ledger_event"
    __table_args__: ClassVar[Any] = (Index("ledger_event_account", "account", "effective_at"),)

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    """opening, deposit, refund, expiry, adjustment or calibration."""
    effective_at: int = Field(sa_type=BigInteger)
    """When it took effect at the provider, UTC µs."""
    recorded_at: int = Field(sa_type=BigInteger)
    amount_nano: int = Field(sa_type=BigInteger)
    """Signed; of a calibration its drift, 0 where nothing was predicted."""
    note: str | None = Field(default=None, sa_type=Text)
    recorded_by: str | None = Field(default=None, sa_type=Text)
    observed_nano: int | None = Field(default=None, sa_type=BigInteger)
    """Of a calibration, as all below: what the provider's page said."""
    predicted_nano: int | None = Field(default=None, sa_type=BigInteger)
    """What the ledger said just before; null where it knew of no credit yet."""
    spent_nano: int | None = Field(default=None, sa_type=BigInteger)
    """Sum of all billed days as known at that instant."""
    settled_nano: int | None = Field(default=None, sa_type=BigInteger)
    settled_at: int | None = Field(default=None, sa_type=BigInteger)


class DayCostTable(Stored, table=True):
    """What a provider billed an account for one UTC day, as its last poll said."""

    __tablename__: ClassVar[Any] = "day_cost"

    account: str = Field(primary_key=True, sa_type=Text)
    day: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """UTC days since 1970."""
    cost_nano: int = Field(sa_type=BigInteger)
    doubted: bool = False
    """The last poll lacked something of the day that had cost money."""
    first_seen: int = Field(sa_type=BigInteger)
    last_seen: int = Field(sa_type=BigInteger)
    """When it was told last; of a doubted day when a poll first lacked it."""


class DayCostPartTable(Stored, table=True):
    """A part of a billed day; the parts of a day sum up to it, but for rounding."""

    __tablename__: ClassVar[Any] = "day_cost_part"

    account: str = Field(primary_key=True, sa_type=Text)
    day: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    project: str = Field(primary_key=True, sa_type=Text)
    """Project or workspace; empty where the provider names none, as in the two below."""
    api_key: str = Field(primary_key=True, sa_type=Text)
    line_item: str = Field(primary_key=True, sa_type=Text)
    cost_nano: int = Field(sa_type=BigInteger)


class DayCostUserTable(Stored, table=True):
    """What a user was billed of a day, where the provider tells that; it is the same money as the parts."""

    __tablename__: ClassVar[Any] = "day_cost_user"

    account: str = Field(primary_key=True, sa_type=Text)
    day: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    user_id: str = Field(primary_key=True, sa_type=Text)
    """Empty for what no user is named for."""
    cost_nano: int = Field(sa_type=BigInteger)


class DayUsedTable(Stored, table=True):
    """What a provider counted of a day beside money, such as tokens, by whoever it bills."""

    __tablename__: ClassVar[Any] = "day_used"

    account: str = Field(primary_key=True, sa_type=Text)
    day: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    project: str = Field(primary_key=True, sa_type=Text)
    api_key: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(primary_key=True, sa_type=Text)
    model: str = Field(primary_key=True, sa_type=Text)
    """This and those above are empty for what the provider does not name."""
    unit: str = Field(primary_key=True, sa_type=Text)
    quantity: int = Field(sa_type=BigInteger)


class BilledNameTable(Stored, table=True):
    """What people call a key, user or project that a bill names by an id."""

    __tablename__: ClassVar[Any] = "billed_name"

    account: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(primary_key=True, sa_type=Text)
    """key, user or project."""
    holder: str = Field(primary_key=True, sa_type=Text)
    """The provider's id of it."""
    name: str = Field(sa_type=Text)
    project: str = Field(sa_type=Text)
    """Of a key the project or workspace that it belongs to; empty where that is not told."""


class DayCostRevisionTable(Stored, table=True):
    """A billed day that a provider restated."""

    __tablename__: ClassVar[Any] = "day_cost_revision"
    __table_args__: ClassVar[Any] = (Index("day_cost_revision_day", "account", "day"),)

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(sa_type=Text)
    day: int
    old_nano: int = Field(sa_type=BigInteger)
    new_nano: int = Field(sa_type=BigInteger)
    seen_at: int = Field(sa_type=BigInteger)


class BalanceReadingTable(Stored, table=True):
    """A balance as its provider's API told it."""

    __tablename__: ClassVar[Any] = "balance_reading"

    account: str = Field(primary_key=True, sa_type=Text)
    at: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    balance_nano: int = Field(sa_type=BigInteger)
