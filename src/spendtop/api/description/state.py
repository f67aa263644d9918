"""How the routes about the service and its limits are described."""

from __future__ import annotations

from spendtop.api.description.answers import COMMON, Schema, answer, busy, json_answer

_HEALTH: Schema = {
    "type": "object",
    "required": ["status", "timestamp", "version"],
    "properties": {
        "status": {"enum": ["healthy", "degraded", "down"]},
        "timestamp": {"type": "string", "format": "date-time"},
        "version": {"type": "string"},
        "detail": {"type": "object", "description": "Only for the holder of the api key."},
    },
}
_VERDICT: Schema = {
    "type": "object",
    "required": ["verdict", "limit", "remaining_usd", "resets_at"],
    "properties": {
        "verdict": {"enum": ["allow", "warn", "deny"]},
        "limit": {"type": ["string", "null"], "description": "The limit that decides: the fullest."},
        "remaining_usd": {"type": ["number", "null"]},
        "resets_at": {"type": ["string", "null"], "format": "date-time"},
    },
}


def state_routes() -> dict[str, Schema]:
    """`/ping`, `/health` and `/verdict`."""
    ping: Schema = {
        "summary": "Says that the listener listens.",
        "operationId": "ping",
        "tags": ["state"],
        "responses": COMMON
        | {"200": {"description": "Listening.", "content": {"text/plain": {"schema": {"const": "pong"}}}}},
    }
    health: Schema = {
        "summary": "How the collector is; in detail for the holder of the api key.",
        "operationId": "health",
        "tags": ["state"],
        "security": [{}, {"APIKeyHeader": []}, {"HTTPBearer": []}],
        "responses": COMMON
        | {"200": json_answer("Healthy or degraded.", _HEALTH), "503": json_answer("Down.", _HEALTH)},
    }
    return {
        "/ping": {"get": ping},
        "/health": {"get": health},
        "/verdict": {"get": _verdict("verdict")},
        "/api/verdict": {"get": _verdict("api_verdict")},
    }


def _verdict(name: str) -> Schema:
    subject = [
        {"name": name, "in": "query", "schema": {"type": "string", "minLength": 1, "maxLength": 256}}
        for name in ("user", "model", "token", "session")
    ]
    return {
        "summary": "Whether this user, model, token or session may go on, by the limits in force.",
        "operationId": name,
        "tags": ["limits"],
        "security": [{"APIKeyHeader": []}, {"IngestKey": []}, {"HTTPBearer": []}],
        "parameters": subject,
        "responses": COMMON
        | {
            "200": json_answer("By what was spent up to a tenth of a second ago.", _VERDICT),
            "401": answer("Unauthorized"),
            "422": answer("Invalid"),
            "503": busy("The store cannot be read at the moment."),
        },
    }
