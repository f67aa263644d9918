"""How far the files of coding agents are read, so that a start looks at what changed only, and what is still to be
pushed of them."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlmodel import Field

from spendtop.store.tables.stored import Stored


class AgentFileTable(Stored, table=True):
    """One file on one machine."""

    __tablename__: ClassVar[Any] = "agent_file"

    host: str = Field(primary_key=True, sa_type=Text)
    path: str = Field(primary_key=True, sa_type=Text)
    agent: str = Field(sa_type=Text)
    bookmark: str = Field(sa_type=Text)
    """JSON, as its reader wrote it."""


class AgentRootTable(Stored, table=True):
    """One folder of an agent on one machine, as it was looked through last."""

    __tablename__: ClassVar[Any] = "agent_root"

    host: str = Field(primary_key=True, sa_type=Text)
    agent: str = Field(primary_key=True, sa_type=Text)
    root: str = Field(primary_key=True, sa_type=Text)
    files: int
    waiting: int
    """Files that are not read yet."""
    size: int = Field(sa_type=BigInteger)
    """Bytes of all files."""
    oldest: int | None = Field(default=None, sa_type=BigInteger)
    """When the oldest file was changed last, UTC µs."""
    left_out: str = Field(sa_type=Text)
    """JSON object: reason to how often something was left out, since files were read for the first time."""
    looked_at: int = Field(sa_type=BigInteger)
    """UTC µs."""


class AgentSpoolTable(Stored, table=True):
    """Calls that a machine read, and another one has not taken yet."""

    __tablename__: ClassVar[Any] = "agent_spool"

    id: int | None = Field(default=None, primary_key=True)
    host: str = Field(sa_type=Text)
    calls: int
    packed: bytes = Field(sa_type=LargeBinary)
    """JSON array of them as they are pushed, compressed by zstd."""
