"""An ngrok SDK that opens no tunnel, and remembers what was asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from unittest.mock import patch

TOKEN = "2abcDEF_canary_authtoken"


class FakeNgrok(ModuleType):
    """Stands in for the module `ngrok`."""

    def __init__(self, url: str) -> None:
        super().__init__("ngrok")
        self.__spec__ = ModuleSpec("ngrok", None)
        self.url = url
        self.refuses: list[str] = []
        """What the next connections fail with, one each."""
        self.leads_to: list[str] = []
        self.tokens: list[str] = []
        self.closed: list[str] = []

    def SessionBuilder(self) -> _Builder:
        """As the SDK calls it."""
        return _Builder(self)


class _Builder:
    def __init__(self, ngrok: FakeNgrok) -> None:
        self._ngrok = ngrok

    def authtoken(self, token: str) -> _Builder:
        self._ngrok.tokens.append(token)
        return self

    async def connect(self) -> _Session:
        if self._ngrok.refuses:
            raise ValueError(self._ngrok.refuses.pop(0))
        return _Session(self._ngrok)


class _Session:
    def __init__(self, ngrok: FakeNgrok) -> None:
        self._ngrok = ngrok

    def http_endpoint(self) -> _Session:
        return self

    async def listen_and_forward(self, url: str) -> _Listener:
        self._ngrok.leads_to.append(url)
        return _Listener(self._ngrok)

    async def close(self) -> None:
        self._ngrok.closed.append("session")


class _Listener:
    def __init__(self, ngrok: FakeNgrok) -> None:
        self._ngrok = ngrok

    def url(self) -> str:
        return self._ngrok.url

    async def close(self) -> None:
        self._ngrok.closed.append("listener")


@contextmanager
def installed(url: str = "https://canary.ngrok.app") -> Iterator[FakeNgrok]:
    """The extra `tunnel` is there meanwhile."""
    fake = FakeNgrok(url)
    with patch.dict("sys.modules", {"ngrok": fake}):
        yield fake
