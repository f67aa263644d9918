"""The difference between a provider's bill and what we saw of one UTC day, split into what accounts for it.

Bill and requests are two accounts of the same money: they are compared, never added. The shares sum up to the
difference exactly; what nothing accounts for is the rest, and is called so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import combinations, islice
from typing import NamedTuple

from msgspec import Struct, field

from spendtop.domain.money import ZERO, Usd

_LINE_ITEM = re.compile(
    r"(?P<tier>[^|,]{1,40} \| )?(?P<model>[^|]+?)(?: (?:audio|image|text|video))?"
    r", (?:(?:un)?cached|cache|reads?|writes?|input|output|reasoning|audio|image|text|video|tokens)"
    r"(?:[ _](?:cached|cache|reads?|writes?|input|output|reasoning|audio|image|text|video|tokens))*"
    r"(?P<long>,[ _]long[ _]context)?"
)
_DESCRIPTION = re.compile(r"(?P<model>claude [^,]+?) usage - .+", re.IGNORECASE)
_DATED = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest)$")
_MOST_COMBINATIONS = 4_000
_PLAUSIBLE_PRICE = 10
"""Per cent by which a bill may exceed our cost for it to be a difference of price; a lower bill always may be."""


class DifferenceKind(StrEnum):
    """What accounts for a part of a difference."""

    UNPRICED = "unpriced"
    """Requests that we saw and could not price."""
    BOUNDARY = "day boundary"
    """Requests so near to midnight (UTC) that the bill may hold them on the other side of it."""
    UNSEEN = "not seen"
    """Traffic that never passed through us."""
    PRICE = "price"
    """Requests that we saw and priced otherwise than the bill."""
    OTHER = "beside tokens"
    """What is billed for something else than a model's tokens."""
    REST = "rest"
    """What nothing accounts for."""


class BilledPart(Struct, frozen=True, kw_only=True):
    """A part of a billed day; names are raw text from the provider, empty where it names none."""

    project: str = ""
    api_key: str = ""
    line_item: str = ""
    cost: Usd


class SeenModel(Struct, frozen=True, kw_only=True):
    """What we saw of one model on the day."""

    model: str
    """Raw text from outside; empty where requests name none."""
    cost: Usd
    requests: int
    """Those that can cost something."""
    unpriced: int
    dearest: Usd = ZERO
    """The largest cost of one request: at most so much is taken for one without a price. Zero where none has one."""
    leaving: Usd = ZERO
    """The part of `cost` near midnight, which the bill of a neighbour day may hold."""
    coming: Usd = ZERO
    """What requests of the neighbour days cost that the bill of this day may hold."""


class Share(Struct, frozen=True, kw_only=True):
    """A part of the difference. Positive: billed and not in our figures. Names are raw text, empty where none fits."""

    kind: DifferenceKind
    amount: Usd
    project: str = ""
    api_key: str = ""
    models: tuple[str, ...] = ()
    line_item: str = ""
    requests: int = 0
    """How many requests have no price, of that kind."""
    key_name: str = ""
    """What people call the key, where that is known."""
    project_name: str = ""


class ProjectBill(Struct, frozen=True, kw_only=True):
    """What the bill has for one project, and how much of that never passed through us."""

    project: str
    billed: Usd
    unseen: Usd


class Explanation(Struct, frozen=True, kw_only=True):
    """A day's bill beside what we saw."""

    billed: Usd
    ours: Usd
    shares: tuple[Share, ...]
    """By kind, the largest first; they sum up to the difference."""
    projects: tuple[ProjectBill, ...]
    """The largest first."""

    @property
    def difference(self) -> Usd:
        """What is billed beyond our figures."""
        return self.billed - self.ours


class Holder(NamedTuple):
    """Whose traffic was billed."""

    project: str
    api_key: str


class _LineItem(NamedTuple):
    model: str
    has_surcharge: bool
    """Whether it says that it is priced above the usual."""


