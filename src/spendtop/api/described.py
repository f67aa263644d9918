"""The OpenAPI description of the hot routes, which FastAPI does not know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

_ERROR = {"$ref": "#/components/schemas/ErrorAnswer"}


def describe_hot_routes(app: FastAPI) -> None:
    """Adds them to what `app.openapi()` gives."""
    described = app.openapi()
    described["paths"].update(_paths())
    schemes = described["components"]["securitySchemes"]
    schemes["IngestKey"] = {"type": "apiKey", "in": "header", "name": "X-Ingest-Key"}


def _paths() -> dict[str, Any]:
    health = {
        "type": "object",
        "required": ["status", "timestamp", "version"],
        "properties": {
            "status": {"enum": ["healthy", "degraded", "down"]},
            "timestamp": {"type": "string", "format": "date-time"},
            "version": {"type": "string"},
            "detail": {"type": "object", "description": "Only for the holder of the api key."},
        },
    }
    return {
        "/webhook": {"post": _webhook()},
        "/verdict": {"get": _verdict()},
        "/api/verdict": {"get": _verdict()},
        "/ping": {
            "get": {
                "summary": "Says that the listener listens.",
                "tags": ["state"],
                "responses": {"200": {"description": "`pong`", "content": {"text/plain": {}}}},
            }
        },
        "/health": {
            "get": {
                "summary": "How the collector is.",
                "tags": ["state"],
                "responses": {"200": _json("Healthy or degraded.", health), "503": _json("Down.", health)},
            }
        },
    }


def _webhook() -> dict[str, Any]:
    taken = {
        "type": "object",
        "required": ["status", "id"],
        "properties": {
            "status": {"enum": ["stored", "duplicate", "test", "quarantined"]},
            "id": {"type": "string"},
        },
    }
    signature = {
        "name": "Helicone-Signature",
        "in": "header",
        "required": True,
        "description": "HMAC-SHA256 of the raw body as 64 hexadecimal digits.",
        "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
    }
    return {
        "summary": "Takes one event; the answer comes after the durable commit.",
        "tags": ["receivers"],
        "parameters": [signature],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "200": _json("Recorded once, now or before.", taken),
            "202": _json("Signed, but not understood: kept in quarantine.", taken),
            "400": _json("Not JSON.", _ERROR),
            "401": _json("The signature is missing or wrong.", _ERROR),
            "403": _json("No webhook secret is set, or a web page of a foreign origin calls.", _ERROR),
            "413": _json("Larger than 32 MiB.", _ERROR),
            "415": _json("The body has a Content-Encoding.", _ERROR),
            "429": _json("Too many refused requests.", _ERROR),
            "503": _json("The store cannot be written; send again.", _ERROR),
            "507": _json("The disk of the store is full; send again.", _ERROR),
        },
    }


def _verdict() -> dict[str, Any]:
    """The schema of `api/verdict`."""
    verdict = {
        "type": "object",
        "required": ["verdict", "limit", "remaining_usd", "resets_at"],
        "properties": {
            "verdict": {"enum": ["allow", "warn", "deny"]},
            "limit": {"type": ["string", "null"], "description": "The limit that decides: the fullest."},
            "remaining_usd": {"type": ["number", "null"]},
            "resets_at": {"type": ["string", "null"], "format": "date-time"},
        },
    }
    subject = [
        {"name": name, "in": "query", "schema": {"type": "string", "minLength": 1, "maxLength": 256}}
        for name in ("user", "model", "token", "session")
    ]
    return {
        "summary": "Whether this user, model, token or session may go on, by the limits in force.",
        "tags": ["limits"],
        "security": [{"APIKeyHeader": []}, {"IngestKey": []}, {"HTTPBearer": []}],
        "parameters": subject,
        "responses": {
            "200": _json("By what was spent up to a tenth of a second ago.", verdict),
            "401": _json("The key is missing or wrong.", _ERROR),
            "403": _json("Without an api key only local programs are answered.", _ERROR),
            "422": _json("A parameter cannot be used; `fields` names it.", _ERROR),
            "429": _json("Too many requests; Retry-After says when to come again.", _ERROR),
            "503": _json("The store cannot be read at the moment.", _ERROR),
        },
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
