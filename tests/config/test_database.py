from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.config.database import database_url, holds_password
from spendtop.config.settings import DatabaseSettings
from spendtop.config.types import Surroundings


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:///a.db", "sqlite:////base/a.db"),
        ("sqlite:///./b/../a.db?timeout=5", "sqlite:////base/a.db?timeout=5"),
        ("sqlite:////abs/a.db", "sqlite:////abs/a.db"),
        ("postgres://u:p@h:5/db?sslmode=require", "postgresql+psycopg://u:p@h:5/db?sslmode=require"),
        ("postgresql://h/db", "postgresql+psycopg://h/db"),
        ("postgresql+psycopg:///db?host=/run/pg", "postgresql+psycopg:///db?host=/run/pg"),
    ],
)
def test_urls_get_our_driver_and_absolute_paths(given: str, used: str) -> None:
    assert database_url(given, Surroundings(folder=Path("/base"))) == used


@pytest.mark.parametrize(
    "url",
    ["", "a.db", "mysql://h/x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "postgres://", "postgres://h:port/d"],
)
def test_stores_that_cannot_be_used_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        database_url(url, Surroundings())


def test_home_is_expanded() -> None:
    assert database_url("sqlite:///~/a.db", Surroundings()) == f"sqlite:///{Path.home()}/a.db"


def test_an_empty_url_is_the_users_data_folder() -> None:
    empty = DatabaseSettings.model_validate({"url": ""})
    assert empty == DatabaseSettings()
    assert empty.url.get_secret_value().endswith("/xdg/data/spendtop/spendtop.db")


def test_passwords_are_seen() -> None:
    urls = ["postgresql://u:p@h/d", "postgresql://h/d?password=p", "postgresql://u@h/d", "sqlite:///a.db"]
    assert [holds_password(url) for url in urls] == [True, True, False, False]
