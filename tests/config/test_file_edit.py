"""One value more in a configuration file, all else as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from spendtop.config.file_edit import read_text, replace_private, with_entry, with_item
from spendtop.config.template import render
from spendtop.sources.settings import SECTIONS


def added(text: str) -> str | None:
    return with_item(text, "helicone", "webhook_secrets", "new")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[helicone]\nwebhook_secrets = ["new"]\n'),
        ("[server]\nport = 1", '[server]\nport = 1\n\n[helicone]\nwebhook_secrets = ["new"]\n'),
        ("[server]\nport = 1\n", '[server]\nport = 1\n\n[helicone]\nwebhook_secrets = ["new"]\n'),
        (
            '[helicone]  # mine\napi_key = "k"\n[server]\n',
            '[helicone]  # mine\nwebhook_secrets = ["new"]\napi_key = "k"\n[server]\n',
        ),
        ("[helicone]", '[helicone]\nwebhook_secrets = ["new"]\n'),
        (
            "[helicone]\n# The secrets.\n# webhook_secrets = []\n\n[ingest]\n",
            '[helicone]\n# The secrets.\n# webhook_secrets = []\nwebhook_secrets = ["new"]\n\n[ingest]\n',
        ),
        (
            "[helicone]\n[ingest]\n# webhook_secrets = []\n",
            '[helicone]\nwebhook_secrets = ["new"]\n[ingest]\n# webhook_secrets = []\n',
        ),
        ("[helicone]\nwebhook_secrets = []  # none\n", '[helicone]\nwebhook_secrets = ["new"]  # none\n'),
        ('[helicone]\nwebhook_secrets = ["old"] # x\n', '[helicone]\nwebhook_secrets = ["new", "old"] # x\n'),
        (
            '[helicone]\nwebhook_secrets = [\n  "old",  # since May\n]\n',
            '[helicone]\nwebhook_secrets = ["new",\n  "old",  # since May\n]\n',
        ),
        ('helicone = { webhook_secrets = ["old"] }\n', 'helicone = { webhook_secrets = ["new", "old"] }\n'),
        ('helicone.webhook_secrets = ["old"]\n', 'helicone.webhook_secrets = ["new", "old"]\n'),
        (
            '[ui]\ntheme = "a\u2028b" # \x85\n[helicone]\n[ingest]\n',
            '[ui]\ntheme = "a\u2028b" # \x85\n[helicone]\nwebhook_secrets = ["new"]\n[ingest]\n',
        ),
        ('[helicone]\r\napi_key = "k"\r\n', '[helicone]\r\nwebhook_secrets = ["new"]\r\napi_key = "k"\r\n'),
    ],
)
def test_the_item_is_put_in_and_all_else_stays(before: str, after: str) -> None:
    assert added(before) == after


@pytest.mark.parametrize(
    "text",
    [
        'helicone.api_key = "k"\n',
        'helicone = { api_key = "k" }\n',
        '[helicone]\nwebhook_secrets = "one"\n',
        'note = "webhook_secrets = ["\nhelicone = 3\n',
    ],
)
def test_what_cannot_be_edited_safely_is_left(text: str) -> None:
    assert added(text) is None


def test_text_that_only_looks_like_the_key_is_never_touched() -> None:
    text = 'note = """\n[helicone]\nwebhook_secrets = []\n"""\n'
    edited = added(text)
    assert edited is not None
    assert tomllib.loads(edited) == {**tomllib.loads(text), "helicone": {"webhook_secrets": ["new"]}}


def test_a_file_that_init_wrote_is_edited_beside_its_commented_default() -> None:
    text = render(SECTIONS, {})
    edited = added(text)
    assert edited is not None
    assert [line for line in edited.splitlines() if line not in text.splitlines()] == ['webhook_secrets = ["new"]']
    assert '# webhook_secrets = []\nwebhook_secrets = ["new"]\n' in edited


def test_the_file_is_replaced_at_once_and_closed_to_others(tmp_path: Path) -> None:
    file, link = tmp_path / "real.toml", tmp_path / "spendtop.toml"
    file.write_bytes(b"\xef\xbb\xbf[server]\r\n")
    file.chmod(0o644)
    link.symlink_to(file)
    assert read_text(link) == "[server]\r\n"
    replace_private(link, "[helicone]\r\n")
    assert link.is_symlink()
    assert file.read_bytes() == b"\xef\xbb\xbf[helicone]\r\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".toml") == ["real.toml", "spendtop.toml"]


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    file = folder / "spendtop.toml"
    file.write_text("[server]\n")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="busy"):
        replace_private(file, "")
    assert file.read_text() == "[server]\n"
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[server]\ningest_keys = { push = "s" }\n'),
        ("[server]\nport = 1 # one\n", '[server]\ningest_keys = { push = "s" }\nport = 1 # one\n'),
        (
            "[server]\n# ingest_keys = {}\nport = 1\n",
            '[server]\n# ingest_keys = {}\ningest_keys = { push = "s" }\nport = 1\n',
        ),
        (
            '[server]\ningest_keys = { app = "a" }  # mine\n',
            '[server]\ningest_keys = { push = "s", app = "a" }  # mine\n',
        ),
        ("[server]\ningest_keys = {}\n", '[server]\ningest_keys = { push = "s"}\n'),
        (
            '[server.ingest_keys]\n# apps\napp = "a"\n[helicone]\n',
            '[server.ingest_keys]\npush = "s"\n# apps\napp = "a"\n[helicone]\n',
        ),
        ('[server]\r\ningest_keys.app = "a"\r\n', None),
        ('[server]\ningest_keys = { push = "other" }\n', None),
        ("server = { port = 1 }\n", None),
    ],
)
def test_an_entry_goes_into_its_table_and_nothing_else_changes(before: str, after: str | None) -> None:
    assert with_entry(before, "server", "ingest_keys", "push", "s") == after
