from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.config import paths
from spendtop.config.time_settings import machine_zone


def test_folders_follow_the_xdg_variables_and_are_not_created(tmp_path: Path) -> None:
    places = [paths.config_file(), paths.data_folder(), paths.state_folder(), paths.theme_folder()]
    assert [str(place.relative_to(tmp_path / "xdg")) for place in places] == [
        "config/spendtop/spendtop.toml",
        "data/spendtop",
        "state/spendtop",
        "config/spendtop/themes",
    ]
    assert not (tmp_path / "xdg").exists()


def test_the_zone_is_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    localtime = tmp_path / "localtime"
    assert machine_zone(localtime) == "UTC"
    localtime.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert machine_zone(localtime) == "Europe/Berlin"
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert machine_zone(localtime) == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "CET-1CEST")
    assert machine_zone(localtime) == "Europe/Berlin"
