"""The fixtures of commands and of screens, together."""

from tests.cli.conftest import cli, home_store
from tests.tui.conftest import session_over, store

__all__ = ("cli", "home_store", "session_over", "store")
