"""What all tables have in common."""

from __future__ import annotations

from sqlmodel import SQLModel
from sqlmodel.main import SQLModelConfig


class Stored(SQLModel):
    """A table's rows are read and written by Core and never validated, so what would do that is not built."""

    model_config = SQLModelConfig(defer_build=True)
