"""Anthropic's telemetry destinations: where its API pushes spans of the requests that it served.

As anthropic 2.14.0 has them (`beta.organizations.telemetry_destinations`), in beta since 2026-10-14.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct

from spendtop.domain.clock import to_micros
from spendtop.domain.sources.push_health import Destination
from spendtop.domain.sources.records import ANTHROPIC_PUSH, ProviderPush
from spendtop.domain.untrusted import clean_line
from spendtop.sources.destinations import OUR_NAME, Made, Wish
from spendtop.sources.destinations.account import ASKED, DestinationAccount
from spendtop.sources.pollers import PollFailed, wrong_kind
from spendtop.sources.pollers.http_client import FetchBounds, Fetcher, Poll, Rejected, shaped

BETWEEN_TESTS = FetchBounds(attempts=3, total=90.0, first_wait=10.5)
"""A second test within 10 seconds is answered with 429."""
_WHO = "Anthropic"
_PATH = "/v1/organizations/telemetry_destinations"
_KEY_BEGINS = "sk-ant-admin"
_BETA = "telemetry-destinations-2026-08-11"
_PAGE = 100
_MOST_PAGES = 50


class _Reason(Struct):
    type: str = ""


class _State(Struct):
    type: str = "enabled"
    reason: _Reason | None = None


class _Traces(Struct):
    content_mode: str | None = None
    enabled: bool | None = None


class _Workspaces(Struct):
    type: str = "all"
    workspace_ids: list[str] | None = None


class _Health(Struct):
    last_success_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


class _TelemetryDestination(Struct):
    id: str
    endpoint_url: str
    display_name: str | None = None
    state: _State | None = None
    traces: _Traces | None = None
    workspaces: _Workspaces | None = None
    delivery_health: _Health | None = None


class _Page(Struct):
    data: list[_TelemetryDestination]
    next_page: str | None = None


class _Result(Struct):
    type: str = ""
    error: str | None = None


class _Tested(Struct):
    result: _Result


class AnthropicDestinations:
    """Asks with an admin key. All methods raise PollFailed; KeyRefused where the key is at fault."""

    push: ClassVar[ProviderPush] = ANTHROPIC_PUSH
    title: ClassVar[str] = _WHO

    def __init__(
        self, key: str, base_url: str, *, bounds: FetchBounds = ASKED, tested: FetchBounds = BETWEEN_TESTS
    ) -> None:
        """`tested` are the bounds of a test."""
        self._key = key
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "anthropic-beta": _BETA}
        self._account = DestinationAccount(_WHO, _PATH, base_url, headers, self._what_to_do, bounds)
        self._testing = Fetcher(_WHO, base_url, headers, advise=self._what_to_do, bounds=tested)

    async def all(self) -> list[Destination]:
        """The newest first. A page that leads back to one that was read is an error, and no loop."""
        async with self._account.fetcher.poll() as poll:
            return await self._all(poll)

    async def make(self, wish: Wish) -> Made:
        """The destination to this address; one that is there already gets the secret anew and is switched on."""

        async def settle(there: Destination | None) -> Destination:
            # A value of a header is only taken together with the address.
            body: dict[str, Any] = {"endpoint_url": wish.address, **_body(wish)}
            if there is None:
                answer = await self._account.create({"display_name": OUR_NAME, **body})
            else:
                body["traces"]["enabled"] = True
                answer = await self._account.change("POST", there, {"state": {"type": "enabled"}, **body})
            return _destination(shaped(_WHO, answer, _TelemetryDestination))

        try:
            return await self._account.make(wish.address, self.all, settle)
        except Rejected as rejected:
            raise _told(rejected) from None

    async def test(self, destination: Destination) -> str | None:
        """Have one test span pushed; why that failed, or None."""
        try:
            answer = await self._testing.json("POST", f"{self._account.place(destination)}/test")
        except Rejected as rejected:
            raise _told(rejected) from None
        result = shaped(_WHO, answer, _Tested).result
        return None if result.type == "success" else clean_line(result.error or "no reason given", 200)

    async def delete(self, destination: Destination) -> None:
        """Remove it; one that is not there any more is fine."""
        await self._account.delete(destination)

    async def _all(self, poll: Poll) -> list[Destination]:
        found: list[Destination] = []
        seen: set[str] = set()
        query: tuple[tuple[str, str | int], ...] = (("limit", _PAGE),)
        for _ in range(_MOST_PAGES):
            try:
                page = shaped(_WHO, await poll.json("GET", _PATH, query=query), _Page)
            except Rejected as rejected:
                raise _told(rejected) from None
            found += [_destination(each) for each in page.data]
            if not page.next_page:
                return found
            if page.next_page in seen:
                raise PollFailed(f"{_WHO}'s list of destinations leads back to a page that was read; try again later")
            seen.add(page.next_page)
            query = (("limit", _PAGE), ("page", page.next_page))
        raise PollFailed(f"{_WHO}'s list of destinations does not end after {_MOST_PAGES} pages")

    def _what_to_do(self, status: int, message: str) -> str:
        missing = wrong_kind(self._key, _KEY_BEGINS)
        if status == 403 and not missing:
            missing = "The key may not manage telemetry destinations: that needs the admin role of the organization. "
        return (
            f"{missing}An admin of the organization creates an admin key at console.anthropic.com/settings/admin-keys;"
            " set it as admin_key in [anthropic]."
        )


def _told(rejected: Rejected) -> Rejected:
    """What the status means here."""
    match rejected.status:
        case 400:
            words = (
                f"{_WHO} did not take the destination (400). It takes at most 10 per organization, those that are off"
                " among them, public https addresses only, and workspaces of the organization:"
                " `spendtop anthropic status` lists what is there"
            )
        case 404:
            words = (
                f"{_WHO} does not know the destination, or offers none to this organization (404): they are in beta,"
                " and an organization needs access to it"
            )
        case 409:
            words = f"{_WHO} changed the destination meanwhile (409); try it once more"
        case _:
            return rejected
    return Rejected(words, rejected.status)


def _body(wish: Wish) -> dict[str, Any]:
    chosen = {"type": "include", "workspace_ids": list(wish.workspaces)} if wish.workspaces else {"type": "all"}
    return {
        "headers": {"authorization": f"Bearer {wish.secret}"},
        "workspaces": chosen,
        "traces": {"content_mode": "content" if wish.sends_content else "metadata_only"},
    }


def _destination(listed: _TelemetryDestination) -> Destination:
    state, health = listed.state or _State(), listed.delivery_health or _Health()
    traces, workspaces = listed.traces or _Traces(), listed.workspaces or _Workspaces()
    is_enabled = state.type == "enabled" and traces.enabled is not False
    return Destination(
        id=listed.id,
        name=listed.display_name or "",
        address=listed.endpoint_url.rstrip("/"),
        is_enabled=is_enabled,
        disabled_why="" if is_enabled else (state.reason.type if state.reason else "") or "caller",
        succeeded_at=_micros(health.last_success_at),
        failed_at=_micros(health.last_error_at),
        failure=health.last_error,
        sends_content=traces.content_mode == "content",
        part=_part(workspaces),
    )


def _part(workspaces: _Workspaces) -> str:
    count = len(workspaces.workspace_ids or ())
    match workspaces.type:
        case "all":
            return ""
        case "include":
            return f"{count} workspaces" if count != 1 else "1 workspace"
    return f"all but {count} workspaces" if count != 1 else "all but 1 workspace"


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None or instant.tzinfo is None else to_micros(instant)
