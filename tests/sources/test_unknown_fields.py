"""What is unknown in answers, posts and files: counted by name, within bounds, and only where somebody collects it."""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.sources.remarks import MOST_REMARKS, RemarkKind
from spendtop.sources import unknown_fields
from spendtop.sources.unknown_fields import collecting, tell, tell_beside


class Inner(Struct):
    amount: object = None


class Outer(Struct):
    rows: list[Inner]
    by_name: dict[str, Inner | int | None] | None = None
    anything: object = None


DOCUMENT = {
    "rows": [{"amount": {"any": 1}, "new": 1}, {"amount": 2, "new": 2, "told": 3}],
    "by_name": {"a": {"amount": 1, "newer": []}, "b": 7, "c": None},
    "anything": {"at": {"all": 1}},
    "newest": None,
}


def test_unknown_names_have_their_path_and_are_counted_once_for_an_answer() -> None:
    with collecting() as names:
        for _ in range(2):
            tell_beside(DOCUMENT, Outer, {"told"})
    assert names == {"rows.new": 2, "by_name.newer": 2, "newest": 2}
    remarks = unknown_fields.remarks(names)
    assert {each.kind for each in remarks} == {RemarkKind.UNKNOWN}
    assert {(each.name, each.count) for each in remarks} == {(name, 2) for name in names}


def test_what_is_not_an_object_where_one_is_known_is_nothing_to_count() -> None:
    with collecting() as names:
        documents: tuple[object, ...] = ([], "text", None, {"rows": "text", "by_name": [1]})
        for document in documents:
            tell_beside(document, Outer)
    assert not names


def test_names_are_bounded_and_nobody_hears_of_them_unless_asked() -> None:
    tell(["lost"])
    with collecting() as names:
        tell_beside({str(number): 1 for number in range(MOST_REMARKS * 3)}, Outer)
        with collecting() as inner:
            tell(["inner"])
        tell(["0"])
    assert len(names) == MOST_REMARKS + 1 and names["others"] == 2 * MOST_REMARKS
    assert names["0"] == 2 and inner == {"inner": 1}
