"""The entries of one provider's price list, by the names that mean them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    Provider,
)

from spendtop.domain.model_names import OWNERS, is_fine_tune

_NOT_SOLD = frozenset(
    {
        ("google", "gemma-2-27b-it"),
        ("google", "gemma-3"),
        ("google", "gemma-3n"),
        ("google", "gemma-4-26b-a4b-it"),
        ("google", "gemma-4-31b-it"),
        ("openai", "gpt-oss-120b"),
        ("openai", "gpt-oss-20b"),
        ("openai", "gpt-oss-safeguard-20b"),
    }
)
"""Open weights in the list of a maker that does not sell them: without a price, or at one taken from OpenRouter."""
_MEANT = {
    ("anthropic", "claude-2"): re.compile(r"claude-2\.[01]"),
    ("google", "gemini-2.0-flash-lite"): re.compile(r"gemini-2\.0-flash-lite-preview(?:-02-05)?"),
    ("google", "gemini-2.5-pro"): re.compile(r"gemini-2\.5-pro-preview(?:-\d\d-\d\d)?"),
    ("google", "gemini-3.1-pro-preview"): re.compile(r"gemini-3\.1-pro-preview-customtools"),
    ("google", "gemini-live-2.5-flash"): re.compile(
        r"gemini-live-2\.5-flash(?:-preview)?(?:-native-audio)?(?:-09-2025)?"
    ),
    ("openai", "computer-use"): re.compile(r"computer-use-preview(?:-2025-03-11)?"),
    ("openai", "moderation"): re.compile(r"(?:omni|text)-moderation-(?:latest|stable|007|2024-09-26)"),
}
"""Names that go on with more than a release after what a list matches, and are sold at that price all the same."""

_RELEASE = re.compile(
    r"(?:-v\d)?(?:[-@](?:20\d\d-\d\d-\d\d|20\d{6})|@\d{3}|-0\d\d|-\d{4}|-\d\d-(?:\d\d|20\d\d)|[-@](?:latest|default))?"
    r"(?:\[1m\])?"
)
_RELEASE_AT_BEDROCK = re.compile(r"(?:-20\d{6})?(?:-v\d)?(?::\d)?(?:\[1m\])?")
_FRONT_AT_BEDROCK = re.compile(rf"(?:us\.)?(?:(?:{OWNERS})\.)?|(?:apac|au|ca|eu|in|jp|me|sa)\.anthropic\.")
"""What may stand before a name whose price is not said to be a region's: others than Anthropic's cost more abroad."""
_FINE_TUNED_RELEASE = re.compile(r"[-\d]*(?::.*)?")
_CUSTOMERS = re.compile(r"[0-9a-z]+")
_DATE = re.compile(r"[-@](20\d\d)-?(\d\d)-?(\d\d)(?!\d)")
_CLOSED = re.compile(r"\^(?:\\d|\\\W|[^.\\])+\$")
"""A pattern of a whole name in which nothing is left open but digits."""

_NOTHING = ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0))


class PriceList:
    """One provider's entries."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider.id
        models = [each for each in provider.models if (provider.id, each.id) not in _NOT_SOLD]
        self._named: dict[str, ModelInfo] = {}
        for model in models:
            for name in _equals(model.match):
                self._named.setdefault(_spelled(name), model)
        for model in models:
            if model.is_match(model.id):  # others are labels, which nobody writes
                self._named.setdefault(_spelled(model.id), model)
        self._matching = [_Matching(provider.id, model) for model in models if not _is_exact(model.match)]

    def entry(self, name: str) -> ModelInfo | None:
        """The entry that a lower-case name means."""
        if self._provider == "openrouter" and name.endswith(":free"):
            return ModelInfo(name.removeprefix("openrouter/"), ClauseEquals(name), prices=_NOTHING)
        return self._named.get(_spelled(name)) or self._closest(name)

    def _closest(self, name: str) -> ModelInfo | None:
        best, longest = None, 0
        for each in self._matching:
            length = each.length(name)
            if length > longest:
                best, longest = each.model, length
        return best


class _Matching:
    """An entry that matches more names than it lists."""

    def __init__(self, provider: str, model: ModelInfo) -> None:
        self.model = model
        self._provider = provider
        self._parts = tuple(part.lower() for part in (*_parts(model.match), model.id) if part)
        self._patterns = tuple(re.compile(each) for each in _patterns(model.match) if _CLOSED.fullmatch(each))
        self._meant = _MEANT.get((provider, model.id))

    def length(self, name: str) -> int:
        """How much of a name the entry says where no more than a release is left over; 0 where it is not meant."""
        length = max(
            (len(part) for part in self._parts if part in name and self._leaves_a_release(part, name)), default=0
        )
        if not length and (
            any(pattern.search(name) for pattern in self._patterns)
            or (self._meant is not None and self._meant.fullmatch(name))
        ):
            length = len(name)
        return length if length and self.model.is_match(name) else 0

    def _leaves_a_release(self, part: str, name: str) -> bool:
        before, _, after = name.partition(part)
        if is_fine_tune(name):
            release = _FINE_TUNED_RELEASE if part.startswith("ft:") else _CUSTOMERS
            return is_fine_tune(self.model.id) and not before and release.fullmatch(after) is not None
        if after and (part[-1] in "-@" or (part[-1].isalnum() and after[0].isalnum())):
            # It ends within a release (`claude-sonnet-4-2025`), or within a word.
            begin = max(part.rfind("-"), part.rfind("@"))
            if begin < 0:
                return False
            after = part[begin:] + after
        if self._provider == "aws":
            return bool(_FRONT_AT_BEDROCK.fullmatch(before) and _RELEASE_AT_BEDROCK.fullmatch(after))
        if self._provider == "mistral" and after == "-latest":
            return False  # which by now is another model
        return not before and _RELEASE.fullmatch(after) is not None


def _spelled(name: str) -> str:
    """The one spelling in which names are looked up: lower case, dates without dashes."""
    return _DATE.sub(r"-\1\2\3", name.lower())


def _is_exact(match: MatchLogic) -> bool:
    return not isinstance(match, ClauseAnd) and all(isinstance(each, ClauseEquals) for each in _clauses(match))


def _clauses(match: MatchLogic) -> Iterator[MatchLogic]:
    if isinstance(match, ClauseOr):
        for each in match.or_:
            yield from _clauses(each)
    elif isinstance(match, ClauseAnd):
        for each in match.and_:
            yield from _clauses(each)
    else:
        yield match


def _equals(match: MatchLogic) -> Iterator[str]:
    yield from (each.equals for each in _clauses(match) if isinstance(each, ClauseEquals))


def _parts(match: MatchLogic) -> Iterator[str]:
    for each in _clauses(match):
        match each:
            case ClauseStartsWith(starts_with=text) | ClauseContains(contains=text) | ClauseEndsWith(ends_with=text):
                yield text


def _patterns(match: MatchLogic) -> Iterator[str]:
    yield from (each.regex for each in _clauses(match) if isinstance(each, ClauseRegex))
