"""The generator is deterministic, and the shipped files are its output."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

from tests.waiting import DEADLINE

FOLDER = Path(__file__).parents[2] / "sample_data"


def generated(folder: Path, *options: str) -> Path:
    command = [sys.executable, str(FOLDER / "generate.py"), "--out", str(folder), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE)
    return folder


def test_shipped_traffic_is_what_the_generator_makes(tmp_path: Path) -> None:
    made = generated(tmp_path, "--seed", "7")
    # Compressed bytes depend on the zlib that made them, lines do not.
    shipped = gzip.decompress((FOLDER / "traffic.jsonl.gz").read_bytes())
    assert gzip.decompress((made / "traffic.jsonl.gz").read_bytes()) == shipped
    assert (made / "live.jsonl").read_bytes() == (FOLDER / "live.jsonl").read_bytes()


def test_same_seed_same_bytes_and_other_seed_other_bytes(tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        folder = tmp_path / name
        folder.mkdir()
        generated(folder, "--seed", seed, "--days", "3")
        contents.append([(folder / file).read_bytes() for file in ("traffic.jsonl.gz", "live.jsonl")])
    assert contents[0] == contents[1]
    assert all(one != other for one, other in zip(contents[0], contents[2], strict=True))


def test_shipped_traffic_stays_small() -> None:
    assert (FOLDER / "traffic.jsonl.gz").stat().st_size < 3_000_000
