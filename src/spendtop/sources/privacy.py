"""Whether prompts and responses may be kept and shown, and which secrets never."""

from __future__ import annotations

import re
from urllib.parse import unquote

from sqlalchemy import make_url

from spendtop.config.settings import Settings
from spendtop.sources.settings import AgentsSettings, AnthropicSettings, HeliconeSettings, OpenAISettings


def keeps_bodies(settings: Settings) -> bool:
    return settings.privacy.bodies in ("full", "redact")


def keeps_texts(settings: Settings) -> bool:
    """Whether what was said to coding agents is kept, too."""
    return keeps_bodies(settings) and settings.section(AgentsSettings).bodies


def own_secrets(settings: Settings) -> list[bytes]:
    """Every secret of the configuration, so that none is kept inside a stored prompt."""
    database = make_url(settings.database.url.get_secret_value())
    helicone = settings.section(HeliconeSettings)
    secrets = [
        settings.server.api_key,
        *settings.server.ingest_keys.values(),
        settings.server.ngrok_authtoken,
        helicone.api_key,
        *helicone.webhook_secrets,
        settings.section(OpenAISettings).admin_key,
        settings.section(AnthropicSettings).admin_key,
        settings.section(AgentsSettings).push_key,
        *(account.key for account in settings.accounts),
    ]
    urls = [channel.url.get_secret_value() for channel in settings.channels]
    texts = [secret.get_secret_value() for secret in secrets if secret]
    texts += [part for account in settings.accounts for part in account.key.get_secret_value().split(":")[1:]]
    texts += [part for url in urls for part in (url, *_keys_in(url))]
    passwords = (str(database.password or ""), str(database.query.get("password", "")))
    return [secret.encode() for secret in (*texts, *passwords) if secret]


def _keys_in(url: str) -> list[str]:
    """The password of a channel's URL, and what else in it is long enough to be a key."""
    password = re.search(r"://[^/?#@]*?:([^/?#@]+)@", url)
    return [*re.findall(r"[\w-]{20,}", url), *([unquote(password[1])] if password else [])]
