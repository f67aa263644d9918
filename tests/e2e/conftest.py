"""Addresses on this machine, for clients whose failures are not to count for others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def addresses() -> Iterator[str]:
    """Addresses that nobody has called from yet."""
    return (f"127.0.{high}.{low}" for high in range(1, 256) for low in range(1, 255))
