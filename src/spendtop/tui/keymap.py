"""What is wrong with the keys that somebody wrote into `[ui] keymap`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from spendtop.domain.errors import nearest
from spendtop.tui.actions import (
    ALERTS,
    APP,
    BREAKDOWN,
    DETAIL,
    ENTITIES,
    LEDGER,
    LIMITS,
    LIVE,
    MODELS,
    MOVE,
    OVERVIEW,
    REQUESTS,
    SESSION,
    SESSIONS,
    SOURCES,
    TABLES,
)
from spendtop.tui.screens import SCREENS

_BY_SCREEN = (
    OVERVIEW,
    MODELS,
    (*REQUESTS, *SESSION, *DETAIL),
    SOURCES,
    SESSIONS,
    BREAKDOWN,
    ENTITIES,
    ALERTS,
    LEDGER,
    LIMITS,
)
_EVERYWHERE = (*APP, *LIVE, *MOVE)


def unknown_ids(keymap: Iterable[str]) -> str:
    """What names no action, with the nearest that there is; empty when all is well."""
    ids = {action.id for table in TABLES for action in table} | _screen_keys().keys()
    complaints = []
    for name in keymap:
        if name not in ids:
            near = nearest(name, sorted(ids))
            complaints.append(f"no action is called '{name}'" + (f", did you mean '{near}'?" if near else ""))
    return "; ".join(complaints)


def clashes(keymap: Mapping[str, str]) -> Iterator[str]:
    """For each key that is given to an action while another on the same screen has it: which, and who."""
    told: set[tuple[str, frozenset[str]]] = set()
    for actions in _BY_SCREEN:
        usual = {action.id: _keys(action.keys) for action in (*_EVERYWHERE, *actions)} | _screen_keys()
        present = {name: _keys(keymap[name]) if name in keymap else keys for name, keys in usual.items()}
        for name in filter(usual.__contains__, keymap):
            for other, keys in present.items():
                for key in sorted(present[name] & keys - usual[name]) if other != name else ():
                    clash = key, frozenset((name, other))
                    if clash not in told:
                        told.add(clash)
                        yield f"'{name}' is given the key {key}, which '{other}' has"


def _keys(keys: str) -> frozenset[str]:
    return frozenset(key.strip() for key in keys.split(","))


def _screen_keys() -> dict[str, frozenset[str]]:
    return {f"screen-{name}": frozenset((screen.key,)) for name, screen in SCREENS.items()}
