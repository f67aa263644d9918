"""What a receiver of OpenTelemetry makes of spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spendtop.domain.requests.request import Request
from spendtop.sources.receivers import Item, Pushed
from spendtop.sources.receivers.otlp.receiver import JSON, PROTOBUF, OtlpReceiver
from tests.otlp_posts import ARRIVAL, export, in_json, in_protobuf


def pushed(
    *spans: dict[str, Any], receiver: OtlpReceiver | None = None, resource: Mapping[str, object] | None = None
) -> Pushed:
    """What a post of these spans gives, which is the same in both encodings."""
    content = export(*spans, resource=resource)
    by_protobuf = (receiver or OtlpReceiver()).parse(in_protobuf(content), PROTOBUF, ARRIVAL)
    by_json = OtlpReceiver().parse(in_json(content), JSON, ARRIVAL)
    assert receiver is not None or by_protobuf == by_json
    return by_protobuf


def items_of(*spans: dict[str, Any], **more: Any) -> tuple[Item, ...]:
    return pushed(*spans, **more).items


def requests_of(*spans: dict[str, Any], **more: Any) -> list[Request]:
    """The requests, where nothing was refused."""
    items = items_of(*spans, **more)
    requests = [item for item in items if isinstance(item, Request)]
    assert len(requests) == len(items), items
    return requests


def request_of(*spans: dict[str, Any], **more: Any) -> Request:
    (request,) = requests_of(*spans, **more)
    return request


def ids(items: tuple[Item, ...]) -> list[int]:
    """The numbers of the spans that were taken."""
    return [int(item.external_id.partition("-")[2], 16) for item in items if isinstance(item, Request)]
