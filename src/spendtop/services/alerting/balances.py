"""The rules of alerts about accounts: a balance that runs low, and pollers whose data are stale. Each speaks once.

The loop that runs them is `collector.polling.account_watch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, or_, select

from spendtop.domain.alerting.episode import EpisodeState, Message, MessageKind
from spendtop.domain.ledger.balance import REARMED_AT, LowBalance, watch
from spendtop.domain.money import Usd
from spendtop.domain.sources import push_health
from spendtop.domain.sources.records import PUSHES
from spendtop.domain.untrusted import clean_line
from spendtop.services import checkpoints
from spendtop.services.alerting import alert_rows, announcements
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.store.reads.ledger.accounts import STALE_AFTER, account_now
from spendtop.store.reads.ledger.balances import Account, BalanceBasis, balance_now, gained_since
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable

_ALERT = table_of(AlertTable)
_BALANCE, _STALE = "balance/", "stale/"
_FIRST, _LAST = 1, 2
_PUSHES = frozenset(each.name for each in PUSHES)


class WatchedAccount(Struct, frozen=True):
    """An account, and who is told; None is all channels."""

    account: Account
    notify: tuple[str, ...] | None = None


class WatchedPoller(Struct, frozen=True):
    """A poller, and who is told; None is all channels."""

    name: str
    every: int
    """µs between two polls."""
    notify: tuple[str, ...] | None = None
    is_optional: bool = False
    """Whether its key may lack the right to it: it is stale only once something was read."""


class Change(Struct, frozen=True, kw_only=True):
    rule: str
    row: Any
    """The alert that is over, or goes on; None where one begins."""
    message: Message | None
    """None for one that ends as nobody watches any more, and for one that goes on as it is watched again."""
    notify: tuple[str, ...] | None = None


class BalanceAlerts:
    def __init__(
        self,
        accounts: Sequence[WatchedAccount],
        pollers: Sequence[WatchedPoller],
        channels: Sequence[Channel],
        zone: str,
        since: int,
    ) -> None:
        """`since` is when polling began, UTC µs: that nobody polled before makes no data stale."""
        self._accounts = accounts
        self._pollers = pollers
        self._channels = channels
        self._zone = zone
        self._since = since

    def changes(self, connection: Connection, now: int) -> list[Change]:
        """What begins, what is over, and what goes on after nobody watched it for a while."""
        ours = or_(*(_ALERT.c.rule.startswith(begin, autoescape=True) for begin in (_BALANCE, _STALE)))
        untold = select(_ALERT).where(ours, _ALERT.c.spoke == _FIRST).order_by(_ALERT.c.id)
        standing = {row.rule: row for row in connection.execute(untold)}
        changes: list[Change] = []
        for account in self._accounts:
            row = standing.pop(_BALANCE + account.account.name, None)
            changes += self._of_balance(connection, account, row, now)
        for poller in self._pollers:
            row = standing.pop(_STALE + poller.name, None)
            changes += self._of_poller(connection, poller, row, now)
        unwatched = [(rule, row) for rule, row in standing.items() if not _is_withdrawn(row)]
        return changes + [Change(rule=rule, row=row, message=None) for rule, row in unwatched]

    def doubts(self, connection: Connection, now: int) -> str | None:
        """Whose bills the last answers lack, in sentences."""
        balances = [(each.account.name, balance_now(connection, each.account, now)) for each in self._accounts]
        doubted = [f"{clean_line(name)}: {left.caution}" for name, left in balances if left.is_doubted]
        return " ".join(doubted) or None

    def look(self, connection: Connection, now: int) -> list[Announcement]:
        """Write what begins and what is over, and queue the messages about it."""
        told: list[Announcement] = []
        for change in self.changes(connection, now):
            number = _begin(connection, change, now) if change.row is None else _go_on(connection, change, now)
            if change.message is not None:
                sequence = _FIRST if change.row is None else _LAST
                told.append(Announcement(change.notify, number, sequence, change.message))
        announcements.queue(connection, told, self._channels, now)
        return told

    def _of_balance(self, connection: Connection, watched: WatchedAccount, row: Any, now: int) -> Iterator[Change]:
        """Once below the threshold; over at 110 % of it, or as soon as credit that was entered lifts the balance.

        Nothing begins and nothing is over by a balance that was never calibrated, or while it is doubted.
        """
        account, threshold = watched.account, watched.account.low_balance
        if threshold is None:
            if row is not None and not _is_withdrawn(row):
                yield Change(rule=row.rule, row=row, message=None)
            return
        balance = balance_now(connection, account, now)
        left = balance.amount
        if left is None or not balance.is_calibrated or balance.is_doubted:
            return
        lifted = row is not None and left >= threshold and gained_since(connection, account.name, row.opened_at)
        state, fires = watch(LowBalance(armed=row is None or lifted), left, threshold)
        if not fires and (row is None or not state.armed):
            if row is not None and _is_withdrawn(row):
                yield Change(rule=row.rule, row=row, message=None)
            return
        again, standing = Usd(threshold.nano * REARMED_AT // 100), account_now(connection, account, now)
        message = Message(
            kind=MessageKind.LOW_BALANCE if fires else MessageKind.RESOLVED,
            resolves=None if fires else MessageKind.LOW_BALANCE,
            limit_name=account.name,
            used_nano=left.nano,
            limit_nano=threshold.nano,
            estimated=account.basis is BalanceBasis.SEEN,
            burn_nano=Usd.nano_of(standing.burn_per_day),
            runs_out_at=standing.run_out_at,
            zone=self._zone,
            at=now,
            lines=(balance.caution,) if balance.caution else (),
            next_words=f"Speaks again after the balance was back at {again}, or credit was entered." if fires else "",
        )
        yield Change(rule=_BALANCE + account.name, row=row, message=message, notify=watched.notify)

    def _of_poller(self, connection: Connection, watched: WatchedPoller, row: Any, now: int) -> Iterator[Change]:
        """Once when polls have given nothing for some intervals; over with the next one that does."""
        checkpoint = checkpoints.load(connection, watched.name)
        succeeded_at = checkpoint.succeeded_at or 0
        is_missed = not watched.is_optional or checkpoint.succeeded_at is not None
        fires = row is None and is_missed and now - max(succeeded_at, self._since) > STALE_AFTER * watched.every
        amiss, read_at = _push_health(checkpoint)
        fires = fires or (row is None and bool(amiss))
        answers = row is not None and succeeded_at >= row.opened_at and not amiss
        if not fires and not answers:
            if row is not None and _is_withdrawn(row):
                yield Change(rule=row.rule, row=row, message=None)
            return
        message = Message(
            kind=MessageKind.STALE if fires else MessageKind.RESOLVED,
            resolves=None if fires else MessageKind.STALE,
            limit_name=watched.name,
            zone=self._zone,
            at=read_at,
            lines=tuple(filter(None, (amiss or checkpoint.failure,))) if fires else (),
        )
        yield Change(rule=_STALE + watched.name, row=row, message=message, notify=watched.notify)


def _push_health(checkpoint: checkpoints.Checkpoint) -> tuple[str, int]:
    """What is amiss with what a provider pushes, and until when its figures are complete as far as that is known; of a
    poller that asks for figures itself, its last success."""
    asked_at = checkpoint.succeeded_at or 0
    if checkpoint.poller not in _PUSHES:
        return "", asked_at
    health = push_health.read(checkpoint.cursor)
    return health.amiss, (health.succeeded_at or 0) if health.amiss else asked_at


def _is_withdrawn(row: Any) -> bool:
    """Whether an alert that is untold to be over ended only as nobody watched any more."""
    return bool(row.state == EpisodeState.RESOLVED.value)


def _state(rule: str) -> EpisodeState:
    """Of an alert that stands."""
    return EpisodeState.EXCEEDED if rule.startswith(_BALANCE) else EpisodeState.APPROACHING


def _begin(connection: Connection, change: Change, now: int) -> int:
    """Insert the alert; its id."""
    message = change.message
    assert message is not None
    begun = {
        "rule": change.rule,
        "entity": "",
        "window_start": now,
        "state": _state(change.rule).value,
        "severity": message.kind.severity,
        "announced": 1.0,
        "spoke": _FIRST,
        "used_nano": message.used_nano,
        "limit_nano": message.limit_nano,
        "crossed_at": now,
    }
    return alert_rows.begin(connection, begun, now)


def _go_on(connection: Connection, change: Change, now: int) -> int:
    """The alert is over, or, where it was only withdrawn, stands again; its id."""
    stands_again = _is_withdrawn(change.row) and change.message is None
    values = {
        "state": (_state(change.rule) if stands_again else EpisodeState.RESOLVED).value,
        "spoke": _FIRST if change.message is None else _LAST,
        "resolved_at": None if stands_again else now,
    }
    alert_rows.change_all(connection, _ALERT.c.id == change.row.id, values, now)
    return int(change.row.id)
