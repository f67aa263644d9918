from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from spendtop.cli.collect import log_to_stderr


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_the_log_is_harmless_to_a_terminal_whatever_a_client_sent(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    root.handlers.clear()
    log_to_stderr(debug=False)
    try:
        raise ValueError("\x1b]52;c;ZXZpbA==\x07")
    except ValueError:
        root.exception("%s failed", "/requests/\x1b[2J")
    err = capsys.readouterr().err
    assert "/requests/␛[2J failed\n" in err
    assert "ValueError: ␛]52;c" in err
    assert not {"\x1b", "\x07"} & set(err)
