"""The whole configuration as one frozen value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, Strict, create_model

from spendtop.config.accounts import AccountSettings, SourceSection
from spendtop.config.channels import ChannelSettings
from spendtop.config.database import DatabaseSettings
from spendtop.config.limits import LimitSettings
from spendtop.config.pricing import PriceSettings, PricingSettings
from spendtop.config.section import Section
from spendtop.config.server import ServerSettings
from spendtop.config.types import Duration
from spendtop.config.zone import machine_zone
from spendtop.domain.clock import DAY
from spendtop.domain.windows import Calendar

AnySection = TypeVar("AnySection", bound=Section)


class RetentionSettings(Section):
    """How long things are kept."""

    bodies: Duration = 30 * DAY
    """Prompts and responses."""
    requests: Duration = 400 * DAY
    """Requests; what they cost stays in the totals of their months until then."""


class PrivacySettings(Section):
    """What of prompts and responses is kept."""

    bodies: Literal["full", "redact", "metadata_only", "none"] = "redact"
    """"full", "redact" (provider keys and our own secrets are masked before storage), "metadata_only" or "none"."""


def _zone(text: str) -> str:
    return Calendar(zone=text).zone


def _clock_time(value: object) -> object:
    return value.strftime("%H:%M") if isinstance(value, time) else value


def _day_starts(text: str) -> str:
    return Calendar(day_starts=text).day_starts


class TimeSettings(Section):
    """What days and weeks are to you."""

    zone: Annotated[str, AfterValidator(_zone)] = Field(default_factory=machine_zone)
    """IANA name of the time zone that calendar windows follow; the machine's by default."""
    day_starts: Annotated[str, BeforeValidator(_clock_time), AfterValidator(_day_starts)] = "00:00"
    """Local time at which a day begins."""
    week_starts: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    """Weekday on which a week begins."""

    @property
    def calendar(self) -> Calendar:
        """Where local days, weeks and months begin."""
        return Calendar(zone=self.zone, day_starts=self.day_starts, week_starts=self.week_starts)


class UiSettings(Section):
    """The screens."""

    theme: str = "spendtop-dark"
    """Name of a theme."""
    keymap: dict[str, str] = Field(default_factory=dict)
    """Own keys: action = "key"."""


class Settings(Section):
    """Everything that can be configured.

    Sources declare their own sections, so that a source stays one file; `settings_class` joins them to these, so that
    one pass over the configuration finds every error in it.
    """

    server: ServerSettings = ServerSettings()
    """The listener."""
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    """The store."""
    declared_accounts: Annotated[tuple[AccountSettings, ...], Strict(False)] = Field(default=(), alias="account")
    """Prepaid balances as [[account]] gives them."""
    limits: Annotated[tuple[LimitSettings, ...], Strict(False)] = Field(default=(), alias="limit")
    """Amounts that spend should not exceed."""
    channels: Annotated[tuple[ChannelSettings, ...], Strict(False)] = Field(default=(), alias="channel")
    """Where messages go."""
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    """Own prices by model."""
    pricing: PricingSettings = PricingSettings()
    """How costs are computed."""
    retention: RetentionSettings = RetentionSettings()
    """How long things are kept."""
    privacy: PrivacySettings = PrivacySettings()
    """What of prompts and responses is kept."""
    time: TimeSettings = Field(default_factory=TimeSettings)
    """What days and weeks are to you."""
    ui: UiSettings = UiSettings()
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
