"""What a check finds: a line each, with what to do."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from spendtop.domain.errors import ExitCode, SpendtopError


class FindingState(StrEnum):
    """How serious a finding is; an error is what keeps spendtop from working."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One line of the table."""

    subject: str
    state: FindingState
    text: str
    fix: str = ""
    code: ExitCode = ExitCode.OK


def failed(subject: str, failure: SpendtopError) -> Finding:
    """An error as a finding: its first sentence says what is wrong, the rest what to do."""
    text, *rest = re.split(r"\.\s", str(failure), maxsplit=1)
    return Finding(subject, FindingState.ERROR, text, "; ".join("".join(rest).splitlines()), failure.exit_code)
