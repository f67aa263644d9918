"""How Helicone's webhook is described."""

from __future__ import annotations

from spendtop.api.description.answers import COMMON, Schema, answer, failure, json_answer

_RECORDED: Schema = {
    "type": "object",
    "required": ["status", "id"],
    "properties": {
        "status": {"enum": ["stored", "duplicate", "test", "quarantined"]},
        "id": {"type": "string", "description": "Our id of the request."},
    },
}
_SIGNATURE: Schema = {
    "name": "Helicone-Signature",
    "in": "header",
    "required": True,
    "description": "HMAC-SHA256 of the raw body as 64 hexadecimal digits.",
    "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
}


def webhook_route() -> dict[str, Schema]:
    """`/webhook`."""
    operation = {
        "summary": "Takes one event; the answer comes after the durable commit.",
        "description": "A correctly signed event is never limited, and a locked store is waited for up to 60 seconds.",
        "operationId": "webhook",
        "tags": ["receivers"],
        "parameters": [_SIGNATURE],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"description": "The event, exactly as it was signed."}}},
        },
        "responses": COMMON
        | {
            "200": json_answer("Recorded once, now or before.", _RECORDED),
            "202": json_answer("Signed, but not understood: kept in quarantine.", _RECORDED),
            "401": failure("The signature is missing or wrong."),
            "413": answer("TooLarge"),
            "503": answer("Unavailable"),
            "507": answer("NoRoom"),
        },
    }
    return {"/webhook": {"post": operation}}
