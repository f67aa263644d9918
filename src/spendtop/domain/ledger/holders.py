"""Whom a day was billed to beside whose requests were seen: by key, user or project. Pure.

A bill names keys by ids of the provider, requests name them as whoever sent them does: by a property, by their tracking
token or not at all. What names none is its key's where just one key can have sent it: the only one that was billed for
the model in its project. What more than one can have sent stays apart and is called so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from spendtop.domain.ledger.bill_kinds import BillKind
from spendtop.domain.ledger.differences import BilledPart, read_line_item, same_model
from spendtop.domain.ledger.used import TOKENS, UsedPart
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import clean_line

KEY_PROPERTIES = (
    "api_key_id",
    "api_key",
    "api_key_name",
    "key_alias",
    "openrouter.api_key_name",
    "anthropic.api_key.id",
)
"""Properties of requests that name an API key, by id or name."""
PROJECT_PROPERTIES = (
    *("anthropic.workspace.id", "workspace_id", "workspace", "openrouter.workspace_id"),
    *("project_id", "project", "openai.project", "team_id", "team_alias"),
)
"""The same for projects, workspaces and teams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequests:
    """Requests of one day that are alike in all this. Names are raw text, empty where they say none."""

    user: str = ""
    token: str = ""
    """Value or name of the tracking token."""
    key: str = ""
    project: str = ""
    model: str = ""
    cost: Usd
    requests: int
    unpriced: int
    tokens: int = 0
    """Input and output, as far as they are known."""
    is_later: bool = False
    """Whether they came after what the provider has billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderName:
    """What a holder is called, and of a key the project that it belongs to."""

    name: str
    project: str = ""


@dataclass(slots=True, kw_only=True)
class HolderBill:
    """One key, user or project on one day. Names are raw text from outside."""

    id: str
    """The provider's; empty for what no holder is named for."""
    name: str = ""
    """Empty where it is not known."""
    billed: Usd = ZERO
    seen: Usd = ZERO
    """What its requests cost that are to be on the bill, as far as that is known."""
    requests: int = 0
    unpriced: int = 0
    """Those of them whose cost is not known."""
    billed_tokens: int = 0
    """Input and output as the provider counts them, where it does."""
    seen_tokens: int = 0
    """Of its requests that are to be on the bill."""
    later: Usd = ZERO
    """What its requests cost that the provider has not billed yet."""
    later_requests: int = 0
    is_shared: bool = False
    """Whether these are requests that several holders can have sent."""

    @property
    def difference(self) -> Usd:
        return self.billed - self.seen

    @property
    def never_passed(self) -> bool:
        """Whether somebody was billed of whom nothing was seen."""
        return self.id != "" and self.billed != ZERO and not self.requests and not self.later_requests

    def take(self, seen: SeenRequests) -> None:
        if seen.is_later:
            self.later += seen.cost
            self.later_requests += seen.requests
            return
        self.seen += seen.cost
        self.requests += seen.requests
        self.unpriced += seen.unpriced
        self.seen_tokens += seen.tokens


def holder_words(holder: str, name: str, by: BillKind, is_shared: bool) -> str:
    """`checkout-prod (apikey_01Rj2)`, cleaned; what nobody is named for is said to be so."""
    if is_shared:
        return f"(of no {by} alone)"
    if name:
        return f"{clean_line(name)} ({clean_line(holder)})"
    return clean_line(holder) or f"(no {by})"


Names = Mapping[BillKind, Mapping[str, HolderName]]
"""By kind and id."""


