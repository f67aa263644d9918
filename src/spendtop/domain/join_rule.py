"""Which known request another source's report is about, where only the provider's response id says so."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spendtop.domain.clock import HOUR
from spendtop.domain.merging import StoredRequest
from spendtop.domain.request import Request, Source

WITHIN = HOUR
"""How far apart two sources may date one request."""

_RELEASE = re.compile(r"(?:[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|\d{3}|latest))+$")


def partner(report: Request, candidates: Iterable[StoredRequest]) -> StoredRequest | None:
    """The one record among those with the report's response id that it joins; None where none or several qualify.

    A record qualifies that no report of this source belongs to yet, of the same model, within an hour.
    """
    found = [record for record in candidates if _qualifies(report, record)]
    return found[0] if len(found) == 1 else None


def _qualifies(report: Request, record: StoredRequest) -> bool:
    known = record.request
    return (
        report.source.space not in {Source(name).space for name in record.external_ids}
        and report.model is not None
        and known.model is not None
        and bare_model(report.model) == bare_model(known.model)
        and abs(report.occurred_at - known.occurred_at) <= WITHIN
    )


def bare_model(name: str) -> str:
    """A model's name without the provider in front and the release behind, as sources differ in both.

    `openai/gpt-4o-mini-2024-07-18` and `gpt-4o-mini` are one model.
    """
    return _RELEASE.sub("", name.lower().rpartition("/")[2])
