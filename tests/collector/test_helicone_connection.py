"""Which webhooks are ours, and where a signing secret is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from spendtop.collector.helicone_connection import (
    NotKept,
    destination_of,
    keep_secret,
    leading_here,
    management,
    secrets_of,
    shortcomings,
)
from spendtop.config.load import Loaded, load
from spendtop.domain.errors import ConfigError, UsageError
from spendtop.sources.helicone_webhooks import Webhook
from spendtop.sources.settings import SECTIONS

NEW = "new-secret-0123456789abcdef"
OLD = "old-secret-0123456789abcdef"
Reading = Callable[[], Loaded]


def reading(folder: Path, text: str | None, environ: Mapping[str, str] | None = None) -> Reading:
    file = folder / "spendtop.toml"
    if text is not None:
        file.touch(mode=0o600)
        file.write_text(text)
    return lambda: load(sections=SECTIONS, environ=environ or {}, folder=folder)


def webhook(destination: str, secret: str = OLD, **fields: object) -> Webhook:
    values = {"id": "1", "sample_rate": 100.0, "filtered": False, "includes_data": True, **fields}
    return Webhook(destination=destination, secret=secret, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://a.example", "https://a.example/webhook"),
        ("https://a.example:8443/", "https://a.example:8443/webhook"),
        ("https://a.example/spend/", "https://a.example/spend/webhook"),
        ("https://a.example/webhook", "https://a.example/webhook"),
    ],
)
def test_helicone_posts_to_the_webhook_behind_the_public_address(url: str, destination: str) -> None:
    assert destination_of(url) == destination


def test_an_address_with_a_password_is_refused_without_being_quoted_whole() -> None:
    with pytest.raises(UsageError):
        destination_of("https://me:pw@a.example")


def test_ours_are_those_with_our_secret_or_our_address(tmp_path: Path) -> None:
    text = f'[server]\npublic_url = "https://a.example/"\n[helicone]\nwebhook_secrets = ["{OLD}"]\n'
    settings = reading(tmp_path, text)().settings
    by_secret, by_address = webhook("https://b.example/webhook"), webhook("https://a.example/webhook", NEW)
    other, unsigned = webhook("https://c.example/webhook", NEW), webhook("https://d.example/webhook", "")
    assert leading_here([by_secret, by_address, other, unsigned], settings) == [by_secret, by_address]


def test_a_webhook_says_what_it_leaves_out() -> None:
    assert shortcomings(webhook("https://a.example/webhook")) == []
    narrowed = webhook("https://a.example/webhook", sample_rate=12.5, filtered=True, includes_data=False)
    assert ["12.5 %" in sentence for sentence in shortcomings(narrowed)] == [True, False, False]


def test_without_an_api_key_nobody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="api_key"):
        management(reading(tmp_path, "")().settings)


def test_the_new_secret_goes_before_the_old_ones(tmp_path: Path) -> None:
    read = reading(tmp_path, f'[helicone]\nwebhook_secrets = ["{OLD}"] # one\n')
    assert keep_secret(read(), read, NEW) == tmp_path / "spendtop.toml"
    assert (tmp_path / "spendtop.toml").read_text() == f'[helicone]\nwebhook_secrets = ["{NEW}", "{OLD}"] # one\n'
    assert secrets_of(read().settings) == {NEW, OLD}
    assert keep_secret(read(), read, NEW) is None


def test_a_file_that_held_no_secret_is_closed_to_others(tmp_path: Path) -> None:
    read = reading(tmp_path, "[server]\nport = 1\n")
    (tmp_path / "spendtop.toml").chmod(0o644)
    keep_secret(read(), read, NEW)
    assert (tmp_path / "spendtop.toml").stat().st_mode & 0o777 == 0o600
    assert secrets_of(read().settings) == {NEW}


@pytest.mark.parametrize(
    ("text", "environ", "env_file", "said"),
    [
        (None, {}, "", "SPENDTOP_HELICONE__WEBHOOK_SECRETS"),
        (None, {"SPENDTOP_HELICONE__WEBHOOK_SECRETS": OLD}, "", "come from environment"),
        ("", {"SPENDTOP_HELICONE__WEBHOOK_SECRETS": OLD}, "", "come from environment"),
        ("", {}, f"HELICONE_WEBHOOK_SECRET={OLD}\n", r"come from \.env HELICONE_WEBHOOK_SECRET"),
        ('[helicone]\nwebhook_secrets = ["env:HOOK"]\n', {"HOOK": OLD}, "", "come from env:HOOK"),
        ('helicone.api_key = "k"\n', {}, "", "edited safely"),
    ],
)
def test_where_it_cannot_be_kept_it_says_where_it_belongs_and_nothing_changes(
    tmp_path: Path, text: str | None, environ: dict[str, str], env_file: str, said: str
) -> None:
    if env_file:
        (tmp_path / ".env").write_text(env_file)
    read = reading(tmp_path, text, environ)
    with pytest.raises(NotKept, match=said) as refused:
        keep_secret(read(), read, NEW)
    assert NEW not in str(refused.value)
    file = tmp_path / "spendtop.toml"
    assert (file.read_text() if file.exists() else None) == text


def test_a_file_that_is_not_good_afterwards_is_put_back(tmp_path: Path) -> None:
    text = "[server]\nport = 1\n"
    read = reading(tmp_path, text)
    loaded = read()

    def refuse() -> Loaded:
        raise ConfigError("somebody broke it meanwhile")

    with pytest.raises(NotKept, match="meanwhile"):
        keep_secret(loaded, refuse, NEW)
    assert (tmp_path / "spendtop.toml").read_text() == text


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reading(tmp_path, "")

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(NotKept, match="Permission denied"):
        keep_secret(read(), read, NEW)
