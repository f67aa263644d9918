"""The local configuration beside the one that the collector applied."""

from __future__ import annotations

from pathlib import Path

from spendtop.cli.local_config import LocalConfig
from spendtop.cli.options import Options, load_settings
from spendtop.domain.windows import Calendar
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo

LIMIT = '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 5\n'
ZONE = '[time]\nzone = "UTC"\n'


def save(text: str) -> Path:
    new, file = Path("new"), Path("spendtop.toml")
    new.write_text(text)
    new.chmod(0o600)
    return new.replace(file)


def local(text: str) -> LocalConfig:
    """Of a viewer that starts with this file."""
    save(text)
    return LocalConfig(Options(), load_settings(Options()))


def as_applied(config: LocalConfig, **changes: object) -> Applied:
    facts: dict[str, object] = {
        "limits": tuple(limit.limit() for limit in config.settings.limits),
        "calendar": Calendar("UTC"),
        "channels": (),
        "collector": CollectorInfo(version="1", host="h", pid=1, url="u", started_at=0),
        "at": 0,
        "config_digest": "",
    }
    return Applied(**{**facts, **changes})  # type: ignore[arg-type]


def test_what_differs_is_named() -> None:
    config = local(LIMIT + ZONE)
    assert config.differences(as_applied(config)) == ()
    assert config.differences(as_applied(config, limits=(), channels=("ops",))) == ("limits", "channels")


def test_the_file_counts_as_it_is_now() -> None:
    config = local(LIMIT + ZONE)
    applied = as_applied(config)
    config.look()
    save(LIMIT.replace("5", "50") + ZONE)
    config.look()
    assert config.differences(applied) == ("limits",)
    save(LIMIT + ZONE)
    config.look()
    assert config.differences(applied) == ()


def test_a_file_that_cannot_be_used_leaves_what_was_read() -> None:
    config = local(LIMIT + ZONE)
    applied = as_applied(config)
    save("[[limit\n")
    config.look()
    assert config.differences(applied) == ()
