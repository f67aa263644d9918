"""The fixtures of commands and of screens, together."""

from tests.cli.conftest import cli, home_store
from tests.tui.conftest import empty_file, session_over

__all__ = ("cli", "empty_file", "home_store", "session_over")
