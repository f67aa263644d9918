"""Log records as an OTLP post spells them, in protobuf or in JSON, in one small shape."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from spendtop.domain.clock import SECOND
from spendtop.domain.discreet import Discreet
from spendtop.sources.agents.fields import instant
from spendtop.sources.receivers import NotJson, Unreadable, words_of
from spendtop.sources.receivers.otlp.extent import check_json, check_protobuf, check_spans, malformed
from spendtop.sources.receivers.otlp.spans import Attributes, attributes_of_json, attributes_of_protobuf
from spendtop.sources.repaired_json import decoded

_NANO_PER_MICRO = 1_000_000_000 // SECOND


class LogRecord(Discreet, frozen=True):
    """One event: its name, when it happened (UTC µs; None where it does not say), and what it says."""

    name: str
    at: int | None
    attributes: Attributes


class _LogPart(Struct, rename="camel"):
    """A part of the export; what is of another type than it has to be says nothing."""


class _LogRecord(_LogPart):
    time_unix_nano: Any = None
    observed_time_unix_nano: Any = None
    body: Any = None
    attributes: Any = None


class _ScopeLogs(_LogPart):
    log_records: list[_LogRecord] | None = None


class _ResourceLogs(_LogPart):
    scope_logs: list[_ScopeLogs] | None = None


class _LogExport(_LogPart):
    resource_logs: list[_ResourceLogs] | None = None


def check_object(raw: bytes) -> None:
    """Raises NotJson, and Unreadable for JSON that is no object."""
    check_json(raw)
    try:
        decoded(msgspec.json.Decoder(dict[str, Any]), raw)
    except msgspec.ValidationError as error:
        raise Unreadable("malformed", "The body is no export: it has to be an object.", status=400) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotJson("The body is not JSON") from error


def records_of_json(raw: bytes) -> list[LogRecord]:
    """All records of an export in OTLP's JSON mapping. Raises NotJson, and Unreadable for other JSON."""
    check_json(raw)
    try:
        export = decoded(msgspec.json.Decoder(_LogExport), raw)
    except msgspec.ValidationError as error:
        raise Unreadable("malformed", f"The body is no export of logs: {words_of(error)}.", status=400) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotJson("The body is not JSON") from error
    scopes = [scope for resource in export.resource_logs or () for scope in resource.scope_logs or ()]
    written = [record for scope in scopes for record in scope.log_records or ()]
    check_spans(len(written))
    return [
        _record(
            attributes_of_json(each.attributes),
            each.body.get("stringValue") if isinstance(each.body, dict) else None,
            each.time_unix_nano,
            each.observed_time_unix_nano,
        )
        for each in written
    ]


def records_of_protobuf(raw: bytes) -> list[LogRecord]:
    """All records of an `ExportLogsServiceRequest`. Raises Unreadable."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    check_protobuf(raw, ExportLogsServiceRequest.DESCRIPTOR)
    try:
        export = ExportLogsServiceRequest.FromString(raw)
    except DecodeError as error:
        raise malformed() from error
    return [
        _record(
            attributes_of_protobuf(each.attributes),
            each.body.string_value,
            each.time_unix_nano,
            each.observed_time_unix_nano,
        )
        for resource in export.resource_logs
        for scope in resource.scope_logs
        for each in scope.log_records
    ]


def _record(attributes: Attributes, body: object, *times: object) -> LogRecord:
    """What names an event is its attribute, else its body; its own time stands before those of the export."""
    named = (attributes.get("event.name"), body)
    name = next((each for each in named if isinstance(each, str) and each), "")
    own = instant(attributes.get("event.timestamp"))
    at = own or next((micros for each in times if (micros := _micros(each))), None)
    return LogRecord(name, at, attributes)


def _micros(nanoseconds: object) -> int:
    try:
        return int(nanoseconds) // _NANO_PER_MICRO if isinstance(nanoseconds, str | int) else 0
    except ValueError:
        return 0
