"""A key that is pressed before what it is about was read: it is done once that is there, if it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendtop.tui.actions import Action
    from spendtop.tui.screens.reader_screen import ReaderScreen

_PATIENCE = 5.0
"""Seconds after which nobody expects it any more."""


class EarlyKey:
    """The last one."""

    def __init__(
        self,
        screen: ReaderScreen,
        actions: Sequence[Action],
        works_now: Callable[[Action], bool],
        is_awaited: Callable[[], bool],
    ) -> None:
        """`is_awaited` says whether what the actions are about is still to be read."""
        self._screen = screen
        self._actions = {action.call: action for action in actions}
        self._works_now = works_now
        self._is_awaited = is_awaited
        self._action: Action | None = None
        self._until = 0.0

    def press(self, key: str) -> None:
        """Remember what the key does, unless it does that already. Nobody changes what nobody has seen."""
        if not self._is_awaited():
            return
        for binding in self._screen._bindings.key_to_bindings.get(key, ()):
            action = self._actions.get(binding.action)
            if action is None or self._works_now(action):
                continue
            if action.group == "act":
                self._screen.warn("The rows are still being read: press it again once they are there.")
            else:
                self._action, self._until = action, monotonic() + _PATIENCE

    def follow(self) -> None:
        """Do it as soon as it works; forget it when it does not once all is read, or when another screen is shown."""
        action, screen = self._action, self._screen
        if action is None:
            return
        works = screen.is_current and self._works_now(action)
        if works or not self._is_awaited() or not screen.is_current or monotonic() > self._until:
            self._action = None
        if works:
            screen.call_later(screen.run_action, action.call)
