"""The generator is deterministic, and the shipped files are its output."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tests.waiting import DEADLINE

FOLDER = Path(__file__).parents[2] / "sample_data"
_MADE_OF = "import record; print(record.made_of())"


def generated(script: str, folder: Path, *options: str) -> Path:
    command = [sys.executable, str(FOLDER / script), "--out", str(folder), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=20 * DEADLINE)
    return folder


def test_the_month_is_made_of_what_is_here() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", _MADE_OF],
        check=True,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
    )
    shipped = (FOLDER / "made_of.txt").read_text()
    assert shipped == asked.stdout, "run sample_data/generate.py and sample_data/record.py again"


@pytest.mark.soak
def test_shipped_files_are_what_the_scripts_make(tmp_path: Path) -> None:
    generated("generate.py", tmp_path)
    generated("record.py", tmp_path)
    # Compressed bytes depend on the library that made them, what is in them does not.
    shipped, made = ((folder / "stream.jsonl.gz").read_bytes() for folder in (FOLDER, tmp_path))
    assert gzip.decompress(made) == gzip.decompress(shipped)
    assert (tmp_path / "live.jsonl").read_bytes() == (FOLDER / "live.jsonl").read_bytes()
    shipped, made = ((folder / "month.db.zst").read_bytes() for folder in (FOLDER, tmp_path))
    assert zstandard.decompress(made) == zstandard.decompress(shipped)


def test_same_seed_same_bytes_and_other_seed_other_bytes(tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        folder = tmp_path / name
        folder.mkdir()
        generated("generate.py", folder, "--seed", seed, "--days", "0.2")
        contents.append([(folder / file).read_bytes() for file in ("stream.jsonl.gz", "live.jsonl")])
    assert contents[0] == contents[1]
    assert all(one != other for one, other in zip(contents[0], contents[2], strict=True))


def test_what_is_shipped_stays_small() -> None:
    assert (FOLDER / "month.db.zst").stat().st_size < 4_000_000
    assert (FOLDER / "stream.jsonl.gz").stat().st_size < 500_000
