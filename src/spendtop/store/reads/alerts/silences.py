"""Which alerts are silenced: what a silence sees of each, and the silences that are in force."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import BigInteger, Connection, bindparam, select

from spendtop.domain.alerting.silences import Facts, Silence, parse_silence
from spendtop.domain.filters.filters import Filter, FilterError, Or
from spendtop.domain.limits.limit import Each
from spendtop.domain.requests.token_names import names_of
from spendtop.domain.windows import WindowKind
from spendtop.store.fixed_select import FixedSelect
from spendtop.store.reads.configuration.applied import Applied, applied
from spendtop.store.reads.tokens.names import token_names
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, SilenceTable

MOST_SILENCES = 100
"""Silences that can be in force at once."""
_SILENCE, _REQUEST = table_of(SilenceTable), table_of(RequestTable)
_ENDING = select(_SILENCE).where(_SILENCE.c.until > bindparam("since", type_=BigInteger()))
_LATEST = FixedSelect(_ENDING.order_by(_SILENCE.c.until.desc(), _SILENCE.c.id).limit(MOST_SILENCES))
_KINDS = {
    "limit": "limit",
    "provider": "limit",
    "balance": "balance",
    "stale": "source",
    "anomaly": "anomaly",
    "loop": "loop",
    "store": "store",
}
"""What alerts are about, by what their rules begin with."""


def silences(connection: Connection, since: int) -> list[Silence]:
    """Those that end after `since` (UTC µs), the one that ends last first."""
    return [
        Silence(
            id=row.id,
            text=row.filter,
            filter=_parsed(row.filter),
            by=row.who,
            created_at=row.created_at,
            until=row.until,
        )
        for row in _LATEST.run(connection, {"since": since})
    ]


class Silencing:
    """The silences that end after an instant: those in force, where that is now."""

    def __init__(self, connection: Connection, since: int) -> None:
        self._connection = connection
        self._silences = silences(connection, since)
        self._applied: Applied | None = None
        self._names: dict[str, str] = {}
        if self._silences:
            self._applied, self._names = applied(connection), token_names(connection)

    def __bool__(self) -> bool:
        return bool(self._silences)

    def of(self, rule: str, entity: str, severities: Sequence[str]) -> Silence | None:
        """The one that lasts longest of those about an alert with any of these severities."""
        if not self._silences:
            return None
        facts = self._facts(rule, entity)
        seen = [{**facts, "severity": (severity,)} for severity in severities]
        return next((each for each in self._silences if any(map(each.covers, seen))), None)

    def _facts(self, rule: str, entity: str) -> Facts:
        """What a silence sees of an alert, without its severity."""
        begin, _, about = rule.partition("/")
        facts = {"kind": (_KINDS.get(begin, begin),), "limit": (about,)}
        if begin == "limit":
            limits = self._applied.limits if self._applied else ()
            limit = next((each for each in limits if each.name == about), None)
            if limit is not None and limit.window.kind is WindowKind.REQUEST:
                return {**facts, **self._of_request(entity)}
            each = limit.each if limit else None
            return {**facts, **({} if each is None else self._entity(each, entity))}
        if begin in ("anomaly", "loop") and entity:
            return {**facts, **self._entity(about, entity)}
        return facts

    def _entity(self, dimension: str, entity: str) -> Facts:
        if dimension == Each.TOKEN:
            return {"token": names_of(entity, self._names.get(entity))}
        return {"model" if dimension == Each.MODEL_FAMILY else str(dimension): (entity,)}

    def _of_request(self, entity: str) -> Facts:
        """Of an alert about one request: whose that was."""
        if not (entity.isascii() and entity.isdigit()):
            return {}
        columns = (_REQUEST.c.user_id, _REQUEST.c.model, _REQUEST.c.token, _REQUEST.c.session_id)
        row = self._connection.execute(select(*columns).where(_REQUEST.c.id == int(entity))).one_or_none()
        if row is None:
            return {}
        user, model, token, session = row
        named = {"user": user, "model": model, "session": session}
        facts: dict[str, tuple[str, ...]] = {name: (value,) for name, value in named.items() if value is not None}
        return facts if token is None else {**facts, "token": names_of(token, self._names.get(token))}


@lru_cache(maxsize=256)
def _parsed(text: str) -> Filter:
    """One that this version cannot read is about nothing."""
    try:
        return parse_silence(text)
    except FilterError:
        return Or(())
