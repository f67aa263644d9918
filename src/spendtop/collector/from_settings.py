"""From settings to what the rooms work with: prices, privacy, limits and channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from spendtop.config.settings import Settings
from spendtop.domain.alerting.anomaly import AnomalyRule
from spendtop.domain.alerting.loops import LoopRule
from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.limits.limit import Limit
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.price import Price
from spendtop.domain.pricing.pricer import Catalogue, Pricer
from spendtop.domain.windows import Calendar
from spendtop.services.alerting.announcements import Channel
from spendtop.services.alerting.anomalies import WatchedSpend
from spendtop.services.alerting.episodes import rule_of
from spendtop.services.alerting.fallbacks import Fallbacks
from spendtop.services.alerting.loops import WatchedLoops
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording import pricing_hook
from spendtop.services.recording.preparation import Preparer
from spendtop.sources.privacy import keeps_bodies, own_secrets
from spendtop.sources.settings import HeliconeSettings, IngestSettings
from spendtop.store.reads.configuration.applied import Doors


def preparer_of(settings: Settings, catalogue: PublishedPrices) -> Preparer:
    """How events are priced, redacted and kept."""
    privacy, default_provider = settings.privacy.bodies, settings.section(IngestSettings).default_provider
    redactor = Redactor(own_secrets(settings)) if privacy == "redact" else None
    return Preparer(
        pricer_of(settings, catalogue),
        redact=redactor.redact if redactor else None,
        keep_bodies=keeps_bodies(settings),
        provider_of=lambda model: catalogue.provider_of(model, default_provider),
    )


def pricer_of(settings: Settings, catalogue: Catalogue) -> Pricer:
    """Own prices, own rule, published prices. Raises ConfigError for a hook that cannot be loaded."""
    own = own_prices(settings)
    hook = pricing_hook.load(settings.pricing.hook) if settings.pricing.hook else None
    if settings.pricing.hook_over == "all":
        return Pricer(own, None, catalogue, hook_over=hook)
    return Pricer(own, hook, catalogue)


def own_prices(settings: Settings) -> Mapping[str, Price]:
    return {model: Price.of(price.rates) for model, price in settings.prices.items()}


def book_of(settings: Settings, catalogue: Catalogue, now: int) -> LimitBook:
    """The limits of a configuration, with the ceiling prices of those that have a reserve."""
    limits = [limit.limit() for limit in settings.limits]
    return book_for(limits, settings.time.calendar, pricer_of(settings, catalogue), now)


def book_for(limits: Sequence[Limit], calendar: Calendar, pricer: Pricer, now: int) -> LimitBook:
    """These limits, with the ceiling prices of those that have a reserve."""
    reserves: dict[str, Price] = {}
    for limit in limits:
        ceiling = pricer.ceiling(limit.reserve, now) if limit.reserve else None
        if ceiling is not None:
            reserves[limit.name] = ceiling
    return LimitBook(limits, calendar, reserves)


def channels_of(settings: Settings) -> list[Channel]:
    """Who is told, by name."""
    return [Channel(channel.name, channel.min_severity) for channel in settings.channels]


def watched_spend(settings: Settings) -> WatchedSpend:
    """Whose unusual spend is looked for; nobody's where that is switched off."""
    anomaly = settings.anomaly
    return WatchedSpend(
        rule=AnomalyRule(factor=anomaly.factor, least=anomaly.min_usd),
        each=tuple(dict.fromkeys(anomaly.each)) if anomaly.enabled else (),
        notify=anomaly.notify,
        calendar=settings.time.calendar,
    )


def watched_loops(settings: Settings) -> WatchedLoops:
    """From when on it is a loop, and who is told."""
    loop = settings.loop
    return WatchedLoops(
        enabled=loop.enabled,
        rule=LoopRule(calls=loop.calls, least=loop.min_usd),
        notify=loop.notify,
        zone=settings.time.calendar.zone,
    )


def fallbacks_of(settings: Settings) -> Fallbacks:
    """Who is told when a channel fails for good."""
    of_limits = {rule_of(limit.name): limit.fallback for limit in settings.limits if limit.fallback}
    return Fallbacks(settings.alerts.fallback or None, of_limits)


def channel_urls(settings: Settings) -> Mapping[str, str]:
    """The Apprise URL of each channel: secrets, for the courier alone."""
    return {channel.name: channel.url.get_secret_value() for channel in settings.channels}


def doors_of(settings: Settings) -> Doors:
    """Which ways in are open."""
    helicone = settings.section(HeliconeSettings)
    return Doors(
        webhook_secret=bool(helicone.webhook_secrets),
        unsigned=helicone.allow_unsigned,
        ingest_keys=tuple(settings.server.ingest_keys),
    )


def digest(settings: Settings) -> str:
    """Tells two configurations apart without saying anything about them."""
    digested = sha256(repr(settings).encode())
    for secret in own_secrets(settings):
        digested.update(sha256(secret).digest())
    return digested.hexdigest()[:16]
