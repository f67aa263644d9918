"""One line of `spendtop check`."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from spendtop.domain.errors import ExitCode


class State(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One line of the table."""

    subject: str
    state: State
    text: str
    fix: str = ""
    code: ExitCode = ExitCode.OK
