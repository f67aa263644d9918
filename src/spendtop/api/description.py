"""The OpenAPI description: what FastAPI says of the admin routes, completed, and all routes that it does not know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import FastAPI, Request

from spendtop.api import sign_in
from spendtop.sources.receivers import BatchReceiver, Described, Schema, SignedReceiver
from spendtop.sources.receivers.ingest_fields import LONGEST_ID
from spendtop.sources.registry import Readers

_ERROR: Schema = {"$ref": "#/components/schemas/ErrorAnswer"}
_SECONDS: Schema = {
    "description": "Seconds after which to come again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_CHALLENGE: Schema = {"description": "The scheme that is asked for.", "required": True, "schema": {"const": "Bearer"}}


def json_answer(description: str, schema: Schema) -> Schema:
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

_EVENT_RECORDED: Schema = {
    "type": "object",
    "required": ["status", "id"],
    "properties": {
        "status": {"enum": ["stored", "duplicate", "test", "quarantined"]},
        "id": {"type": "string", "description": "Our id of the request."},
    },
}
_HINTS: Schema = {
    "type": "object",
    "description": "By field that is not known here and was left: what was probably meant.",
    "additionalProperties": {"type": "string"},
}
_RECORDED: Schema = {
    "type": "object",
    "required": ["status", "id"],
    "properties": {
        "status": {"enum": ["stored", "duplicate"]},
        "id": {"type": "string", "description": "Our id of the request."},
        "hints": _HINTS,
    },
}
_REJECTED: Schema = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {"status": {"const": "rejected"}, "error": {"$ref": "#/components/schemas/Failure"}},
}
_RESULTS: Schema = {
    "type": "object",
    "required": ["accepted", "rejected", "results"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {"type": "integer"},
        "hints": _HINTS,
        "results": {
            "type": "array",
            "description": "In the order of the items.",
            "items": {"anyOf": [_RECORDED, _REJECTED]},
        },
    },
}
_TOKEN_HEADER: Schema = {
    "name": "X-Tracking-Token",
    "in": "header",
    "description": "Puts all that the post holds under this tracking token.",
    "schema": {"type": "string"},
}
_LACKING_TOKEN_HEADER: Schema = {
    **_TOKEN_HEADER,
    "description": "Puts items that name no tracking token under this one.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
}
_SUCCESSOR: Schema = {
    "Deprecation": {"description": "Since when.", "required": True, "schema": {"type": "string"}},
    "Link": {"description": "The successor.", "required": True, "schema": {"type": "string"}},
}


def _posted_routes(readers: Readers) -> dict[str, Schema]:
    """The routes of all sources that post to us."""
    routes = {}
    for signed in readers.signed.values():
        routes[signed.source.path] = {"post": _signed(signed)}
    for pushed in readers.batches.values():
        source = pushed.source
        for path in (source.path, *source.further_paths):
            routes[path] = {"post": _pushed(pushed, path)}
        for path in source.older_paths:
            routes[path] = {"post": _older(_pushed(pushed, path), pushed.described, source.path)}
    return routes


def _operation(described: Described, path: str, parameters: Iterable[Schema], responses: Schema) -> Schema:
    operation: Schema = {
        "summary": described.summary,
        "operationId": path.rpartition("/")[2],
        "tags": ["receivers"],
        "parameters": [*described.parameters, *parameters],
        "requestBody": {"required": True, "content": described.content},
        "responses": COMMON
        | {"413": answer("TooLarge"), "503": answer("Unavailable"), "507": answer("NoRoom")}
        | responses,
    }
    return operation | ({"description": described.description} if described.description else {})


def _signed(receiver: type[SignedReceiver]) -> Schema:
    responses = {
        "200": json_answer("Recorded once, now or before.", _EVENT_RECORDED),
        "202": json_answer("Signed, but not understood: kept in quarantine.", _EVENT_RECORDED),
        "401": failure("The signature is missing or wrong."),
    }
    return _operation(receiver.described, receiver.source.path, (), responses)


def _pushed(receiver: type[BatchReceiver], path: str) -> Schema:
    described, by_hand = receiver.described, receiver.source.written_by_hand
    responses = {"401": answer("WrongKey")}
    if described.reply is not None:
        responses["200"] = {
            "description": "All are recorded but those that the answer counts.",
            "content": described.reply,
        }
    else:
        responses |= _results(alone=by_hand)
    parameters = (_LACKING_TOKEN_HEADER if by_hand else _TOKEN_HEADER,)
    return _operation(described, path, parameters, responses) | {"security": [{"IngestKey": []}, {"HTTPBearer": []}]}


def _results(*, alone: bool) -> Schema:
    """What is answered item by item; `alone` where one item gets an answer of its own."""
    results = {
        "200": json_answer("All are recorded, now or before.", {"anyOf": [_RECORDED, _RESULTS]} if alone else _RESULTS),
        "207": json_answer("Some items cannot be taken; the others are recorded.", _RESULTS),
        "422": json_answer("Nothing can be taken; `fields` names what is wrong.", {"anyOf": [_ERROR, _RESULTS]}),
    }
    if alone:
        results["403"] = failure(
            "The tracking token does not exist or is switched off; or no ingest key is configured, "
            "or a web page of a foreign origin calls."
        )
        results["409"] = failure("This request_id or Idempotency-Key was pushed before, with other content.")
    return results


def _older(operation: Schema, described: Described, successor: str) -> Schema:
    """Of an older path, whose answers name the successor."""
    if described.older_content is not None:
        operation["requestBody"] = {"required": True, "content": described.older_content}
    for status in operation["responses"].keys() & {"200", "207", "409", "422"}:
        operation["responses"][status]["headers"] = _SUCCESSOR
    return {**operation, "summary": f"The older name of {successor}.", "deprecated": True}


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
_LIMIT_VERDICT: Schema = {
    "type": "object",
    "required": ["verdict", "limit", "remaining_usd", "resets_at"],
    "properties": {
        "verdict": {"enum": ["allow", "warn", "deny"]},
        "limit": {"type": ["string", "null"], "description": "The limit that decides: the fullest."},
        "remaining_usd": {"type": ["number", "null"]},
        "resets_at": {"type": ["string", "null"], "format": "date-time"},
    },
}
_VERDICT: Schema = _LIMIT_VERDICT | {
    "properties": _LIMIT_VERDICT["properties"]
    | {
        "api_equivalent": _LIMIT_VERDICT
        | {
            "description": "What limits on the API-equivalent value of usage under a plan say, where there are some. "
            "They do not change the verdict, which is about spend."
        }
    }
}


def _state_routes() -> dict[str, Schema]:
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


def describe_routes(app: FastAPI, readers: Readers) -> None:
    """Completes what `app.openapi()` gives, once; each source that posts to us says what its posts hold."""
    described = app.openapi()
    components = described["components"]
    components["responses"] = RESPONSES
    components["securitySchemes"]["IngestKey"] = {"type": "apiKey", "in": "header", "name": "X-Ingest-Key"}
    components["securitySchemes"]["SignIn"] = {"type": "apiKey", "in": "cookie", "name": sign_in.COOKIE.decode()}
    for path, operations in described["paths"].items():
        for operation in operations.values():
            _complete(operation)
            if sign_in.without_prefix(path) in sign_in.OPENED:
                operation["security"].append({"SignIn": []})
    described["paths"].update(_posted_routes(readers) | _state_routes())


def _complete(operation: Schema) -> None:
    """Adds to an admin route what the guards in front of it answer, and takes away what cannot happen."""
    operation["parameters"] = [_without_null(parameter) for parameter in operation.get("parameters", [])]
    responses = operation["responses"]
    responses |= COMMON | {"413": answer("TooLarge")}
    if "security" in operation:
        responses |= {"401": answer("Unauthorized"), "503": answer("Unavailable"), "422": answer("Invalid")}
    elif operation["parameters"] or "requestBody" in operation:
        responses["422"] = answer("Invalid")
    else:
        responses.pop("422", None)


def _without_null(parameter: Schema) -> Schema:
    """No text of a parameter means null: it is there, or it is not."""
    schema = dict(parameter["schema"])
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    return {**parameter, "schema": {**schema, **(kinds[0] if len(kinds) == 1 else {})}}


def described_fields(request: Request, place: str) -> list[str]:
    """The names that the route of a request takes in its `query` or `body`, by the description."""
    description = request.app.openapi()
    operation = description["paths"][request.scope["route"].path_format][request.method.lower()]
    if place == "query":
        return [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    return sorted(_properties(description, operation["requestBody"]["content"]["application/json"]["schema"]))


def _properties(description: Schema, schema: Schema) -> Iterator[str]:
    if "$ref" in schema:
        yield from _properties(description, description["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for part in schema.get("anyOf", ()):
        yield from _properties(description, part)
    yield from schema.get("properties", ())
