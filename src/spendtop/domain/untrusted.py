"""Text from outside, made harmless for terminals, mails and logs.

Nothing that moves a cursor, reorders or hides text is left: control characters become pictures, format characters and
code points without a meaning become `<U+202E>`. Zero-width joiners stay between emoji.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

LINE_LIMIT = 256
SENTENCE_LIMIT = 1_000
"""What is amiss, whole, as its end is the way out."""
TEXT_LIMIT = 20_000
LINES_LIMIT = 2_000
MESSAGE_LIMIT = 64
NAME_LIMIT = 256
MOST_COMBINING_MARKS = 4

_NEWLINE = re.compile(r"\r\n?|\n")
_TAB = "    "
_JOINER = "\u200d"
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
_UNSAFE_CATEGORIES = frozenset({"Cf", "Zl", "Zp", "Co", "Cn", "Cs"})
_EMOJI = "[\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"


class Untrusted(str):
    """A string from outside. `str(x)` and `f"{x}"` give one clean line; operators and `join` see the original."""

    __slots__ = ()

    def __str__(self) -> str:
        return clean_line(self.raw)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    @property
    def raw(self) -> str:
        """The original characters, not safe to show."""
        return str.__str__(self)

    def text(self, limit: int = TEXT_LIMIT, lines: int = LINES_LIMIT) -> str:
        """The clean form with its lines kept, as `clean_text` gives it."""
        return clean_text(self.raw, limit, lines)


def clean_line(text: str, limit: int = LINE_LIMIT) -> str:
    """`text` as one harmless line of at most `limit` characters; `…` marks a cut, `⏎` a line's end."""
    cleaned = _clean(_NEWLINE.sub("⏎", text[: limit + 1]))
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def clean_name(text: str, limit: int) -> str:
    """`text` as one harmless line of at most `limit` characters, cut in its middle, where identities differ least."""
    if len(text) > 2 * LINE_LIMIT:
        text = text[:LINE_LIMIT] + text[-LINE_LIMIT:]
    cleaned = _clean(_NEWLINE.sub("⏎", text))
    if len(cleaned) <= limit:
        return cleaned
    tail = (limit - 1) // 2
    return f"{cleaned[: limit - 1 - tail]}…{cleaned[len(cleaned) - tail :]}"


def clean_text(text: str, limit: int = TEXT_LIMIT, lines: int = LINES_LIMIT) -> str:
    """`text` harmless, with its lines. Beyond `limit` original characters or `lines` lines it says how much is left."""
    kept = min(len(text), limit)
    for count, newline in enumerate(_NEWLINE.finditer(text, 0, kept), start=1):
        if count == lines:
            kept = newline.start()
            break
    cleaned = "\n".join(map(_clean, _NEWLINE.split(text[:kept])))
    left = len(text) - kept
    return f"{cleaned}\n… {left:,} more characters" if left else cleaned


def storable(text: str) -> str:
    """`text` as both databases accept it: NFC, NUL as `␀`, half surrogate pairs as U+FFFD."""
    if text.isascii():
        return text.replace("\0", "␀") if "\0" in text else text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return unicodedata.normalize("NFC", whole).replace("\0", "␀")


def storable_name(text: str) -> str:
    """A user, model, session or other name as it is stored: `storable`, at most 256 characters."""
    return storable(text)[:NAME_LIMIT]


def are_storable_names(texts: Iterable[str | None]) -> bool:
    """Whether `storable_name` leaves all of these as they are, as is seen of most at once; none of them is empty."""
    for text in texts:
        if text is not None and not (text and text.isascii() and len(text) <= NAME_LIMIT and "\0" not in text):
            return False
    return True


def neutral_for_message(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """A name inside an outgoing message: one clean line of `limit` characters that mentions nobody and opens no
    markup."""
    return re.sub("[@<]", "\\g<0>\u200b", clean_line(text, limit))


def _clean(line: str) -> str:
    if line.isascii():
        return line if line.isprintable() else line.translate(_Replacements())
    cleaned = _stray_joiner().sub("<U+200D>", line.translate(_Replacements()))
    return _long_mark_run().sub(lambda run: run[0][:MOST_COMBINING_MARKS], cleaned)


class _Replacements:
    """A table for `str.translate`."""

    def __getitem__(self, code: int) -> int | str:
        return _replacement(code)


@lru_cache(maxsize=8192)
def _replacement(code: int) -> int | str:
    character = chr(code)
    if character == "\t":
        return _TAB
    if code < 0x20:
        return code + 0x2400
    if code == 0x7F:
        return "␡"
    if 0x80 <= code < 0xA0:
        return f"<{code:02X}>"
    unsafe = unicodedata.category(character) in _UNSAFE_CATEGORIES or character in _FILLERS
    return f"<U+{code:04X}>" if unsafe and character != _JOINER else code


@cache
def _stray_joiner() -> re.Pattern[str]:
    """A zero-width joiner that does not stand between emoji."""
    return re.compile(f"{_JOINER}(?:(?!{_EMOJI})|(?<!{_EMOJI}{_JOINER})(?<!{_EMOJI}\ufe0f{_JOINER}))")


@cache
def _long_mark_run() -> re.Pattern[str]:
    """More combining marks in a row than any script needs.

    The look-ahead is what makes the search fast: `re` scans quickly for a class of the basic plane and whole ranges.
    """
    codes = (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0))
    marks = [chr(code) for code in codes if unicodedata.category(chr(code))[0] == "M"]
    basic = "".join(mark for mark in marks if mark <= "\uffff")
    beyond = "".join(mark for mark in marks if mark > "\uffff")
    possible = f"{basic}\U00010000-{marks[-1]}"
    return re.compile(f"(?=[{possible}])(?:[{basic}]|[{beyond}]){{{MOST_COMBINING_MARKS + 1},}}")
