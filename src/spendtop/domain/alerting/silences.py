"""Silences: which alerts a filter keeps from speaking. The filter language, with the fields that an alert has."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from spendtop.domain.filters.parser import Vocabulary, parse_filter
from spendtop.domain.filters.tree import (
    FIELDS,
    And,
    AnyText,
    Comparison,
    Field,
    FieldKind,
    Filter,
    FilterError,
    Not,
    Or,
)
from spendtop.domain.filters.values import Pattern

ALERT_KINDS = ("limit", "anomaly", "loop", "balance", "source", "store")
"""What alerts can be about."""
SEVERITIES = ("info", "warning", "critical")
_ANY_TEXT = ("user", "model", "token", "session", "limit")
"""The fields in which a bare word is looked for."""
ALERT_FIELDS = {
    **{name: FIELDS[name] for name in ("user", "model", "token", "session")},
    "limit": Field("limit", "l", FieldKind.TEXT, "name of the limit, account or poller", "~l daily"),
    "kind": Field("kind", "kind", FieldKind.TEXT, f"one of {', '.join(ALERT_KINDS)}", "~kind anomaly"),
    "severity": Field("severity", "sev", FieldKind.TEXT, f"one of {', '.join(SEVERITIES)}", "~sev warning"),
}
"""Every field that a silence can name, by its name."""
_ELSEWHERE = {"user_id": "user", "token_name": "token", "session_id": "session", "model_family": "model"}
_OF_ALERTS = Vocabulary(
    {
        **{name: ALERT_FIELDS[field] for name, field in _ELSEWHERE.items()},
        **{name: field for field in ALERT_FIELDS.values() for name in (field.short, field.name)},
    },
    {
        "kind": lambda: {kind: kind for kind in ALERT_KINDS},
        "severity": lambda: {severity: severity for severity in SEVERITIES},
    },
)

Facts = Mapping[str, tuple[str, ...]]
"""What a silence sees of an alert: by field, all that finds it. What is left out is of none."""


class Silence(Struct, frozen=True, kw_only=True):
    """Keeps what its filter selects from speaking, until it ends."""

    id: int
    text: str
    """The filter as it was typed."""
    filter: Filter
    by: str
    created_at: int
    """UTC µs, as `until`."""
    until: int

    def covers(self, facts: Facts) -> bool:
        """Whether it is about an alert with these facts."""
        return _holds(self.filter, facts)


def parse_silence(text: str) -> Filter:
    """What a silence is about. Raises FilterError; also for an empty text, as that would be everything."""
    if not text.strip():
        raise FilterError("a silence needs a filter, such as user:ci; for all alerts say *", 0)
    try:
        return parse_filter(text, _OF_ALERTS)
    except FilterError as wrong:
        if wrong.suggestion is None and wrong.message.startswith("there is no field"):
            named = wrong.message.partition("'")[2].partition("'")[0].lstrip("~")
            known = f"alerts have no field '{named}', they have {', '.join(ALERT_FIELDS)}"
            raise FilterError(known, wrong.position) from None
        raise


def _holds(filter: Filter, facts: Facts) -> bool:
    match filter:
        case And(parts=parts):
            return all(_holds(part, facts) for part in parts)
        case Or(parts=parts):
            return any(_holds(part, facts) for part in parts)
        case Not(part=part):
            return not _holds(part, facts)
        case AnyText(pattern=pattern):
            return any(pattern.matches(text) for name in _ANY_TEXT for text in facts.get(name, ()))
        case Comparison(field=name, value=Pattern() as pattern):
            return any(pattern.matches(text) for text in facts.get(name, ()))
    return False
