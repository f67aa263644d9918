"""The configuration in force, as the loops work with it; replaced as a whole when a good one is saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spendtop.collector import from_settings
from spendtop.collector.price_lists.kept_list import catalogue_of
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock
from spendtop.domain.errors import ConfigError
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.sources.records import INGEST, KeyRule, pushed_sources
from spendtop.services.alerting.evaluator import Evaluator
from spendtop.services.alerting.fallbacks import Fallbacks
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.retention import RetentionPeriods
from spendtop.sources.registry import READERS
from spendtop.store.reads.ledger.bills import Bills

_NO_SIGN_IN = "  (this machine only: set api_key under [server])"


class ActiveConfig:
    """Settings and everything made from them."""

    loaded: Loaded
    settings: Settings
    preparer: Preparer
    book: LimitBook
    evaluator: Evaluator
    channel_urls: Mapping[str, str]
    fallbacks: Fallbacks

    def __init__(self, loaded: Loaded, clock: Clock) -> None:
        self.catalogue = catalogue_of(loaded.settings.pricing)
        self._clock = clock
        self.apply(loaded)

    def apply(self, loaded: Loaded) -> None:
        """Put a configuration into force. Raises ConfigError, and then the old one stays."""
        settings = loaded.settings
        preparer = from_settings.preparer_of(settings, self.catalogue)
        book = from_settings.book_of(settings, self.catalogue, self._clock())
        self.preparer, self.book = preparer, book
        self.evaluator = Evaluator(book, from_settings.channels_of(settings))
        self.channel_urls = from_settings.channel_urls(settings)
        self.fallbacks = from_settings.fallbacks_of(settings)
        self.loaded, self.settings = loaded, settings
        self.digest = from_settings.digest(settings)

    def price_by(self, catalogue: PublishedPrices) -> None:
        """Put another price list into force. Raises ConfigError for a hook that has become bad; the old one stays."""
        before, self.catalogue = self.catalogue, catalogue
        try:
            self.apply(self.loaded)
        except ConfigError:
            self.catalogue = before
            raise

    @property
    def retention(self) -> RetentionPeriods:
        return RetentionPeriods(self.settings.retention.bodies, self.settings.retention.requests)

    def facts(self, url: str, store_name: str, bills: Bills | None) -> list[tuple[str, str]]:
        """What the start banner says; `bills` stand there for those who send no requests."""
        base = self.settings.server.public_url or url
        limits = ", ".join(f"{limit.name} {limit.amount}/{limit.window}" for limit in self.book.limits)
        return [
            ("Listening", url),
            *self._ways_in(base),
            ("Dashboard", f"{base}/dashboard{'' if self._has_sign_in else _NO_SIGN_IN}"),
            ("Store", store_name),
            ("Limits", limits or "none"),
            ("Channels", ", ".join(self.channel_urls) or "none"),
            *self._billing(bills),
            ("Stop", "Ctrl+C stops"),
        ]

    @property
    def _has_sign_in(self) -> bool:
        return bool(self.settings.server.api_key.get_secret_value())

    def _billing(self, bills: Bills | None) -> Iterator[tuple[str, str]]:
        if bills is None:
            return
        billed, *balances = bills.words(self._clock(), self.book.calendar)
        yield "Billed", billed.removeprefix("billed ")
        if balances:
            yield "Balances", " · ".join(balances)

    def _ways_in(self, base: str) -> Iterator[tuple[str, str]]:
        """Where sources post to; `base` is our address without a path."""
        for source in pushed_sources(KeyRule.SIGNED):
            signing = READERS.signed[source.name].signing(self.settings)
            is_open = signing.secrets or signing.allow_unsigned
            yield source.label, f"{base}{source.path}{'' if is_open else f'  (off: set {source.setting})'}"
        keys = ", ".join(self.settings.server.ingest_keys)
        paths = ", ".join(source.path for source in pushed_sources(KeyRule.INGEST_KEY))
        yield INGEST.label, f"{paths}  ({f'keys: {keys}' if keys else 'off: name a key under ingest_keys'})"