class _Model(Struct):
    """One model on both sides, in nano-USD."""

    name: str = ""
    billed: defaultdict[Holder, int] = field(default_factory=lambda: defaultdict(int))
    surcharged: int = 0
    ours: int = 0
    requests: int = 0
    unpriced: int = 0
    dearest: int = 0
    leaving: int = 0
    coming: int = 0

    @property
    def is_seen(self) -> bool:
        return self.requests > 0 or self.coming > 0

    @property
    def gap(self) -> int:
        """What is billed beyond our cost."""
        return sum(self.billed.values()) - self.ours

    @property
    def ceiling(self) -> int | None:
        """The most that its requests without a price can account for; None where nothing tells."""
        return self.unpriced * self.dearest if self.dearest or not self.unpriced else None


def explain(billed: Usd, parts: Sequence[BilledPart], seen: Iterable[SeenModel]) -> Explanation:
    """Split a day's difference.

    Traffic never passed through us where we saw nothing of its models, or where a key's or project's whole bill is
    just what is missing. Then, model by model: requests without a price, midnight, prices, and the rest.
    """
    models, others = _sorted_by_model(parts, seen)
    ours = sum(model.ours for model in models.values())
    shares = list(_unseen(models, others))
    for model in models.values():
        if model.is_seen:
            shares += _of_model(model)
    shares += [
        Share(kind=DifferenceKind.OTHER, amount=Usd(nano), line_item=item)
        for item, holders in others.items()
        if (nano := sum(holders.values()))
    ]
    rounding = billed.nano - ours - sum(share.amount.nano for share in shares)
    if rounding:
        shares.append(Share(kind=DifferenceKind.REST, amount=Usd(rounding)))
    order = list(DifferenceKind)
    shares.sort(key=lambda share: (order.index(share.kind), -abs(share.amount.nano), share.api_key, share.models))
    return Explanation(billed=billed, ours=Usd(ours), shares=tuple(shares), projects=_by_project(parts, shares))


def read_line_item(text: str) -> str | None:
    """The model that a line of a bill names, or None where it is for something else."""
    line = _line(text)
    return None if line is None else line.model


def same_model(name: str) -> str:
    """A name under which bills' and gateways' spellings of one model meet: without maker, date and order of words."""
    bare = _DATED.sub("", name.casefold().rpartition("/")[2])
    return " ".join(sorted(re.findall(r"\w+", bare)))


def _line(text: str) -> _LineItem | None:
    match = _LINE_ITEM.fullmatch(text)
    if match:
        return _LineItem(match["model"], bool(match["tier"] or match["long"]))
    match = _DESCRIPTION.fullmatch(text)
    return _LineItem(match["model"], False) if match else None


_Others = defaultdict[str, defaultdict[Holder, int]]
"""Line item to what its holders were billed, for those that name no model."""


def _sorted_by_model(parts: Sequence[BilledPart], seen: Iterable[SeenModel]) -> tuple[dict[str, _Model], _Others]:
    """Both sides by model; a bill that names no model at all is compared as a whole."""
    is_split = any(_line(part.line_item) for part in parts) or all(part.line_item for part in parts)
    models: defaultdict[str, _Model] = defaultdict(_Model)
    others: _Others = defaultdict(lambda: defaultdict(int))
    for part in parts:
        line = _line(part.line_item) if is_split else None if part.line_item else _LineItem("", False)
        holder = Holder(part.project, part.api_key)
        if line is None:
            others[part.line_item][holder] += part.cost.nano
            continue
        model = models[same_model(line.model)]
        model.name = model.name or line.model
        model.billed[holder] += part.cost.nano
        model.surcharged += part.cost.nano if line.has_surcharge else 0
    for one in seen:
        model = models[same_model(one.model) if is_split else ""]
        model.name = one.model if is_split else ""
        model.ours += one.cost.nano
        model.requests += one.requests
        model.unpriced += one.unpriced
        model.dearest = max(model.dearest, one.dearest.nano)
        model.leaving += one.leaving.nano
        model.coming += one.coming.nano
    return models, others


