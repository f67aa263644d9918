"""Values as settings; where some cannot be taken, the rest without them, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from spendtop.config.layers import NAMED_LISTS, Layer
from spendtop.config.problems import ConfigProblem, broken_rules, problems_of
from spendtop.config.settings import Settings
from spendtop.config.toml import KeyPath
from spendtop.config.types import Surroundings

_ROUNDS = 8
"""What is left out may be missed by something else; more often than that nothing new comes up."""


class Validated(Struct, frozen=True):
    settings: Settings
    problems: tuple[ConfigProblem, ...] = ()
    """What was left out, and why."""

    @property
    def hides_store(self) -> bool:
        """Whether the address of the store is among what was left out."""
        return any(problem.path[:2] in (("database", "url"), ("database",), ()) for problem in self.problems)


def validated(merged: Layer, model: type[Settings], around: Surroundings) -> Validated:
    """As much of the values as can be taken. A limit, channel or account counts whole or not at all."""
    problems = list(broken_rules(merged.values))
    values = deepcopy(merged.values)
    for last in range(_ROUNDS):
        try:
            return Validated(model.model_validate(values, context=around), tuple(problems))
        except ValidationError as error:
            found = problems_of(error, model, merged)
            if last == 0:
                problems += found
            for path in _longest_last_item_first(problem.path for problem in found):
                _leave_out(values, path)
    return Validated(model.model_validate({}, context=around), tuple(problems))


def _longest_last_item_first(paths: Iterable[KeyPath]) -> list[KeyPath]:
    """So that no index has moved when its turn comes; each item of a named list once."""
    wholes = {path[:2] if path[:1] and path[0] in NAMED_LISTS else path for path in paths}
    return sorted(wholes, key=lambda path: [(isinstance(key, int), key) for key in path], reverse=True)


def _leave_out(values: dict[str, Any], path: KeyPath) -> None:
    """Take out what lies at a path, or the innermost table around it; of a plain list all of it."""
    table: Any = values
    holder, last = values, path[0] if path else None
    for key in path:
        if not isinstance(table, dict) or key not in table:
            break
        holder, last, table = table, key, table[key]
    if last in NAMED_LISTS and holder is values and len(path) > 1 and isinstance(table, list):
        del table[int(path[1])]
    elif last is not None:
        holder.pop(str(last), None)
    else:
        values.clear()
