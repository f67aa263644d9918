"""Pages of providers as the contract has them, and servers on this machine that answer with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer

_PAGES = Path(__file__).parent / "fixtures" / "providers_push"


def page(name: str) -> bytes:
    """A page as it came, such as `openai/spend_limit`; its numbers are written as the provider wrote them."""
    return (_PAGES / f"{name}.json").read_bytes()


def document(name: str) -> Any:
    """The same, decoded."""
    return msgspec.json.decode(page(name))


def part(name: str, *keys: str) -> bytes:
    """What lies under these keys of a page, as it was written."""
    raw = msgspec.Raw(page(name))
    for key in keys:
        raw = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[key]
    return bytes(raw)


class FakeApi(FakeProvider):
    """Answers by path to whom shows the right key, and 401 to others; of several pages of a path one after the other,
    by their cursors. 404 for all else."""

    def __init__(self, pages: Mapping[str, bytes | Answer | list[bytes]], **key: str) -> None:
        """`key` is the header that opens it, with `_` for `-`, and its value."""
        super().__init__()
        self.pages = dict(pages)
        self._key = {name.replace("_", "-"): value for name, value in key.items()}

    def good(self, asked: Asked) -> Answer:
        if any(asked.headers.get(name) != value for name, value in self._key.items()):
            return answer({"error": {"message": "the canary-answer-text"}}, 401)
        content = self.pages.get(asked.path)
        match content:
            case None:
                return answer({"error": {"message": "the canary-answer-text"}}, 404)
            case Answer():
                return content
            case bytes():
                return Answer(body=content)
        cursors = [None, *(msgspec.json.decode(each)["next_page"] for each in content[:-1])]
        return Answer(body=content[cursors.index(asked.one("page"))])

    def paths(self) -> list[str]:
        """What was asked for, in its order."""
        return [asked.path for asked in self.asked]
