"""Prompts and responses that a group of events brings, and those that change hands with their request."""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.requests.request import BodyState, Request
from spendtop.domain.sources.records import Source

Body: TypeAlias = tuple[int, bytes]
"""(dictionary id, compressed prompt and response)."""


class BodyChanges:
    """By request; the most trusted source's body is kept, and of one source's the longest, which is the most
    complete."""

    def __init__(self) -> None:
        self.first: dict[int, Body] = {}
        """Of requests that have none."""
        self.longer: dict[int, Body] = {}
        """They replace what the same source sent, where that is shorter."""
        self.better: dict[int, Body] = {}
        """They replace what a less trusted source sent."""
        self.moved: list[tuple[int, int]] = []
        """From which stored request to which."""

    @property
    def written(self) -> tuple[Body, ...]:
        return *self.first.values(), *self.better.values(), *self.longer.values()

    def keep(self, record: StoredRequest, source: Source, body: Body) -> None:
        """Take a source's body of a request that is as it was before that source's report."""
        giver = body_giver(record)
        if giver is None:
            self.first[record.id] = body
        elif source.trust < giver.trust:
            self.better[record.id] = body
            self.longer.pop(record.id, None)
        elif source is giver:
            kept = self.longer.get(record.id)
            if kept is None or len(kept[1]) < len(body[1]):
                self.longer[record.id] = body

    def move(self, former: int, to: int) -> None:
        """Give a request's body to another one, instead of what that had."""
        if former not in self.first:
            self.moved.append((former, to))
        for waiting in (self.first, self.longer, self.better):
            waiting.pop(to, None)
            if former in waiting:
                waiting[to] = waiting.pop(former)

    def drop(self, request_id: int) -> None:
        """Forget what waits for a request that is none any more."""
        for waiting in (self.first, self.longer, self.better):
            waiting.pop(request_id, None)


def body_giver(record: StoredRequest) -> Source | None:
    """Whose prompt and response are kept."""
    if record.request.body_state is not BodyState.STORED:
        return None
    givers = (source for source, each in record.statements.items() if each.body_state is BodyState.STORED)
    return next(givers, record.request.source)


def without_body(report: Request) -> Request:
    """A report whose prompt and response were not kept, as another source's were."""
    return replace(report, body_state=BodyState.NOT_KEPT) if report.body_state is BodyState.STORED else report