def _unseen(models: dict[str, _Model], others: _Others) -> Iterator[Share]:
    """What never passed through us, by who sent it; takes it out of the models and the others."""
    amounts: defaultdict[Holder, int] = defaultdict(int)
    names: defaultdict[Holder, set[str]] = defaultdict(set)

    def take(holder: Holder, model: _Model) -> None:
        nano = model.billed.pop(holder, 0)
        amounts[holder] += nano
        if nano:
            names[holder].add(model.name)

    for model in models.values():
        if not model.is_seen:
            for holder in list(model.billed):
                take(holder, model)
    bypassing = {holder for holder in amounts if any(holder)}
    bypassing -= {holder for model in models.values() for holder in model.billed}
    for holder in _missing(models):
        bypassing.add(holder)
        for model in models.values():
            take(holder, model)
    for holders in others.values():
        for holder in bypassing & holders.keys():
            amounts[holder] += holders.pop(holder)
    for holder, nano in amounts.items():
        if nano:
            yield Share(
                kind=DifferenceKind.UNSEEN,
                amount=Usd(nano),
                project=holder.project,
                api_key=holder.api_key,
                models=tuple(sorted(names[holder] - {""})),
            )


def _missing(models: dict[str, _Model]) -> tuple[Holder, ...]:
    """The fewest keys or projects without whose bills ours and the provider's figures fit, where they do not already.

    Models with unpriced requests say nothing about that, as our figures are too low there.
    """
    priced = [model for model in models.values() if model.is_seen and not model.unpriced]
    bills = {holder: [model.billed.get(holder, 0) for model in priced] for model in priced for holder in model.billed}
    gaps, ours = [model.gap for model in priced], sum(model.ours for model in priced)
    before = sum(map(abs, gaps))
    named = sorted(filter(any, bills), key=lambda holder: (-sum(bills[holder]), holder))

    def left(holders: tuple[Holder, ...]) -> int:
        taken = map(sum, zip(*(bills[holder] for holder in holders), strict=True))
        return sum(abs(gap - bill) for gap, bill in zip(gaps, taken, strict=True))

    def fits(holders: tuple[Holder, ...]) -> bool:
        after = left(holders)
        return 3 * after <= before and (50 * after <= ours or 10 * after <= sum(sum(bills[each]) for each in holders))

    tried = 0
    for size in range(1, len(bills)):
        batch = list(islice(combinations(named, size), _MOST_COMBINATIONS - tried))
        tried += len(batch)
        fitting = [holders for holders in batch if fits(holders)]
        if fitting:
            return min(fitting, key=left)
    return ()


def _of_model(model: _Model) -> Iterator[Share]:
    """What accounts for the gap of a model that we saw."""
    gap = model.gap
    if model.unpriced and gap > 0:
        unpriced = gap if model.ceiling is None else min(gap, model.ceiling)
        yield _share(DifferenceKind.UNPRICED, unpriced, model, requests=model.unpriced)
        gap -= unpriced
    at_midnight = min(gap, model.coming) if gap > 0 else max(gap, -model.leaving)
    gap -= at_midnight
    price = _of_price(model, gap)
    for kind, nano in (
        (DifferenceKind.BOUNDARY, at_midnight),
        (DifferenceKind.PRICE, price),
        (DifferenceKind.REST, gap - price),
    ):
        if nano:
            yield _share(kind, nano, model)


def _of_price(model: _Model, gap: int) -> int:
    """How much of a gap another price can account for: any discount, a small surplus, or what is billed at more."""
    if gap <= 0:
        return gap if sum(model.billed.values()) > 0 else 0
    return gap if 100 * gap <= _PLAUSIBLE_PRICE * model.ours else min(gap, model.surcharged) if model.ours else 0


def _share(kind: DifferenceKind, nano: int, model: _Model, requests: int = 0) -> Share:
    return Share(kind=kind, amount=Usd(nano), models=(model.name,) if model.name else (), requests=requests)


def _by_project(parts: Sequence[BilledPart], shares: Iterable[Share]) -> tuple[ProjectBill, ...]:
    billed: defaultdict[str, int] = defaultdict(int)
    unseen: defaultdict[str, int] = defaultdict(int)
    for part in parts:
        billed[part.project] += part.cost.nano
    for share in shares:
        if share.kind is DifferenceKind.UNSEEN:
            unseen[share.project] += share.amount.nano
    return tuple(
        ProjectBill(project=project, billed=Usd(nano), unseen=Usd(unseen[project]))
        for project, nano in sorted(billed.items(), key=lambda item: (-item[1], item[0]))
    )
