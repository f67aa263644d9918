"""Users, models or tokens as records: all that the list is of, shown or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from spendtop.domain.breakdown.measures import Measured
from spendtop.domain.clock import to_iso
from spendtop.domain.cost_words import known_cost
from spendtop.domain.money import Usd
from spendtop.tui.screens.file_export import Records

if TYPE_CHECKING:
    from spendtop.store.engine import Store
    from spendtop.tui.breakdown.entities_questions import EntitiesQuestion, Entity

_ALL = 1_000_000
_FIGURES = (
    "name",
    "requests",
    "cost_usd",
    "cost_nanousd",
    "unpriced",
    "before_usd",
    "before_nanousd",
    "before_unpriced",
    "plan_requests",
    "plan_usd",
    "plan_nanousd",
    "last_seen",
    "limits",
)


def all_entities(store: Store, question: EntitiesQuestion) -> Records:
    """`question` has readings of its own."""
    columns = (question.of.name, *_FIGURES)
    entities = replace(question, most=_ALL).ask_in(store).entities
    return columns, (dict(zip(columns, _values(each), strict=True)) for each in entities)


def _values(entity: Entity) -> tuple[object, ...]:
    """A cost that is of no request known is None."""
    row, plan = entity.row, entity.plan
    cost, before = _cost(row.whole), None if row.before is None else _cost(row.before)
    equivalent = _cost(plan) if plan.of else None
    return (
        row.head.key.raw,
        row.head.name.raw,
        row.whole.of,
        Usd.float_of(cost),
        Usd.nano_of(cost),
        row.whole.missing,
        Usd.float_of(before),
        Usd.nano_of(before),
        None if row.before is None else row.before.missing,
        plan.of,
        Usd.float_of(equivalent),
        Usd.nano_of(equivalent),
        None if entity.last_seen is None else to_iso(entity.last_seen),
        [use.limit.name for use in entity.limits],
    )


def _cost(measured: Measured) -> Usd | None:
    return known_cost(Usd(measured.amount), measured.of, measured.missing)
