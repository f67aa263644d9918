"""A published price list as it was loaded, with its version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING

from msgspec import Struct

from spendtop.domain.clock import to_datetime
from spendtop.domain.pricing.list_version import ListVersion

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot


class PublishedList(Struct, frozen=True):
    snapshot: DataSnapshot
    version: ListVersion
    problem: str | None = None
    """A sentence about a list that was wanted in its place and could not be read."""

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        return models_of(self.snapshot)

    def newest_price(self, now: int) -> str | None:
        """The day from which the newest of its dated prices holds that holds by now; later ones are announced."""
        today = to_datetime(now).date()
        days = [day for day in self._days() if day <= today]
        return max(days).isoformat() if days else None

    def _days(self) -> Iterator[date]:
        from genai_prices.types import StartDateConstraint

        for provider in self.snapshot.providers:
            for model in provider.models:
                for price in model.prices if isinstance(model.prices, list) else ():
                    if isinstance(price.constraint, StartDateConstraint):
                        yield price.constraint.start_date


def models_of(snapshot: DataSnapshot) -> frozenset[tuple[str, str]]:
    """Provider and model of every entry."""
    return frozenset((provider.id, model.id) for provider in snapshot.providers for model in provider.models)


def bundled_list() -> PublishedList:
    """The list that the installed package brings; loading it takes up to a second and 26 MB."""
    from genai_prices.data_snapshot import get_snapshot

    return PublishedList(get_snapshot(), ListVersion.of_package(package_release()))


def package_release() -> str:
    return version("genai-prices")
