"""`--tunnel ngrok`: a public address that leads to the listener, and Helicone's webhook to it.

What comes through the tunnel comes from this machine as far as the listener can tell, and is not trusted for that: the
Host that it names is a public one, which opens no route that needs a key.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from spendtop.collector.helicone_connection import NotKept, connect, destination_of, keep_secret, management
from spendtop.collector.setup import CompanionContext
from spendtop.collector.supervisor import pause
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.errors import SpendtopError, UsageError
from spendtop.domain.shell_words import shell_word
from spendtop.sources.helicone_webhooks import HeliconeWebhooks
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.settings import HeliconeSettings
from spendtop.store import facts
from spendtop.store.reads.configuration.applied import CONFIG_NEWS, tell_public_url
from spendtop.store.transactions import read, write

if TYPE_CHECKING:
    from ngrok import Listener, Session

_VARIABLE = "NGROK_AUTHTOKEN"
_DESTINATION = "tunnel_destination"
"""The row of `meta` that says where the webhook of the last tunnel leads."""
_ASK_AGAIN_AFTER = 60.0
_CLOSES_WITHIN = 3.0
"""Seconds."""
_ERROR_CODE = re.compile(r"ERR_NGROK_\d+")


class TunnelFailed(SpendtopError):
    """The tunnel is not open. The text never quotes ngrok, which quotes the authtoken."""


def authtoken(settings: Settings) -> str:
    """What ngrok knows us by. Raises UsageError where it, or ngrok itself, is missing."""
    if importlib.util.find_spec("ngrok") is None:
        raise UsageError("--tunnel ngrok needs the extra `tunnel`: pip install 'spendtop[tunnel]'.")
    token = settings.server.ngrok_authtoken.get_secret_value() or os.environ.get(_VARIABLE, "").strip()
    if not token:
        raise UsageError(
            f"--tunnel ngrok needs your authtoken from dashboard.ngrok.com: set {_VARIABLE}, or ngrok_authtoken under"
            " [server]."
        )
    return token


class Tunnel:
    """One tunnel while the collector runs."""

    def __init__(self, context: CompanionContext, token: str, reload: Callable[[], Loaded]) -> None:
        """`reload` reads the configuration as it is now."""
        self._context = context
        self._token = token
        self._reload = reload

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the tunnel open until the stop event. Raises TunnelFailed."""
        session, listener = await self._open()
        try:
            url = listener.url()
            await write(self._context.recorder, lambda connection: tell_public_url(connection, url))
            await self._tell(True, f"The tunnel {url} leads here: {url}/webhook is for Helicone.")
            await self._connect(url, stop)
            await stop.wait()
        finally:
            await write(self._context.recorder, lambda connection: tell_public_url(connection, ""))
            with suppress(Exception):
                async with asyncio.timeout(_CLOSES_WITHIN):
                    await listener.close()
                    await session.close()

    async def _open(self) -> tuple[Session, Listener]:
        import ngrok

        try:
            session = await ngrok.SessionBuilder().authtoken(self._token).connect()
            return session, await session.http_endpoint().listen_and_forward(self._context.url)
        except Exception as failure:
            code = _ERROR_CODE.search(str(failure))
            why = f"{code[0]}, see ngrok.com/docs/errors/{code[0].lower()}" if code else "check network and authtoken"
            sentence = f"ngrok does not open the tunnel ({why})."
        await self._tell(False, sentence)
        raise TunnelFailed(sentence)

    async def _connect(self, url: str, stop: asyncio.Event) -> None:
        """Have Helicone post to the tunnel, once it can be asked; nothing without its API key."""
        while not stop.is_set() and self._context.settings().section(HeliconeSettings).api_key:
            try:
                await self._tell(True, await self._connected(destination_of(url)))
                return
            except PollFailed as failure:
                await self._tell(False, f"Helicone's webhook does not lead to the tunnel: {failure}")
                if isinstance(failure, KeyRefused):
                    return
                await pause(stop, _ASK_AGAIN_AFTER)
            except NotKept as failure:
                show = f"`spendtop helicone connect {shell_word(url)} --show-secret` shows it."
                await self._tell(
                    False, f"Helicone posts to the tunnel, but its signature is not known: {failure} {show}"
                )
                return
            except SpendtopError as failure:
                await self._tell(False, f"Helicone's webhook does not lead to the tunnel: {failure}")
                return

    async def _connected(self, destination: str) -> str:
        """What was done, as a sentence."""
        webhooks = management(self._context.settings())
        await self._leave_old(webhooks, destination)
        await write(self._context.recorder, lambda connection: facts.put(connection, _DESTINATION, destination))
        connected = await connect(webhooks, destination)
        await asyncio.to_thread(self._keep, connected.webhook.secret)
        return f"Helicone posts to {destination}."

    def _keep(self, secret: str) -> None:
        keep_secret(self._reload(), self._reload, secret)

    async def _leave_old(self, webhooks: HeliconeWebhooks, destination: str) -> None:
        """Delete the webhook of the last tunnel, which leads nowhere any more."""
        old = await read(self._context.store, lambda connection: facts.get(connection, _DESTINATION))
        if old in (None, destination):
            return
        for webhook in await webhooks.list():
            if webhook.destination == old:
                await webhooks.delete(webhook.id)

    async def _tell(self, ok: bool, text: str) -> None:
        """To those who look at the log, and to those who look at the screens."""
        self._context.say(text)
        news = json.dumps({"at": self._context.clock(), "ok": ok, "text": text})
        await write(self._context.recorder, lambda connection: facts.put(connection, CONFIG_NEWS, news))
