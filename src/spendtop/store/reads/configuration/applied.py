"""The configuration as the collector applied it last, and what of it was in force before: what every face shows,
wherever it runs."""

from __future__ import annotations

from msgspec import Struct, json
from msgspec.structs import replace
from sqlalchemy import Connection, insert, select

from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd, read_amount, written_amount
from spendtop.domain.sources.records import HELICONE_API
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar, parse_window
from spendtop.store import facts
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.statements import table_of
from spendtop.store.tables import AppliedTable

NAME = "applied"
"""The row of `meta` that holds it."""
_APPLIED = table_of(AppliedTable)


class CollectorInfo(Struct, frozen=True, kw_only=True):
    version: str
    host: str
    pid: int
    url: str
    """Where it listens."""
    started_at: int
    public_url: str = ""
    """Where a tunnel that it opened leads to it from; empty without one."""


class Doors(Struct, frozen=True, kw_only=True):
    """Which ways in the collector has opened, without their keys."""

    webhook_secret: bool = False
    """Whether signed webhooks are taken."""
    unsigned: bool = False
    """Whether webhooks without a signature are taken too."""
    ingest_keys: tuple[str, ...] = ()
    """Names of the keys that open /ingest, /litellm and /v1/traces."""


class PolledSource(Struct, frozen=True, kw_only=True):
    """Something that is asked at a steady pace."""

    name: str
    """Also of its checkpoint."""
    every: int
    """µs between two polls."""
    is_optional: bool = False
    """Whether its key may lack the right to it."""


class Applied(Struct, frozen=True, kw_only=True):
    """Limits, calendar, channels, doors, accounts and pollers in force. Holds no secret: channels by name only."""

    limits: tuple[Limit, ...]
    calendar: Calendar
    channels: tuple[str, ...]
    collector: CollectorInfo
    at: int
    config_digest: str
    """Of the configuration as a whole, so that a face can tell that its local file differs."""
    doors: Doors = Doors()
    accounts: tuple[Account, ...] = ()
    pollers: tuple[PolledSource, ...] = ()
    keeps_bodies: bool = False
    """Whether prompts and responses are stored."""
    include_provider: bool = False
    """Whether providers' own limits decide at /verdict."""

    @property
    def asks_helicone(self) -> bool:
        """Whether there is a key for Helicone's API."""
        return any(each.name == HELICONE_API.name for each in self.pollers)


class _WrittenLimit(Struct, frozen=True, kw_only=True):
    """A limit as JSON: window and scope as they were configured."""

    name: str
    window: str
    nano_usd: int
    warn: tuple[float, ...]
    each: Each | None
    where: str
    notify: tuple[str, ...] | None
    reserve: str | None
    measure: LimitedValue = LimitedValue.SPEND

    @classmethod
    def of(cls, limit: Limit) -> _WrittenLimit:
        return cls(
            name=limit.name,
            window=limit.window.text,
            nano_usd=limit.amount.nano,
            warn=limit.warn,
            each=limit.each,
            where=limit.where_text,
            notify=limit.notify,
            reserve=limit.reserve,
            measure=limit.measure,
        )

    def limit(self) -> Limit:
        return Limit(
            name=self.name,
            window=parse_window(self.window),
            amount=Usd(self.nano_usd),
            warn=self.warn,
            each=self.each,
            where=parse_filter(self.where) if self.where else None,
            where_text=self.where,
            notify=self.notify,
            reserve=self.reserve,
            measure=self.measure,
        )


class _Rules(Struct, frozen=True, kw_only=True):
    """What the past is judged by."""

    limits: tuple[_WrittenLimit, ...]
    calendar: Calendar
    accounts: tuple[Account, ...] = ()
    include_provider: bool = False


class _Written(_Rules, frozen=True, kw_only=True):
    channels: tuple[str, ...]
    collector: CollectorInfo
    at: int
    config_digest: str
    doors: Doors = Doors()
    pollers: tuple[PolledSource, ...] = ()
    keeps_bodies: bool = False


def keep(connection: Connection, value: Applied) -> None:
    """Write what the collector applied, in place of what was applied before; what limits there were stays known."""
    written = as_text(value)
    facts.put(connection, NAME, written)
    text = json.encode(json.decode(written, type=_Rules, dec_hook=read_amount), enc_hook=written_amount).decode()
    if text != connection.execute(select(_APPLIED.c.value).order_by(_APPLIED.c.id.desc()).limit(1)).scalar():
        connection.execute(insert(_APPLIED).values(at=value.at, value=text))


def as_text(value: Applied) -> str:
    """As the fact `NAME` holds it."""
    written = _Written(
        limits=tuple(map(_WrittenLimit.of, value.limits)),
        calendar=value.calendar,
        channels=value.channels,
        collector=value.collector,
        at=value.at,
        config_digest=value.config_digest,
        doors=value.doors,
        accounts=value.accounts,
        pollers=value.pollers,
        keeps_bodies=value.keeps_bodies,
        include_provider=value.include_provider,
    )
    return json.encode(written, enc_hook=written_amount).decode()


def tell_public_url(connection: Connection, url: str) -> None:
    """Write under which address a tunnel leads to the collector; empty when it is closed."""
    configuration = applied(connection)
    if configuration is not None:
        keep(connection, replace(configuration, collector=replace(configuration.collector, public_url=url)))


def applied(connection: Connection) -> Applied | None:
    """What the collector applied last, or None when none ran on this store yet."""
    text = facts.get(connection, NAME)
    if text is None:
        return None
    written = json.decode(text, type=_Written, dec_hook=read_amount)
    return Applied(
        limits=tuple(each.limit() for each in written.limits),
        calendar=written.calendar,
        channels=written.channels,
        collector=written.collector,
        at=written.at,
        config_digest=written.config_digest,
        doors=written.doors,
        accounts=written.accounts,
        pollers=written.pollers,
        keeps_bodies=written.keeps_bodies,
        include_provider=written.include_provider,
    )


def applied_at(connection: Connection, at: int) -> Applied | None:
    """The same with the limits, the calendar and the accounts that were in force at an instant (UTC µs). Of a time from
    which none are known they are the first that are; their `at` is later then."""
    present = applied(connection)
    by_then = select(_APPLIED).where(_APPLIED.c.at <= at).order_by(_APPLIED.c.id.desc()).limit(1)
    first = select(_APPLIED).order_by(_APPLIED.c.id).limit(1)
    row = connection.execute(by_then).one_or_none() or connection.execute(first).one_or_none()
    if present is None or row is None:
        return present
    then = json.decode(row.value, type=_Rules, dec_hook=read_amount)
    return replace(
        present,
        limits=tuple(each.limit() for each in then.limits),
        calendar=then.calendar,
        accounts=then.accounts,
        include_provider=then.include_provider,
        at=row.at,
    )


CONFIG_NEWS = "config_news"
"""The row of `meta` that says what the last change of the configuration did, as JSON {at, ok, text}."""


class ConfigOutcome(Struct, frozen=True):
    """The last change of the configuration."""

    at: int
    """UTC µs."""
    ok: bool
    """Whether it was applied; otherwise it was refused, and the old configuration goes on."""
    text: Untrusted
    """What changed, or why it was refused."""


class _WrittenChange(Struct, frozen=True):
    at: int
    ok: bool
    text: str


def config_outcome(connection: Connection) -> ConfigOutcome | None:
    """The last change of the configuration; None when it never changed while a collector ran."""
    written = facts.get(connection, CONFIG_NEWS)
    if written is None:
        return None
    change = json.decode(written, type=_WrittenChange)
    return ConfigOutcome(change.at, change.ok, Untrusted(change.text))
