from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from spendtop.config import settings
from spendtop.config.settings import LimitSettings, ServerSettings, Settings, settings_class
from spendtop.config.shape import meanings
from spendtop.config.time_settings import TimeSettings
from spendtop.config.types import Section, Surroundings
from spendtop.domain.limits.limit import Each
from spendtop.domain.money import Usd
from spendtop.domain.windows import parse_window
from spendtop.sources import settings as source_settings
from spendtop.sources.settings import SECTIONS, HeliconeSettings

MODULES = (settings, source_settings)
CLASSES = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Section) and value is not Section
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_setting_says_what_it_means(kind: type[Section]) -> None:
    assert kind.__doc__
    undocumented = [key for key, meaning in meanings(kind).items() if not meaning]
    assert undocumented == []


def test_all_settings_are_covered_by_the_rule_above() -> None:
    assert {Settings, ServerSettings, LimitSettings, *SECTIONS.values()} <= set(CLASSES)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        settings_class(SECTIONS)().server.port = 1


def test_a_section_is_found_by_its_class() -> None:
    whole = settings_class(SECTIONS)()
    assert whole.section(HeliconeSettings) == HeliconeSettings()
    assert whole.section(ServerSettings) is whole.server
    with pytest.raises(LookupError, match="HeliconeSettings"):
        Settings().section(HeliconeSettings)


def test_settings_with_the_same_sections_compare() -> None:
    assert settings_class(SECTIONS) is settings_class(dict(SECTIONS))
    assert settings_class(SECTIONS)() == settings_class(SECTIONS)()


def test_secrets_are_hidden_in_reprs() -> None:
    hidden = ServerSettings(api_key=SecretStr("CANARY"), ingest_keys={"a": SecretStr("CANARY")})
    assert "CANARY" not in f"{hidden!r} {hidden} {hidden.model_dump()} {hidden.model_dump_json()}"


def test_a_limit_becomes_a_rule() -> None:
    written = {"name": "a", "window": "24h", "usd": "$5", "each": "user", "where": "model:gpt", "reserve": "model:x"}
    rule = LimitSettings.model_validate(written).limit()
    assert (rule.window, rule.amount, rule.each, rule.reserve) == (parse_window("24h"), Usd.of(5), Each.USER, "x")
    assert (rule.where_text, rule.where is None, rule.warn) == ("model:gpt", False, (0.8,))
    plain = LimitSettings.model_validate({"name": "a", "window": "day", "usd": 1}).limit()
    assert (plain.where, plain.where_text, plain.reserve, plain.notify) == (None, "", None, None)


@pytest.mark.parametrize(
    "where",
    ["user:bob", "-model:gpt-4o-mini", "model:a | model:b", "(user:bob token:ci) | !provider:openai", "session:x"],
)
def test_a_scope_may_join_and_negate_simple_fields(where: str) -> None:
    assert LimitSettings.model_validate({"name": "a", "window": "day", "usd": 1, "where": where}).limit().where


@pytest.mark.parametrize("where", ["cost>1", "prop.env:prod", "bare", "user:a tok>5", "path:/x"])
def test_a_scope_may_use_no_other_field(where: str) -> None:
    with pytest.raises(ValidationError, match="a limit cannot use"):
        LimitSettings.model_validate({"name": "a", "window": "day", "usd": 1, "where": where})


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_only_loopback_addresses_are_local(host: str, is_local: bool) -> None:
    assert ServerSettings(host=host).is_local is is_local


def test_the_calendar_follows_the_time_section() -> None:
    calendar = TimeSettings(zone="Asia/Tokyo", day_starts="04:30", week_starts="sunday").calendar
    assert (calendar.zone, calendar.day_starts, calendar.week_starts) == ("Asia/Tokyo", "04:30", "sunday")


def test_a_limit_of_blocks_is_per_agent_and_user_and_no_other_limit_is() -> None:
    block = LimitSettings.model_validate({"name": "b", "window": "5h-block", "usd": 5}, context=Surroundings())
    assert block.limit().each is Each.AGENT
    for window, each in (("5h-block", "user"), ("day", "agent")):
        with pytest.raises(ValidationError, match="leave `each` out"):
            table = {"name": "b", "window": window, "usd": 5, "each": each}
            LimitSettings.model_validate(table, context=Surroundings())
