"""What all tables have in common."""

from __future__ import annotations

from sqlmodel import SQLModel


class Stored(SQLModel):
    """A table's rows are read and written by Core and never validated, so what would do that is not built."""

    model_config = {"defer_build": True}
