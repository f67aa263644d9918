"""Answers that many routes have in common."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_ERROR: Schema = {"$ref": "#/components/schemas/ErrorAnswer"}
_SECONDS: Schema = {
    "description": "Seconds after which to come again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_CHALLENGE: Schema = {"description": "The scheme that is asked for.", "required": True, "schema": {"const": "Bearer"}}


def json_answer(description: str, schema: Schema) -> Schema:
    """An answer in JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def failure(description: str) -> Schema:
    """An answer that says what went wrong."""
    return json_answer(description, _ERROR)


def busy(description: str) -> Schema:
    """A failure that goes away."""
    return {**failure(description), "headers": {"Retry-After": _SECONDS}}


def answer(name: str) -> Schema:
    """One of RESPONSES."""
    return {"$ref": f"#/components/responses/{name}"}


RESPONSES: dict[str, Schema] = {
    "BadRequest": failure("The request is no valid HTTP, has not exactly one Host, or its body is not JSON."),
    "Unauthorized": {**failure("The api key is missing or wrong."), "headers": {"WWW-Authenticate": _CHALLENGE}},
    "WrongKey": failure("The ingest key is missing or wrong."),
    "Forbidden": failure(
        "A web page of a foreign origin calls; or the route's key is not configured, and without an api key only "
        "programs on the same machine are answered."
    ),
    "TooSlow": failure("The request did not come in time."),
    "TooLarge": failure("The body is larger than this route takes."),
    "AddressTooLong": failure("The address is too long."),
    "HeadersTooLarge": failure("The headers are too large or too many."),
    "Coded": failure("The body has a Content-Encoding or a type that this route does not take."),
    "Invalid": failure("A parameter or a field cannot be used; `fields` names it."),
    "TooOften": busy("Too many requests, or too many that were refused."),
    "Unavailable": busy("The store cannot be used at the moment."),
    "NoRoom": busy("The disk of the store is full."),
}
COMMON: dict[str, Schema] = {
    "400": answer("BadRequest"),
    "403": answer("Forbidden"),
    "408": answer("TooSlow"),
    "414": answer("AddressTooLong"),
    "415": answer("Coded"),
    "429": answer("TooOften"),
    "431": answer("HeadersTooLarge"),
}
"""What any route can answer."""
