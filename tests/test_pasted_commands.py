"""Commands that are printed to be pasted: whatever is filled in is quoted for a shell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendtop.cli.commands import COMMANDS

SRC = Path(__file__).parents[1] / "src" / "spendtop"
OURS = "|".join(sorted({words.split()[0] for words in COMMANDS}))
BEGINS = re.compile(
    rf"(?:^|[\s`(&|;])(?:spendtop (?:-|(?:{OURS}) )|"
    r"(?:sudo|rm|cp|mv|ln|cat|tar|chmod|chown|chgrp|setfacl|mkdir|touch|sqlite3|psql|pg_dump"
    r"|kill|export [A-Z_]+=|curl|openssl|systemctl|journalctl|docker|pip|python3?|lsof|fuser)\s)[^`\n]*$"
)
"""A program's name, and no end of its command yet: a backtick or a line's end."""
SAFE = re.compile(
    r"(?:shell_word|(?:shlex\.)?(?:quote|join))\(.*\)|(?:.*\b)?(?:pid|port|run_id|run\.id)"
    r"|message\.(?:alert|request)|'[a-z]+' if .* else '[a-z]+'"
)
"""What fills a place without harm: something quoted, a number, or one of two words."""


def unquoted(source: str) -> Iterator[str]:
    """Places in commands that are filled with something as it is, each as its line and expression."""
    tree = ast.parse(source)
    quoted = {
        name.id
        for each in ast.walk(tree)
        if isinstance(each, ast.Assign) and "shell_word(" in ast.unparse(each.value)
        for name in ast.walk(each.targets[0])
        if isinstance(name, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                expression = ast.unparse(part.value)
                if BEGINS.search(before) and expression not in quoted and not SAFE.fullmatch(expression):
                    yield f"{node.lineno}: {before[-60:]}{{{expression}}}"
                before += "0"
            elif isinstance(part, ast.Constant):
                before += str(part.value)


@pytest.mark.parametrize("module", sorted(SRC.rglob("*.py")), ids=lambda path: str(path.relative_to(SRC)))
def test_every_place_in_a_command_is_quoted(module: Path) -> None:
    assert list(unquoted(module.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    ['f"run: rm -f {path}-wal"', 'f"`spendtop ledger sync {name} 5`"', 'f"x\\nOr: cp A {quote(a)} && mv {b} c"'],
)
def test_the_rule_finds_what_is_not_quoted(line: str) -> None:
    assert len(list(unquoted(line))) == 1


@pytest.mark.parametrize("line", ['f"run: rm -f {quote(path)}"', 'f"`spendtop stop` ends {name}"', 'f"kill -9 {pid}"'])
def test_the_rule_leaves_alone_what_is_harmless(line: str) -> None:
    assert list(unquoted(line)) == []
