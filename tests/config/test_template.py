from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

from spendtop.config.legacy_env import read_old_names
from spendtop.config.settings import settings_class
from spendtop.config.shape import fields_by_key
from spendtop.config.template import render
from spendtop.sources.settings import SECTIONS
from tests.config.conftest import LoadText


def test_the_fresh_file_means_defaults(load_text: LoadText) -> None:
    assert load_text(render(SECTIONS)).settings == load_text("").settings


def test_given_keys_are_in_place(load_text: LoadText) -> None:
    keys = {"server": {"api_key": 'quo"ted \\ key', "ingest_keys": {"default": "0123456789abcdef"}}}
    server = load_text(render(SECTIONS, keys)).settings.server
    assert server.api_key.get_secret_value() == 'quo"ted \\ key'
    assert server.ingest_keys["default"].get_secret_value() == "0123456789abcdef"


def test_every_commented_key_is_valid_when_it_is_switched_on(folder: Path, load_text: LoadText) -> None:
    text = re.sub(r"(?m)^# (?=[\w\"-]+ = |\[)", "", render(SECTIONS))
    environ = {"SLACK_WEBHOOK_URL": "slack://T/B/X", "OPENROUTER_KEY": "x"}
    settings = load_text(text, environ=environ).settings
    assert [limit.name for limit in settings.limits] == ["daily", "each user", "one request"]
    assert settings.prices and settings.channels and settings.accounts
    shown = tomllib.loads(text)
    assert set(shown) == set(fields_by_key(settings_class(SECTIONS)))
    for name, kind in (("server", settings.server), *((name, kind()) for name, kind in SECTIONS.items())):
        assert set(shown[name]) == set(fields_by_key(type(kind)))


def test_an_old_env_file_can_be_written_as_a_configuration(folder: Path, load_text: LoadText) -> None:
    env_file = folder / "old.env"
    env_file.write_text(
        "HELICONE_WEBHOOK_SECRET=whsec\nHOURLY_SPEND_LIMIT=$5\nDAILY_SPEND_LIMIT=50.5\nINGEST_RPM=7\nPORT=9000\n"
        "EMAIL_USERNAME=b@gmail.com\nEMAIL_PASSWORD=p w\nALERT_EMAIL_TO=a@x.example,b@x.example\nDB_FILENAME=a.db\n"
    )
    layer = read_old_names(env_file, folder, {}).layer
    written = load_text(render(SECTIONS, layer.values)).settings
    env_file.rename(folder / ".env")
    assert written == load_text("").settings
    assert len(written.channels) == 2


def test_lines_fit_an_editor() -> None:
    assert max(map(len, render(SECTIONS).splitlines())) <= 120


def test_what_a_section_is_for_is_a_whole_sentence() -> None:
    lines = render(SECTIONS).splitlines()
    headings = [above for above, line in pairwise(lines) if line.startswith("[")]
    assert headings and all(heading.endswith(".") for heading in headings if heading.startswith("# ")), headings
