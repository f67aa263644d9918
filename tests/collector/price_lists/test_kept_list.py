from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from spendtop.collector.price_lists import kept_list
from spendtop.collector.price_lists.kept_list import catalogue_of, first_list
from spendtop.collector.price_lists.raw_list import NoPriceList
from spendtop.config.paths import data_folder
from spendtop.config.settings import PricingSettings
from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.errors import CannotCreate
from spendtop.domain.pricing.pricer import Terms
from spendtop.domain.pricing.published_list import bundled_list
from tests.collector.price_lists.publisher import a_list, kept_in, name_of
from tests.conftest import SettableClock

URL = "https://prices.example/data.json"
FETCHED = PricingSettings(update=True, update_url=URL)


def test_a_kept_list_is_there_at_the_next_start_with_its_digest_and_time_as_version(
    tmp_path: Path, clock: SettableClock
) -> None:
    raw = a_list()
    kept_in(tmp_path).keep(raw, URL, clock())
    loaded = first_list(FETCHED, kept_in(tmp_path))
    assert loaded.version.name == name_of(raw, "2026-11-20")
    assert loaded.version.as_of == clock()
    assert loaded.problem is None and len(loaded.models) == 10
    path = kept_in(tmp_path).path
    assert path.read_bytes().endswith(b"\n" + raw)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) in (["price_list", "home"], ["home", "price_list"])


def test_the_same_list_again_keeps_its_date_and_is_younger(tmp_path: Path, clock: SettableClock) -> None:
    kept = kept_in(tmp_path)
    kept.keep(a_list(), URL, clock())
    clock.advance(2 * DAY)
    version = kept.keep(a_list(), URL, clock()).version
    assert (version.name, version.as_of) == (name_of(a_list(), "2026-11-20"), clock())
    other = kept.keep(a_list(["acme-other"]), URL, clock()).version
    assert other.name == name_of(a_list(["acme-other"]), "2026-11-22")


def test_without_updates_the_programs_own_list_is_used_though_one_is_kept(tmp_path: Path) -> None:
    kept_in(tmp_path).keep(a_list(), URL, 0)
    assert first_list(PricingSettings(), kept_in(tmp_path)) == bundled_list()


def test_a_list_of_another_address_or_of_an_earlier_program_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_in(tmp_path)
    kept.keep(a_list(), "https://other.example/data.json", 0)
    assert kept.load(URL) is None
    kept.keep(a_list(), URL, 0)
    assert kept.load(URL) is not None
    monkeypatch.setattr(kept_list, "package_release", lambda: "99.0")
    assert kept.load(URL) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-20],
        lambda whole: whole.replace(b"acme-3", b"acme-9"),
        lambda whole: whole + b" ",
        lambda whole: b"",
        lambda whole: b"\x00" * 5000,
        lambda whole: b"{}\n" + whole,
        lambda whole: whole.partition(b"\n")[0],
    ],
)
def test_a_damaged_file_is_not_used_and_that_is_said(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    kept = kept_in(tmp_path)
    kept.keep(a_list(), URL, HOUR)
    kept.path.write_bytes(damage(kept.path.read_bytes()))
    with pytest.raises(NoPriceList, match=r"^is damaged$"):
        kept.load(URL)
    first = first_list(FETCHED, kept)
    assert first.version == bundled_list().version
    assert first.problem == f"The kept price list {kept.path} is damaged; the one that came with the program is used"
    kept.keep(a_list(), URL, HOUR)
    assert first_list(FETCHED, kept).problem is None


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    (tmp_path / "elsewhere").write_text("mine")
    kept.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotCreate):
        kept.keep(a_list(), URL, 0)
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_commands_price_by_the_list_that_a_collector_kept(clock: SettableClock) -> None:
    kept_in(data_folder()).keep(a_list(), URL, clock())
    price = catalogue_of(FETCHED)("acme", "acme-1", Terms(), clock())
    assert price is not None and price.version == name_of(a_list(), "2026-11-20")
    assert catalogue_of(PricingSettings())("acme", "acme-1", Terms(), clock()) is None
