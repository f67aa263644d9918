"""A key that is pressed before what it is about was read: it is done once that is there."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendtop.tui.screens.live_screen import LiveScreen

_PATIENCE = 5.0
"""Seconds after which nobody expects it any more."""


class EarlyKey:
    """The last one."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._action: str | None = None
        self._until = 0.0

    def press(self, key: str) -> None:
        """Remember what the key does on this screen, unless it does that already."""
        calls = {action.call: action for action in self._screen.ACTIONS}
        for binding in self._screen._bindings.key_to_bindings.get(key, ()):
            action = calls.get(binding.action)
            if action is not None and not self._screen.works_now(action):
                self._action, self._until = binding.action, monotonic() + _PATIENCE

    def follow(self) -> None:
        """Do it as soon as it works; forget it when it does not once all is read, or when another screen is shown."""
        action, screen = self._action, self._screen
        if action is None:
            return
        works = any(each.call == action and screen.works_now(each) for each in screen.ACTIONS)
        if works or not screen.is_awaited or not screen.is_current or monotonic() > self._until:
            self._action = None
        if works and screen.is_current:
            screen.call_later(screen.run_action, action)
