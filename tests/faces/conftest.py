"""The fixtures of commands and of screens, together."""

from tests.cli.conftest import cli, home_store
from tests.tui.conftest import empty_file, session_over, store

__all__ = ("cli", "empty_file", "home_store", "session_over", "store")
