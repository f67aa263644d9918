"""Who is told of an alert, and whether at once or together with others.

The first alert of a limit and level is told at once. Those that follow within a minute are one message at its end. It
waits in the outbox and names the worst of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import MINUTE
from spendtop.services.alerting import held_messages
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.held_messages import HeldMessage

_log = logging.getLogger(__name__)
_SEVERITIES = ("info", "warning", "critical")


class Announcement(Struct, frozen=True):
    """A transition that speaks."""

    notify: tuple[str, ...] | None
    """Names of the channels that are told; None is all."""
    alert_id: int
    sequence: int
    message: Message
    rule: str | None = None
    """Of alerts about a limit: the rule that they have in common."""
    contributors: Callable[[], Iterable[tuple[str, str, int]]] = tuple
    """Who and what spent most; only asked where the message names this alert."""

    @property
    def level(self) -> tuple[str | None, MessageKind]:
        return self.rule, self.message.kind

    @property
    def is_over(self) -> bool:
        """Who was told of the alert is told, whoever is told of alerts by now."""
        return self.message.kind is MessageKind.RESOLVED

    def in_full(self) -> Message:
        return replace(self.message, alert=self.alert_id, contributors=tuple(self.contributors()))


class Channel(Struct, frozen=True):
    """Who is told, and from which severity on."""

    name: str
    min_severity: str = "info"

    def hears(self, announcement: Announcement) -> bool:
        """Whether it is meant and severe enough."""
        if announcement.notify is not None and self.name not in announcement.notify:
            return False
        return _SEVERITIES.index(announcement.message.kind.severity) >= _SEVERITIES.index(self.min_severity)


def queue(connection: Connection, announcements: Sequence[Announcement], channels: Sequence[Channel], now: int) -> None:
    """Put messages into the outbox, but for those that a silence keeps back. That something is over is told where it
    was told."""
    if not announcements:
        return
    spoken = _spoken(connection, announcements, now)
    for channel in channels:
        heard = sorted((each for each in spoken if each.is_over or channel.hears(each)), key=_order)
        for (rule, _), of_level in groupby(heard, key=lambda announcement: announcement.level):
            telling = list(of_level)
            if telling[0].is_over:
                telling = _told_before(connection, channel.name, telling)
            if rule is not None:
                _tell_by_minutes(connection, channel.name, telling, now)
                continue
            for announcement in telling:
                _enqueue(connection, channel.name, announcement, now, others=announcement.message.others)


def release(connection: Connection, channels: Sequence[Channel], now: int) -> list[Announcement]:
    """Queue what silences kept back, where it still stands and none keeps it back any more."""
    freed = [
        Announcement(
            each.notify,
            each.alert_id,
            each.sequence,
            each.message,
            each.rule,
            partial(tuple, each.message.contributors),
        )
        for each in held_messages.free(connection, now)
    ]
    queue(connection, freed, channels, now)
    return freed


def _spoken(connection: Connection, announcements: Sequence[Announcement], now: int) -> list[Announcement]:
    """Those that no silence keeps back; the others are held."""
    silent = held_messages.silenced(connection, {each.alert_id: each.message.kind for each in announcements}, now)
    for each in announcements:
        if each.alert_id in silent:
            held = HeldMessage(
                alert_id=each.alert_id,
                rule=each.rule,
                sequence=each.sequence,
                notify=each.notify,
                message=each.in_full(),
            )
            held_messages.hold(connection, held, silent[each.alert_id].until)
    return [each for each in announcements if each.alert_id not in silent]


def _order(announcement: Announcement) -> tuple[str, str, int]:
    """Those of one level together, the first that crossed in front."""
    return announcement.rule or "", announcement.message.kind, announcement.message.at


def _told_before(connection: Connection, channel: str, telling: Sequence[Announcement]) -> list[Announcement]:
    ids = [announcement.alert_id for announcement in telling]
    outbox_rules.supersede(connection, channel, ids)
    told = outbox_rules.told(connection, channel, ids)
    return [announcement for announcement in telling if announcement.alert_id in told]


def _tell_by_minutes(connection: Connection, channel: str, telling: Sequence[Announcement], now: int) -> None:
    """Tell of alerts of one level: of the first at once, and let those within its minute, or while the message of that
    minute waits for its channel, join that message."""
    if not telling:
        return
    rule, kind = telling[0].level
    assert rule is not None
    waiting = outbox_rules.gathering(connection, channel, rule, kind, now)
    if waiting is not None:
        outbox_rules.join(connection, waiting.id, channel, [each.alert_id for each in telling], now)
        _name_worst(connection, waiting.id, msgspec.json.decode(waiting.payload, type=Message), telling)
        return
    began = outbox_rules.minute_began(connection, channel, rule, kind, now)
    if began is None:
        _enqueue(connection, channel, telling[0], now)
        began, telling = now, telling[1:]
    if telling:
        worst = max(telling, key=lambda announcement: announcement.message.used_nano)
        others = len(telling) - 1
        for number in _enqueue(connection, channel, worst, now, others=others, gathers_until=began + MINUTE):
            outbox_rules.join(connection, number, channel, [each.alert_id for each in telling], now)


def _name_worst(connection: Connection, group: int, said: Message, joined: Sequence[Announcement]) -> None:
    others = said.others + len(joined)
    worst = max(joined, key=lambda announcement: announcement.message.used_nano)
    if worst.message.used_nano > said.used_nano:
        message = replace(worst.in_full(), others=others)
        outbox_rules.rewrite(connection, group, message, alert_id=worst.alert_id)
    else:
        outbox_rules.rewrite(connection, group, replace(said, others=others))


def _enqueue(
    connection: Connection,
    channel: str,
    announcement: Announcement,
    now: int,
    others: int = 0,
    gathers_until: int | None = None,
) -> list[int]:
    _log.debug("alert %d: %s for channel %s", announcement.alert_id, announcement.message.kind, channel)
    return outbox_rules.enqueue(
        connection,
        alert_id=announcement.alert_id,
        rule=announcement.rule,
        seq=announcement.sequence,
        message=replace(announcement.in_full(), others=others),
        severity=announcement.message.kind.severity,
        channels=[channel],
        now=now,
        gathers_until=gathers_until,
    )