@dataclass(slots=True)
class _Billed:
    """What of a day can tell whose a request is."""

    parts: Sequence[BilledPart]
    names: Names
    keys: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """By model: (project, key) that were billed for it."""

    def __post_init__(self) -> None:
        for part in self.parts:
            model = read_line_item(part.line_item)
            if model is not None:
                self.keys[same_model(model)].add((self.project_of(part.project, part.api_key), part.api_key))

    def project_of(self, project: str, key: str) -> str:
        """A project as the bill names it, else the one that the key belongs to."""
        called = self.names["key"].get(key)
        return project or ("" if called is None else called.project)

    def id_of(self, kind: BillKind, text: str) -> str | None:
        """The id of whoever is called this, by id or name; None for nobody."""
        if not text:
            return None
        known = {"key": {part.api_key for part in self.parts}, "project": {part.project for part in self.parts}}
        if text in known.get(kind, ()) or text in self.names[kind]:
            return text
        wanted = text.casefold()
        called = [holder for holder, each in self.names[kind].items() if each.name.casefold() == wanted]
        return called[0] if len(called) == 1 else None

    def candidates(self, seen: SeenRequests) -> set[tuple[str, str]]:
        """(project, key) that can have sent it."""
        project = self.id_of("project", seen.project)
        if self.keys:
            billed = self.keys.get(same_model(seen.model), set())
        else:  # a bill that names no model
            billed = {(self.project_of(part.project, part.api_key), part.api_key) for part in self.parts}
        return {each for each in billed if project is None or each[0] in ("", project)}


def by_key(
    parts: Sequence[BilledPart], seen: Iterable[SeenRequests], names: Names, used: Iterable[UsedPart] = ()
) -> tuple[HolderBill, ...]:
    """A day by API key."""
    billed = _Billed(parts, names)
    amounts = [(part.api_key, part.cost) for part in parts]

    def of(each: SeenRequests) -> str | None:
        named = billed.id_of("key", each.key) or billed.id_of("key", each.token)
        if named is not None or each.key:
            return named or each.key
        keys = {key for _, key in billed.candidates(each)}
        return keys.pop() if len(keys) == 1 else None

    return _rows(amounts, [(each.api_key, each) for each in used], seen, of, names["key"])


def by_project(
    parts: Sequence[BilledPart], seen: Iterable[SeenRequests], names: Names, used: Iterable[UsedPart] = ()
) -> tuple[HolderBill, ...]:
    """A day by project, workspace or team."""
    billed = _Billed(parts, names)
    amounts = [(billed.project_of(part.project, part.api_key), part.cost) for part in parts]

    def of(each: SeenRequests) -> str | None:
        named = billed.id_of("project", each.project)
        if named is not None or each.project:
            return named or each.project
        key = billed.id_of("key", each.key) or billed.id_of("key", each.token)
        if key is not None and (project := billed.project_of("", key)):
            return project
        projects = {project for project, _ in billed.candidates(each)}
        return projects.pop() if len(projects) == 1 else None

    counted = [(billed.project_of(each.project, each.api_key), each) for each in used]
    return _rows(amounts, counted, seen, of, names["project"])


def by_user(
    users: Sequence[tuple[str, Usd]],
    parts: Sequence[BilledPart],
    seen: Iterable[SeenRequests],
    names: Names,
    used: Iterable[UsedPart] = (),
) -> tuple[HolderBill, ...]:
    """A day by user; `users` are (id, amount), none where the provider does not tell them."""
    billed = _Billed(parts, names)

    def of(each: SeenRequests) -> str | None:
        return billed.id_of("user", each.user) or each.user or (None if users else "")

    return _rows(users, [(each.user, each) for each in used], seen, of, names["user"])


def _rows(
    amounts: Iterable[tuple[str, Usd]],
    used: Iterable[tuple[str, UsedPart]],
    seen: Iterable[SeenRequests],
    of: Callable[[SeenRequests], str | None],
    names: Mapping[str, HolderName],
) -> tuple[HolderBill, ...]:
    """The largest bill first; what several can have sent comes last."""
    rows: dict[str, HolderBill] = {}
    shared = HolderBill(id="", is_shared=True)

    def row(holder: str) -> HolderBill:
        name = names[holder].name if holder in names else ""
        return rows.setdefault(holder, HolderBill(id=holder, name=name))

    for holder, amount in amounts:
        row(holder).billed += amount
    for holder, part in used:
        if part.unit in TOKENS:
            row(holder).billed_tokens += part.quantity
    for each in seen:
        whose = of(each)
        (shared if whose is None else row(whose)).take(each)
    listed = sorted(rows.values(), key=lambda each: (-each.billed.nano, -each.seen.nano, each.id))
    return (*listed, *((shared,) if shared.requests or shared.later_requests else ()))
