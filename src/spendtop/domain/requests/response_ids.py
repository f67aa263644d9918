"""The provider's own id of a response, where a middleman hides it in one of its own."""

from __future__ import annotations

import binascii
from base64 import b64decode

_PREFIX = "resp_"
_HIDING = "litellm:"
_INSIDE = ";response_id:"


def provider_response_id(response_id: str | None) -> str | None:
    """The id that the provider gave: LiteLLM's ids of the Responses API hold it, with its deployment, in base64.

    Ids that its proxy encrypts for its clients, or makes up itself, stay as they are.
    """
    if response_id is None:
        return None
    hidden = response_id.removeprefix(_PREFIX)
    if not hidden.startswith("bGl0ZWxsbT"):  # how what begins with `litellm:` does in base64
        return response_id
    try:
        text = b64decode(hidden + "=" * (-len(hidden) % 4), altchars=b"-_" if "-" in hidden or "_" in hidden else None)
        spelled = text.decode()
    except (binascii.Error, ValueError):
        return response_id
    own = spelled.partition(_INSIDE)[2]
    return own if spelled.startswith(_HIDING) and own else response_id
