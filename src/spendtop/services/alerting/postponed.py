"""What could not be evaluated by its own doing: it waits ever longer for the next try, and is told of meanwhile."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.untrusted import clean_line

_FIRST_WAIT, _LONGEST_WAIT = MINUTE, 16 * MINUTE
_GONE_AFTER = HOUR
"""What nobody has tried for so long after its time is not there any more."""
_MOST_OF_A_RULE = 10
"""Entities of one rule that fail before the whole rule waits."""
_NAMED = 3
_BY_A_QUESTION = ("SQLITE_ERROR", "57014")
"""How databases name what a question itself leads to: it cannot be answered, or not in time."""
_log = logging.getLogger(__name__)


class _Failed(NamedTuple):
    times: int
    again_at: int
    """UTC µs."""


class Postponed:
    """Entities of rules whose evaluation failed; one without a name stands for the whole rule. Told by those who
    evaluate, read from any thread."""

    def __init__(self, what: str, of: str) -> None:
        """`what` is evaluated, as a sentence begins; `of` stands between a rule and its entity."""
        self._what = what
        self._of = of
        self._failed: Mapping[tuple[str, str], _Failed] = {}

    @contextmanager
    def trying(self, connection: Connection, rule: str, entity: str, now: int) -> Iterator[None]:
        """What fails within is undone, and tried later."""
        try:
            with apart(connection):
                yield
        except Exception as failure:
            self.add(rule, entity, failure, now)
        else:
            self.remove(rule, {entity})

    def add(self, rule: str, entity: str, failure: Exception, now: int) -> None:
        """It failed, perhaps once more. Raises the failure where it is the database's."""
        if is_of_database(failure):
            raise failure
        _log.error("%s that cannot be evaluated: %s", self._what, clean_line(rule), exc_info=failure)
        before = self._failed.get((rule, entity))
        times = 1 if before is None else before.times + 1
        wait = min(_FIRST_WAIT << (times - 1), _LONGEST_WAIT)
        self._failed = {**self._alive(now), (rule, entity): _Failed(times, now + wait)}

    def remove(self, rule: str, entities: Collection[str]) -> None:
        """They were evaluated."""
        if self._failed:
            evaluated = {(rule, entity) for entity in entities}
            self._failed = {key: each for key, each in self._failed.items() if key not in evaluated}

    def entities(self, now: int) -> Sequence[tuple[str, str]]:
        """Rule and entity of all that wait."""
        return [key for key, each in self._failed.items() if each.again_at > now]

    def failed(self, rule: str) -> Sequence[str]:
        """Entities of a rule that wait or whose time has come again."""
        return [entity for name, entity in self._failed if name == rule]

    def rules(self, now: int) -> Sequence[str]:
        """Rules that wait as a whole, as themselves or too many of their entities fail."""
        waiting = self.entities(now)
        counted = Counter(rule for rule, _ in waiting)
        return [rule for rule, failed in counted.items() if failed >= _MOST_OF_A_RULE or (rule, "") in waiting]

    def waits(self, rule: str, entity: str, now: int) -> bool:
        return (rule, entity) in self.entities(now) or rule in self.rules(now)

    def words(self, now: int) -> str | None:
        """What is not evaluated, as sentences."""
        failed = list(self._alive(now))
        if not failed:
            return None
        names = [clean_line(f"{rule}{self._of}{entity}" if entity else rule) for rule, entity in failed[:_NAMED]]
        more = [f"{len(failed) - _NAMED} more"] if len(failed) > _NAMED else []
        return (
            f"{self._what} that cannot be evaluated: {', '.join(names + more)}. The log says why; it is tried again"
            " within 16 minutes, and at once when the configuration is saved."
        )

    def _alive(self, now: int) -> Mapping[tuple[str, str], _Failed]:
        """All but those that nobody tries any more."""
        return {key: each for key, each in self._failed.items() if each.again_at + _GONE_AFTER > now}


@contextmanager
def apart(connection: Connection) -> Iterator[None]:
    """A savepoint. SQLAlchemy's own compiles its SQL each time, which was a quarter of a turn of the evaluator's."""
    connection.exec_driver_sql("SAVEPOINT apart")
    try:
        yield
    except BaseException:
        with suppress(DBAPIError):  # the database is away, or has rolled back everything
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT apart")
            connection.exec_driver_sql("RELEASE SAVEPOINT apart")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT apart")


def is_of_database(failure: Exception) -> bool:
    """Whether it is full, locked or away, which no entity is to blame for."""
    reason = getattr(failure, "orig", None)
    name = getattr(reason, "sqlite_errorname", None) or getattr(reason, "sqlstate", None)
    return isinstance(failure, OperationalError) and name not in _BY_A_QUESTION
