"""Why a provider's bill of a day differs from what we saw, in sentences."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import Connection

from spendtop.domain.counted import counted
from spendtop.domain.ledger.differences import DifferenceKind, Explanation, Share
from spendtop.domain.ledger.differences import explain as split
from spendtop.domain.ledger.holders import Names
from spendtop.domain.money import ZERO
from spendtop.domain.untrusted import clean_line
from spendtop.store.reads.ledger.day_bills import names_of
from spendtop.store.reads.ledger.differences import bill, seen
from spendtop.store.reads.ledger.imported import imported_requests

_MOST_MODELS = 3


def explain(connection: Connection, account: str, provider: str, day: int) -> Explanation | None:
    """Ours against the bill for a UTC day (counted since 1970); None where no poll covers the day, or imported files
    tell of a part of it."""
    billed = bill(connection, account, day)
    if billed is None or imported_requests(connection, provider, day, day):
        return None
    explanation = split(billed.cost, billed.parts, seen(connection, provider, day))
    names = names_of(connection, account)
    return replace(explanation, shares=tuple(_named(share, names) for share in explanation.shares))


def _named(share: Share, names: Names) -> Share:
    key, project = names["key"].get(share.api_key), names["project"].get(share.project)
    return replace(share, key_name=key.name if key else "", project_name=project.name if project else "")


def sentence(share: Share) -> str:
    """What a share is, for people; its amount stands beside it. Names from outside are cleaned."""
    models = _models(share)
    match share.kind:
        case DifferenceKind.UNSEEN:
            return f"{_holder(share)}{f' ({models})' if models else ''}: never passed through us"
        case DifferenceKind.UNPRICED:
            requests = counted(share.requests, "request")
            return f"{requests}{f' of {models}' if models else ''} without a price"
        case DifferenceKind.BOUNDARY:
            day = "from a neighbour day" if share.amount > ZERO else "on a neighbour day's bill"
            return f"{models or 'requests'} within minutes of midnight UTC, {day}"
        case DifferenceKind.PRICE:
            return f"{models or 'requests'} billed {'above' if share.amount > ZERO else 'below'} our price"
        case DifferenceKind.OTHER:
            return f"{clean_line(share.line_item) or 'a part without a name'}: billed beside a model's tokens"
        case DifferenceKind.REST if models:
            return f"{models}: {'billed for more than we saw' if share.amount > ZERO else 'seen, but not billed'}"
    return "not explained"


def _holder(share: Share) -> str:
    project, key = _called(share.project_name, share.project), _called(share.key_name, share.api_key)
    if key:
        return f"API key {key} of project {project}" if project else f"API key {key}"
    return f"project {project}" if project else "traffic without a key or project"


def _called(name: str, holder: str) -> str:
    """`checkout-prod (apikey_01Rj2)`."""
    return f"{clean_line(name)} ({clean_line(holder)})" if name else clean_line(holder)


def _models(share: Share) -> str:
    shown = ", ".join(map(clean_line, share.models[:_MOST_MODELS]))
    more = len(share.models) - _MOST_MODELS
    return f"{shown} and {more} more" if more > 0 else shown
