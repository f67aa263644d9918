"""The OpenAPI description: what FastAPI says of the admin routes, completed, and all routes that it does not know."""

from __future__ import annotations

from fastapi import FastAPI

from spendtop.api.description.answers import COMMON, RESPONSES, Schema, answer
from spendtop.api.description.pushes import push_routes
from spendtop.api.description.state import state_routes
from spendtop.api.description.webhook import webhook_route


def describe_routes(app: FastAPI) -> None:
    """Completes what `app.openapi()` gives, once."""
    described = app.openapi()
    components = described["components"]
    components["responses"] = RESPONSES
    components["securitySchemes"]["IngestKey"] = {"type": "apiKey", "in": "header", "name": "X-Ingest-Key"}
    for operations in described["paths"].values():
        for operation in operations.values():
            _complete(operation)
    described["paths"].update(webhook_route() | push_routes() | state_routes())


def _complete(operation: Schema) -> None:
    """Adds to an admin route what the guards in front of it answer, and takes away what cannot happen."""
    operation["parameters"] = [_without_null(parameter) for parameter in operation.get("parameters", [])]
    responses = operation["responses"]
    responses |= COMMON | {"413": answer("TooLarge")}
    if "security" in operation:
        responses |= {"401": answer("Unauthorized"), "503": answer("Unavailable")}
    if operation["parameters"] or "requestBody" in operation:
        responses["422"] = answer("Invalid")
    else:
        responses.pop("422", None)


def _without_null(parameter: Schema) -> Schema:
    """No text of a parameter means null: it is there, or it is not."""
    schema = dict(parameter["schema"])
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    return {**parameter, "schema": {**schema, **(kinds[0] if len(kinds) == 1 else {})}}
