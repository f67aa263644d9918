"""The description by the rules of OpenAPI, and as a generated client takes it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from openapi_spec_validator import validate

from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, listening
from tests.conftest import SettableClock


async def test_it_is_valid_and_a_client_made_of_it_gets_what_it_expects(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        description: dict[str, Any] = (await live.client.get("/openapi.json")).json()
        validate(description)
        operations = [
            (method, path, operation)
            for path, methods in description["paths"].items()
            for method, operation in methods.items()
        ]
        names = Counter(re.sub(r"\W", "_", operation["operationId"]) for _, _, operation in operations)
        assert [name for name, count in names.items() if count > 1] == []
        assert [name for name in names if not name.isidentifier()] == []
        for method, path, operation in operations:
            needs = [each for each in operation.get("parameters", ()) if each.get("required")]
            if method != "get" or needs or path in ("/events", "/api/events"):
                continue
            answer = await live.client.get(path)
            described = operation["responses"][str(answer.status_code)]["content"]
            assert answer.headers["content-type"].partition(";")[0] in described, path
