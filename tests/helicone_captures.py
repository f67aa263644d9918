"""Webhooks as Helicone's own code produced them."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any, NamedTuple

_FILE = Path(__file__).parent / "fixtures" / "helicone_webhooks.json"


class Capture(NamedTuple):
    """One captured webhook."""

    scenario: str
    raw: bytes
    signature: bytes


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return content


def secret() -> bytes:
    """The secret with which all of them were signed."""
    return str(_content()["hmac_secret_utf8"]).encode()


def captures() -> dict[str, Capture]:
    """All of them by scenario."""
    found = (
        Capture(each["scenario"], base64.b64decode(each["body_base64"]), each["helicone_signature"].encode())
        for each in _content()["captures"]
    )
    return {capture.scenario: capture for capture in found}


def sign(raw: bytes) -> str:
    """The signature that Helicone would send with this body."""
    return hmac.new(secret(), raw, "sha256").hexdigest()
