"""What a session cost along its paths: a tree whose branches hold the sums of what lies below them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from spendtop.domain.untrusted import Untrusted
from spendtop.store.engine import Store
from spendtop.store.reads.rows import Spend, outside
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span, in_slices
from spendtop.store.reads.spending.sums import scope
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Branch:
    """One node of the tree."""

    path: Untrusted | None
    """The beginning that all paths of the branch have; None for requests without a path."""
    name: Untrusted | None
    """Its last segment; of a chain of segments that does not fork, the whole chain."""
    depth: int
    is_last: bool
    """Whether no younger branch follows on the same stem."""
    spend: Spend
    """Of the branch and all below it."""


@dataclass(slots=True)
class _Node:
    path: str = ""
    spend: Spend = field(default_factory=Spend.nothing)
    ends_here: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def path_spends(store: Store, session: str, span: Span) -> dict[Untrusted | None, Spend]:
    """What the counted requests of a session cost by their path, None where they have none."""
    return _by_path(store, session, span, spend_sql.spent())


def path_plans(store: Store, session: str, span: Span) -> dict[Untrusted | None, Spend]:
    """What calls of a session under a plan would have cost, likewise."""
    return _by_path(store, session, span, spend_sql.under_plan())


def _by_path(store: Store, session: str, span: Span, share: spend_sql.Portion) -> dict[Untrusted | None, Spend]:
    request = table_of(RequestTable)

    def read(connection: Connection, part: Span) -> Sequence[tuple[str | None, Spend]]:
        statement = (
            select(*share.columns, request.c.session_path)
            .where(scope("session", session), share.condition, part.holds(request.c.occurred_at))
            .group_by(request.c.session_path)
        )
        return [(row.session_path or None, spend_sql.to_spend(row)) for row in connection.execute(statement)]

    spends: defaultdict[str | None, Spend] = defaultdict(Spend.nothing)
    for part in in_slices(store, span, read):
        for path, spend in part:
            spends[path] += spend
    return {outside(path): spend for path, spend in spends.items()}


def branches(spends: Mapping[Untrusted | None, Spend]) -> tuple[Branch, ...]:
    """The tree from its stem on, each branch before its children, the costliest first; empty without any path."""
    root = _Node()
    for path, spend in spends.items():
        if path is not None:
            _grow(root, path.raw, spend)
    if not root.children:
        return ()
    pathless = spends.get(None)
    return (*_flat(root, 0, alone=pathless is None), *([Branch(None, None, 0, True, pathless)] if pathless else ()))


def _grow(root: _Node, path: str, spend: Spend) -> None:
    node, at = root, 0
    for segment in path.split(_SEPARATOR) if path.strip(_SEPARATOR) else [""]:
        at += len(segment) + 1
        if not segment and at < len(path) and path.strip(_SEPARATOR):
            continue
        node = node.children.setdefault(segment, _Node(path[: at - 1] or path))
        node.spend += spend
    node.ends_here = True


def _flat(node: _Node, depth: int, alone: bool) -> Sequence[Branch]:
    flat: list[Branch] = []
    ordered = sorted(node.children.items(), key=lambda item: (-item[1].spend.cost.nano, item[0]))
    for place, (segment, child) in enumerate(ordered):
        name, stem = _SEPARATOR + segment, child
        while len(stem.children) == 1 and not stem.ends_here:
            ((segment, stem),) = stem.children.items()
            name += _SEPARATOR + segment
        is_last = place == len(ordered) - 1 and alone
        flat.append(Branch(Untrusted(stem.path), Untrusted(name), depth, is_last, stem.spend))
        flat.extend(_flat(stem, depth + 1, alone=True))
    return flat
