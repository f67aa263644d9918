"""The whole configuration as one frozen value, section by section."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    Strict,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from spendtop.config.account_settings import AccountSettings, SourceSection
from spendtop.config.channel_urls import refusal
from spendtop.config.database import database_url
from spendtop.config.paths import default_database_url
from spendtop.config.spend_watch_settings import AnomalySettings, LoopSettings
from spendtop.config.time_settings import TimeSettings
from spendtop.config.types import (
    Amount,
    Duration,
    Fraction,
    HttpsUrl,
    Name,
    OptionalHttpUrl,
    Origins,
    PollInterval,
    Port,
    Price,
    Secret,
    Section,
    Size,
    Texts,
    WindowText,
    surroundings,
)
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.filters.filters import fields_of, parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.pricing.price import Rate
from spendtop.domain.pricing.price_names import PRICE_NAMES
from spendtop.domain.sources.records import KeyRule, pushed_sources
from spendtop.domain.windows import WindowKind, parse_window

AnySection = TypeVar("AnySection", bound=Section)

PRICE_LIST_URL = "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json"
"""What the package itself fetches by default; written here because to import that package is slow."""

SCOPE_FIELDS = frozenset({"user", "model", "token", "session", "provider"})
"""The fields that a limit's `where` may use: those that every request carries by itself."""


def _keyed_paths() -> str:
    *paths, last = (source.path for source in pushed_sources(KeyRule.INGEST_KEY))
    return f"{', '.join(paths)} and {last}"


class RateLimit(Section):
    """A token bucket per key."""

    rpm: int = Field(default=600, ge=1)
    """Requests per minute."""
    burst: int = Field(default=600, ge=1)
    """Requests that may come at once."""
    exempt: Texts = ("/ping", "/health")
    """Paths that are never limited."""


class IngestRateLimit(RateLimit):
    """A token bucket per ingest key."""

    rpm: int = Field(default=6000, ge=1)
    """Requests per minute."""
    burst: int = Field(default=6000, ge=1)
    """Requests that may come at once."""


