"""Anthropic: the older cost report with names, and with the default workspace by its id, as the analytics have it."""

from __future__ import annotations

from msgspec.structs import replace

from spendtop.sources.pollers import Costs, PollFailed
from spendtop.sources.pollers.anthropic.costs import AnthropicCosts
from spendtop.sources.pollers.anthropic.names import AnthropicNames, anthropic_names
from spendtop.sources.pollers.http_client import USUAL, FetchBounds
from spendtop.sources.pollers.spacing import Spacing

_NAMES_EVERY = 24 * 3600.0


class AnthropicReport(AnthropicCosts):
    """The bills of `AnthropicCosts`, for whom the analytics are closed."""

    def __init__(self, key: str, base_url: str = "https://api.anthropic.com", *, bounds: FetchBounds = USUAL) -> None:
        super().__init__(key, base_url, bounds=bounds)
        self._names = Spacing(_NAMES_EVERY)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """As `AnthropicCosts` has them. Raises PollFailed."""
        names = await self._called() if self._names.is_due() else AnthropicNames()
        self._default_workspace = names.default_workspace or self._default_workspace
        return replace(await super().costs(first_day, last_day), names=names.names)

    async def _called(self) -> AnthropicNames:
        async with self._fetcher.poll() as poll:
            try:
                return await anthropic_names(poll)
            except PollFailed as failure:
                self._names.failed(failure)
                if failure.retry_after is not None:
                    raise
                return AnthropicNames()
