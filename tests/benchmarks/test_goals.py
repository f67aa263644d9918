"""Every figure that is promised, measured; takes many minutes. `pytest -m benchmark tests/benchmarks`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.workshop import Workshop

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One for all, so that the full store is made once."""
    return Workshop(Path(tmp_path_factory.mktemp("benchmarks")))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_figure_reaches_its_goal(name: str, workshop: Workshop) -> None:
    missed = [figure.row() for figure in BENCHMARKS[name](workshop) if not figure.is_reached]
    assert not missed, "\n".join(missed)
