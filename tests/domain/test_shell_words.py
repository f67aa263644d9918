"""Words that a shell reads as they were meant."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.shell_words import shell_word


@given(st.text(st.characters(blacklist_characters="\0", codec="utf-8"), max_size=40))
def test_a_shell_reads_one_word_back(text: str) -> None:
    assert shlex.split(shell_word(text)) == [text]


@pytest.mark.parametrize(("path", "word"), [("-rf", "./-rf"), ("/srv/a b/s.db", "'/srv/a b/s.db'"), ("s.db", "s.db")])
def test_a_path_is_no_option(path: str, word: str) -> None:
    assert shell_word(PurePosixPath(path)) == word
