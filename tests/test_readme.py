import re

from tests.readme import README, with_current_blocks


def test_the_tables_are_what_the_program_has() -> None:
    text = README.read_text()
    assert with_current_blocks(text) == text, "run: python -m tests.readme"


def test_pictures_and_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        if "://" not in target:
            assert (README.parent / target).is_file(), target