class ServerSettings(Section):
    """The listener: it receives webhooks and pushes, and answers the API."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on; 127.0.0.1 is this machine only."""
    port: Port = 8000
    """Port to listen on; 0 takes a free one."""
    public_url: OptionalHttpUrl = ""
    """https address under which a tunnel or proxy reaches us."""
    ngrok_authtoken: Secret = SecretStr("")
    """ngrok's authtoken, for `spendtop --tunnel ngrok`; NGROK_AUTHTOKEN in the environment does as well."""
    api_key: Secret = SecretStr("")
    """Key of the admin API; empty = local use only."""
    ingest_keys: dict[str, Secret] = Field(default_factory=dict, description=f"Named secrets for {_keyed_paths()}.")
    allowed_origins: Origins = ()
    """Origins of web pages that may call the API (CORS); none by default."""
    dashboard_bodies: bool = False
    """true shows prompts and responses at /dashboard, too, to everybody who signs in there."""
    rate_limit: RateLimit = RateLimit()
    """How often a key may call the API."""
    ingest_rate_limit: IngestRateLimit = IngestRateLimit()
    """How often an ingest key may push usage."""

    @field_validator("ingest_keys", mode="after")
    @classmethod
    def _without_empty(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        """An empty key opens nothing, so it counts as no key."""
        return {name: key for name, key in keys.items() if key}

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the listener."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _store_url(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    return SecretStr(database_url(secret.get_secret_value() or default_database_url(), surroundings(info)))


class DatabaseSettings(Section):
    """The store."""

    url: Annotated[Secret, AfterValidator(_store_url)] = Field(
        default_factory=lambda: SecretStr(default_database_url()),
    )
    """sqlite:///PATH, or postgresql://USER@HOST/NAME (its own schema "spendtop"); empty = the user's data folder."""
    disk_reserve: Size = 200_000_000
    """While less is free on the disk of a SQLite store, prompts and responses are not kept; 0 = always kept. Without
    effect on PostgreSQL, as its server's disk cannot be seen from here."""


def _scope(text: str) -> str:
    wrong = fields_of(parse_filter(text)) - SCOPE_FIELDS
    if wrong:
        raise ValueError(f"a limit cannot use {', '.join(sorted(wrong))}; it may use {', '.join(sorted(SCOPE_FIELDS))}")
    return text.strip()


def _reserve(text: str) -> str:
    model = text.removeprefix("model:").strip()
    if not text.startswith("model:") or not model:
        raise ValueError('must name a model, such as "model:gpt-4o"')
    return f"model:{model}"


def _ascending(fractions: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted(set(fractions)))


_EACH_OF: Mapping[WindowKind, Each] = {WindowKind.SESSION: Each.SESSION, WindowKind.BLOCK: Each.AGENT}
"""What limits of these windows are one per."""


class LimitSettings(Section):
    """An amount that spend within a window should not exceed."""

    name: Name
    """What screens and messages call it."""
    window: WindowText
    """The last N ("1h", "24h", "7d"), a calendar unit ("hour", "day", "week", "month"), or "request", "session",
    "lifetime", or "5h-block": an estimate of the five hours that plans of coding agents count, per agent and user."""
    usd: Amount
    """The amount in US dollars."""
    each: Annotated[Each, Strict(False)] | None = None
    """Makes one limit per "user", "model", "model_family", "token" or "session"; a family is a model in all its
    releases, whoever sells it."""
    where: Annotated[str, AfterValidator(_scope)] = ""
    """Counts only the requests that this filter matches, for example "-model:gpt-4o-mini"."""
    warn: Annotated[tuple[Fraction, ...], Strict(False), AfterValidator(_ascending)] = (0.8,)
    """Fractions of the amount at which the limit is approaching; [] for none."""
    notify: Texts | None = None
    """Names of the channels that are told; absent = all, [] = none."""
    fallback: Name | None = None
    """Channel that is told when another one fails for good with a message about this limit; absent = as in [alerts]."""
    measure: Annotated[LimitedValue, Strict(False)] = LimitedValue.SPEND
    """"spend", or "api_equivalent": what coding agents' usage under a plan would have cost, in place of spend."""
    reserve: Annotated[str, AfterValidator(_reserve)] | None = None
    """Counts requests without a known price at this model's price, for example "model:gpt-4o"."""

    @model_validator(mode="after")
    def _blocks_of_agents(self) -> LimitSettings:
        of_agents = parse_window(self.window).kind is WindowKind.BLOCK
        if (self.each is Each.AGENT and not of_agents) or (of_agents and self.each not in (None, Each.AGENT)):
            raise ValueError('counts by "agent" where the window is "5h-block", and only there; leave `each` out')
        return self

    def limit(self) -> Limit:
        """The limit as the rules know it."""
        window = parse_window(self.window)
        return Limit(
            name=self.name,
            window=window,
            amount=self.usd,
            warn=self.warn,
            each=self.each or _EACH_OF.get(window.kind),
            where=parse_filter(self.where) if self.where else None,
            where_text=self.where,
            notify=self.notify,
            reserve=self.reserve.removeprefix("model:") if self.reserve else None,
            measure=self.measure,
        )


class LimitsSettings(Section):
    """What holds for all limits."""

    include_provider: bool = False
    """true lets limits that providers themselves enforce decide at /verdict, too."""


def _channel_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    reason = refusal(url) if url else "must not be empty"
    if reason is not None:
        raise ValueError(reason)
    return secret


class ChannelSettings(Section):
    """One place that messages go to: one Apprise URL, one recipient."""

    name: Name
    """What `notify` of limits and accounts calls it."""
    url: Annotated[Secret, AfterValidator(_channel_url)]
    """An Apprise URL, or the webhook address that Slack or Discord gave you."""
    min_severity: Literal["info", "warning", "critical"] = "info"
    """Sends only messages of at least this severity: approaching is "warning", exceeded is "critical"."""


class AlertsSettings(Section):
    """What holds for all messages."""

    fallback: str = ""
    """Name of the channel that is told, once, when another one fails for good, with what was not delivered and why."""


if TYPE_CHECKING:
    _Prices = Section
else:
    _Prices = create_model(
        "_Prices",
        __base__=Section,
        __doc__="A price of every unit, by its names.",
        **{name: (Price | None, Field(default=None, description=named.meaning)) for name, named in PRICE_NAMES.items()},
    )


class PriceSettings(_Prices):
    """Your own prices of one model; they win over the published ones as a whole. "*" is every model without a price.

    What of a request has no price here is not taken from the published ones: it is unpriced.
    """

    @model_validator(mode="after")
    def _one_price_of_each_unit(self) -> PriceSettings:
        names: dict[str, str] = {}
        for name in self.model_fields_set:
            other = names.setdefault(PRICE_NAMES[name].unit, name)
            if other != name:
                raise ValueError(
                    f"has {' and '.join(sorted((name, other)))}, which are two prices of the same; give one"
                )
        if not self.rates:
            raise ValueError("has no price; give at least one, such as input")
        return self

    @property
    def rates(self) -> dict[str, Rate]:
        """By unit of the price list."""
        prices: dict[str, Decimal | None] = dict(self)
        return {
            PRICE_NAMES[name].unit: Rate.of(price, PRICE_NAMES[name].per)
            for name, price in prices.items()
            if price is not None
        }


def _hook(text: str, info: ValidationInfo) -> str:
    """The hook with an absolute path."""
    if not text:
        return text
    file, _, function = text.rpartition(":")
    if not file or not function.isidentifier():
        raise ValueError('must name a file and a function in it, such as "./costs.py:cost"')
    path = surroundings(info).resolve(file)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return f"{path}:{function}"


class PricingSettings(Section):
    """How costs are computed."""

    hook: Annotated[str, AfterValidator(_hook)] = ""
    """Your own rule, "./costs.py:cost": cost(request) -> Decimal | None, dollars. The path is relative to this file."""
    hook_over: Literal["unknown", "all"] = "unknown"
    """Asks it for costs that nobody reported and that have no own price, or for "all" before whatever anyone says."""
    update: bool = False
    """true fetches the published price list again and again, about 100 KB packed; false prices by the list that came
    with the program. What is priced already stays as it is."""
    update_every: PollInterval = 24 * HOUR
    """How often the list is fetched."""
    update_url: HttpsUrl = PRICE_LIST_URL
    """Where it is fetched from, https only: by default the genai-prices project's own file at GitHub. Nothing is sent
    but the request itself, with spendtop's name and version; no key, model or figure of yours."""


class RetentionSettings(Section):
    """How long things are kept."""

    bodies: Duration = 30 * DAY
    """Prompts and responses. Pieces of text that many of them share stay up to two weeks longer, in the dictionaries
    that pack them."""
    requests: Duration = 400 * DAY
    """Requests; what they cost stays in the totals of their months until then."""


class PrivacySettings(Section):
    """What of prompts and responses is kept."""

    bodies: Literal["full", "redact", "metadata_only", "none"] = "redact"
    """"full", "redact" (provider keys and our own secrets are masked before storage), "metadata_only" or "none"."""


class UiSettings(Section):
    """The screens, and what this installation is called."""

    name: str = ""
    """Says in messages which installation speaks; empty = the machine's name."""
    theme: str = "spendtop-dark"
    """Name of a theme."""
    keymap: dict[str, str] = Field(default_factory=dict)
    """Own keys: action = "key"."""
    bell: bool = False
    """Ring the terminal's bell when an alert begins."""
    title: bool = False
    """Name the terminal's window after today's spend and the alerts that call for somebody."""

    @property
    def shown_name(self) -> str:
        """What this installation is called."""
        return self.name.strip() or socket.gethostname()


class Settings(Section):
    """Everything that can be configured.

    Sources declare their own sections, so that a source stays one file; `settings_class` joins them to these, so that
    one pass over the configuration finds every error in it.
    """

    server: ServerSettings = Field(default_factory=ServerSettings)
    """The listener."""
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    """The store."""
    declared_accounts: Annotated[tuple[AccountSettings, ...], Strict(False)] = Field(default=(), alias="account")
    """Prepaid balances as [[account]] gives them."""
    limits: Annotated[tuple[LimitSettings, ...], Strict(False)] = Field(default=(), alias="limit")
    """Amounts that spend should not exceed."""
    limit_rules: LimitsSettings = Field(default=LimitsSettings(), alias="limits")
    """What holds for all limits."""
    channels: Annotated[tuple[ChannelSettings, ...], Strict(False)] = Field(default=(), alias="channel")
    """Where messages go."""
    alerts: AlertsSettings = Field(default_factory=AlertsSettings)
    """What holds for all messages."""
    anomaly: AnomalySettings = Field(default_factory=AnomalySettings)
    """Spend that is far above the usual."""
    loop: LoopSettings = Field(default_factory=LoopSettings)
    """Prompts that repeat one another."""
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    """Own prices by model."""
    pricing: PricingSettings = Field(default_factory=PricingSettings)
    """How costs are computed."""
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    """How long things are kept."""
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    """What of prompts and responses is kept."""
    time: TimeSettings = Field(default_factory=TimeSettings)
    """What days and weeks are to you."""
    ui: UiSettings = Field(default_factory=UiSettings)
    """The screens."""

    @property
    def accounts(self) -> tuple[AccountSettings, ...]:
        """The declared accounts, and those that sources bring for providers without a declared one."""
        declared = {account.provider for account in self.declared_accounts}
        implied = (account for section in self._source_sections() for account in section.implied_accounts())
        return (*self.declared_accounts, *(account for account in implied if account.provider not in declared))

    def section(self, kind: type[AnySection]) -> AnySection:
        """The section that is declared by this class. Raises LookupError when the settings were built without it."""
        for _, value in self:
            if isinstance(value, kind):
                return value
        raise LookupError(f"no section is declared by {kind.__name__}")

    def _source_sections(self) -> Iterator[SourceSection]:
        return (value for _, value in self if isinstance(value, SourceSection))


def settings_class(sections: Mapping[str, type[Section]]) -> type[Settings]:
    """Settings with these further sections; the same sections give the same class, so that settings compare."""
    return _joined(tuple(sections.items()))


@cache
def _joined(sections: tuple[tuple[str, type[Section]], ...]) -> type[Settings]:
    fields: dict[str, Any] = {
        name: (kind, Field(default_factory=kind, description=kind.__doc__)) for name, kind in sections
    }
    return create_model("Settings", __base__=Settings, __module__=__name__, **fields)
