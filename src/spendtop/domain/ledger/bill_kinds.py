"""What a bill can be split by. It loads nothing, as the command line is read with it."""

from __future__ import annotations

from typing import Literal

BillKind = Literal["key", "user", "project"]
"""A project is a workspace or a team at others."""
BILL_KINDS: tuple[BillKind, ...] = ("key", "user", "project")
