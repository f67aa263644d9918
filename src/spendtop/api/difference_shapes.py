"""The JSON of why a bill differs from what we saw."""

from __future__ import annotations

from pydantic import BaseModel

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.differences import Explanation, ProjectBill, Share
from spendtop.domain.money import Usd
from spendtop.services.bill_differences import sentence


class ShareItem(BaseModel):
    """A part of the difference."""

    kind: str
    """unpriced, day boundary, not seen, price, beside tokens or rest."""
    text: str
    amount_usd: float | None
    amount_nanousd: int
    """Positive: billed and not in our figures."""
    project: str
    api_key: str
    models: list[str]
    line_item: str
    requests: int
    """Requests without a price, of the kind unpriced."""

    @classmethod
    def of(cls, share: Share) -> ShareItem:
        return cls(
            kind=share.kind.value,
            text=sentence(share),
            amount_usd=Usd.float_of(share.amount),
            amount_nanousd=share.amount.nano,
            project=share.project,
            api_key=share.api_key,
            models=list(share.models),
            line_item=share.line_item,
            requests=share.requests,
        )


class ProjectItem(BaseModel):
    """What one project was billed."""

    project: str
    billed_nanousd: int
    unseen_nanousd: int
    """What of it never passed through us."""

    @classmethod
    def of(cls, bill: ProjectBill) -> ProjectItem:
        return cls(project=bill.project, billed_nanousd=bill.billed.nano, unseen_nanousd=bill.unseen.nano)


class ExplanationItem(BaseModel):
    """One UTC day; the amounts of its shares sum up to the difference."""

    date: str
    billed_nanousd: int
    ours_nanousd: int
    difference_nanousd: int
    shares: list[ShareItem]
    projects: list[ProjectItem]

    @classmethod
    def of(cls, day: int, found: Explanation) -> ExplanationItem:
        """`day` counts UTC days since 1970."""
        return cls(
            date=f"{to_datetime(day * DAY):%Y-%m-%d}",
            billed_nanousd=found.billed.nano,
            ours_nanousd=found.ours.nano,
            difference_nanousd=found.difference.nano,
            shares=[ShareItem.of(each) for each in found.shares],
            projects=[ProjectItem.of(each) for each in found.projects],
        )
