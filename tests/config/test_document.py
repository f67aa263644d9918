"""What can be read of a file with slips in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spendtop.config.document import Document, read_document

STORE = '[database]\nurl = "sqlite:////srv/mine.db"\n'
LIMIT = '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 5\n'


def read(folder: Path, text: str | bytes) -> Document:
    file = folder / "spendtop.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_document(file, folder)


def lines(document: Document) -> list[int]:
    """Where its problems are."""
    return [int(str(problem).split(":")[1]) for problem in document.problems]


def test_a_file_without_a_slip_has_no_problem(folder: Path) -> None:
    document = read(folder, STORE + LIMIT)
    assert (document.problems, document.hides_store) == ((), False)
    assert document.layer.value(("limit", 0, "usd")) == 5


@pytest.mark.parametrize(
    "slip",
    [
        "usd = ",
        'usd = "5',
        "usd = 5; warn = [0.5]",
        "usd 5",
        "usd = [5",
        'usd = """5',
        "usd = 5\nusd = 6",
        "[[usd",
        "]",
    ],
)
def test_a_slip_in_one_table_leaves_the_others(folder: Path, slip: str) -> None:
    document = read(folder, f'{STORE}[[limit]]\nname = "broken"\n{slip}\n{LIMIT}[ui]\ntheme = "x"\n')
    assert document.layer.value(("database", "url")) == "sqlite:////srv/mine.db"
    assert document.layer.value(("ui", "theme")) == "x"
    assert "daily" in [item.get("name") for item in document.layer.values["limit"]]
    assert not document.hides_store
    assert len(document.problems) == 1 and 3 <= lines(document)[0] <= 7
    origin = document.layer.origin(("ui", "theme"))
    assert origin is not None and origin.line == 11 + slip.count("\n")


def test_every_table_with_a_slip_is_told(folder: Path) -> None:
    document = read(folder, f"[server]\nport = \n{LIMIT}[ui]\ntheme = x\n{LIMIT}usd = 6\n")
    assert lines(document) == [2, 8, 13]
    assert len(document.layer.values["limit"]) == 1


def test_a_table_that_is_given_twice_counts_once(folder: Path) -> None:
    document = read(folder, f"{STORE}[ui]\ntheme = 'a'\n[ui]\ntheme = 'b'\n{LIMIT}")
    assert lines(document) == [5]
    assert document.layer.value(("ui", "theme")) == "a"
    assert document.layer.value(("limit", 0, "name")) == "daily"


@pytest.mark.parametrize(
    ("broken", "hides"),
    [
        ('[database]\nurl = "sqlite:////srv/mine.db"\ndisk_reserve = 1 MB\n', False),
        ('[database\nurl = "sqlite:////srv/mine.db"\n', False),
        ('[database]\nurl = "sqlite:////srv/mine.db\n', True),
        ("[database]\nurl sqlite\n", True),
        ('database]\nurl = "sqlite:////srv/mine.db"\n', True),
        ('database.url = "sqlite:////srv/mine.db\n', True),
        ("[server]\nport = \n", False),
    ],
)
def test_it_says_whether_what_is_lost_may_name_the_store(folder: Path, broken: str, hides: bool) -> None:
    document = read(folder, broken + LIMIT)
    assert document.hides_store is hides
    assert document.layer.value(("limit", 0, "name")) == "daily"
    if not hides and "database" in broken:
        assert document.layer.value(("database", "url")) == "sqlite:////srv/mine.db"


def test_a_file_that_cannot_be_read_at_all_hides_everything(folder: Path) -> None:
    document = read_document(folder / "none.toml", folder)
    assert document.hides_store and len(document.problems) == 1


def test_bytes_that_are_no_text_are_told_and_the_rest_is_read(folder: Path) -> None:
    document = read(folder, f"{STORE}[ui]\ntheme = '".encode() + b"\xff'\n" + LIMIT.encode())
    assert lines(document) == [4]
    assert document.layer.value(("limit", 0, "name")) == "daily"


@pytest.mark.parametrize("depth", [5_000])
def test_deep_nesting_is_a_slip_of_its_table(folder: Path, depth: int) -> None:
    document = read(folder, f"{STORE}[ui]\nkeymap = {'[' * depth}{']' * depth}\n{LIMIT}")
    assert "too deeply" in str(document.problems[0])
    assert document.layer.value(("limit", 0, "name")) == "daily"
