"""What all tables have in common."""

from __future__ import annotations

from sqlalchemy.ext.declarative import DeferredReflection
from sqlmodel import SQLModel


class Stored(DeferredReflection, SQLModel):
    """A table's rows are read and written by Core and never validated, so what would do that is not built: neither
    validators nor mappers."""

    model_config = {"defer_build": True}
