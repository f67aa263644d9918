"""The management APIs of destinations on this machine, as their contracts have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer

ADMIN_KEY = "sk-ant-admin01-canary-0123456789"
MANAGEMENT_KEY = "sk-or-v1-canary-0123456789"
BETA = "telemetry-destinations-2026-08-11"
MOST_AT_ANTHROPIC, MOST_AT_OPENROUTER = 10, 5
AT_ANTHROPIC = "/v1/organizations/telemetry_destinations"
AT_OPENROUTER = "/api/v1/observability/destinations"


def anthropic_error(status: int, kind: str) -> Answer:
    error = {"type": kind, "message": "canary-answer-text"}
    return answer({"type": "error", "error": error, "request_id": "req_x"}, status)


class FakeAnthropic(FakeProvider):
    """Telemetry destinations of one organization; values of headers are kept and never read back."""

    def __init__(self) -> None:
        super().__init__()
        self.destinations: list[dict[str, Any]] = []
        """The newest first."""
        self.headers: dict[str, dict[str, str]] = {}
        """By destination."""
        self.page_size = 20
        self.test_error: str | None = None
        self.delivers_test: Callable[[dict[str, str]], str | None] = lambda headers: self.test_error
        """Pushes the test span with these headers; why that failed, or None."""
        self.repeats_pages = False

    def add(self, url: str, name: str = "spendtop", **fields: Any) -> dict[str, Any]:
        made = {
            "type": "telemetry_destination",
            "id": f"tdst_{len(self.headers) + 1:02}",
            "display_name": name,
            "endpoint_url": url,
            "header_names": ["authorization"],
            "created_at": "2026-11-26T00:00:00Z",
            "updated_at": "2026-11-27T00:00:00Z",
            "state": {"type": "enabled"},
            "traces": {"content_mode": "metadata_only", "enabled": True, "endpoint_url": None},
            "workspaces": {"type": "all"},
            "delivery_health": {"last_success_at": None, "last_error": None, "last_error_at": None},
            "brand_new": {"field": 1},
            **fields,
        }
        self.destinations.insert(0, made)
        self.headers[made["id"]] = {}
        return made

    def bodies(self) -> list[dict[str, Any]]:
        """Of all that was made or changed."""
        return [msgspec.json.decode(asked.body) for asked in self.asked if asked.method == "POST" and asked.body]

    def good(self, asked: Asked) -> Answer:
        if asked.headers.get("x-api-key") != ADMIN_KEY:
            return anthropic_error(401, "authentication_error")
        if asked.headers.get("anthropic-beta") != BETA or not asked.path.startswith(AT_ANTHROPIC):
            return anthropic_error(404, "not_found_error")
        name, _, action = asked.path.removeprefix(AT_ANTHROPIC).strip("/").partition("/")
        body = msgspec.json.decode(asked.body) if asked.body else {}
        match asked.method, name, action:
            case "GET", "", "":
                return self._page(asked)
            case "POST", "", "":
                return self._make(body)
        found = next((each for each in self.destinations if each["id"] == name), None)
        if found is None:
            return anthropic_error(404, "not_found_error")
        match asked.method, action:
            case "POST", "":
                return answer(self._change(found, body))
            case "POST", "test":
                error = self.delivers_test(self.headers[name])
                result = {"type": "success"} if error is None else {"type": "failure", "error": error}
                return answer({"type": "telemetry_destination_test", "result": result})
            case "DELETE", "":
                self.destinations.remove(found)
                return answer({"type": "telemetry_destination_deleted", "id": name})
        return answer(found)

    def _page(self, asked: Asked) -> Answer:
        size = min(int(asked.one("limit") or 20), self.page_size)
        start = int(asked.one("page") or 0)
        more = start + size < len(self.destinations)
        after = str(0 if self.repeats_pages and start else start + size)
        page = self.destinations[start : start + size]
        return answer({"data": page, "next_page": after if more or self.repeats_pages else None})

    def _make(self, body: dict[str, Any]) -> Answer:
        if len(self.destinations) >= MOST_AT_ANTHROPIC or not {"endpoint_url", "workspaces"} <= body.keys():
            return anthropic_error(400, "invalid_request_error")
        made = self.add(body["endpoint_url"], body.get("display_name", ""))
        return answer(self._change(made, body))

    def _change(self, found: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        if "headers" in body and "endpoint_url" in body:
            self.headers[found["id"]] |= body["headers"]
        found["traces"] |= body.get("traces", {})
        found |= {name: body[name] for name in ("workspaces", "state") if name in body}
        return found


class FakeOpenRouter(FakeProvider):
    """Broadcast destinations of one account."""

    def __init__(self) -> None:
        super().__init__()
        self.destinations: list[dict[str, Any]] = []
        self.is_management_key = True

    def add(self, endpoint: str, name: str = "spendtop", **fields: Any) -> dict[str, Any]:
        made = {
            "type": "otel-collector",
            "id": f"obs_{len(self.destinations) + 1}",
            "name": name,
            "enabled": True,
            "workspace_id": "ws_1",
            "config": {"endpoint": endpoint, "headers": {}},
            "privacy_mode": True,
            "sampling_rate": 1,
            "api_key_hashes": None,
            "filter_rules": None,
            "regions": ["global"],
            "broadcast_generation_cost": True,
            **fields,
        }
        self.destinations.append(made)
        return made

    def good(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {MANAGEMENT_KEY}":
            return answer({"error": {"code": 401, "message": "canary-answer-text"}}, 401)
        if not self.is_management_key:
            return answer({"error": {"code": 403, "message": "canary-answer-text"}}, 403)
        name = asked.path.removeprefix(AT_OPENROUTER).strip("/")
        body = msgspec.json.decode(asked.body) if asked.body else {}
        match asked.method, name:
            case "GET", "":
                return answer({"data": self.destinations, "total_count": len(self.destinations)})
            case "POST", "":
                if len(self.destinations) >= MOST_AT_OPENROUTER:
                    return answer({"error": {"code": 400, "message": "canary-answer-text"}}, 400)
                made = self.add(body["config"]["endpoint"], body["name"])
                return answer({"data": made | {key: value for key, value in body.items() if key in made}})
        found = next((each for each in self.destinations if each["id"] == name), None)
        if found is None:
            return answer({"error": {"code": 404, "message": "canary-answer-text"}}, 404)
        if asked.method == "DELETE":
            self.destinations.remove(found)
            return Answer(status=204)
        found |= body
        return answer({"data": found})
