"""Keys, and what people and models wrote, stay out of what a record says of itself."""

from __future__ import annotations

import ast
import re

import pytest
from rich.pretty import pretty_repr

from spendtop.collector.push_connection import Credential
from spendtop.domain.bodies.conversation import Conversation, Text, ToolCall, Turn
from spendtop.domain.requests.request import Request, TimeSource
from spendtop.domain.sources.records import INGEST
from spendtop.sources.registry import Access
from tests.test_architecture import definitions, modules

CANARY = "canary-value"
TOLD = [
    Credential(CANARY, "https://provider.test"),
    Access(CANARY, "https://provider.test"),
    Conversation((Turn("user", (Text(CANARY), ToolCall("search", CANARY))),)),
    Request(
        source=INGEST,
        external_id="1",
        occurred_at=1,
        time_source=TimeSource.RECEIVED,
        received_at=1,
        request_body=CANARY.encode(),
    ),
]
TELLING = {"body", "hmac_key", "key", "raw", "request_body", "response_body", "secret", "secrets"}
HARMLESS = {
    ("body", "Rendered"): "what an alert says",
    ("key", "CallItem"): "what an item is known by",
    ("key", "Table"): "columns",
    ("key", "TimeChoice"): "on the keyboard",
    ("key", "_Definition"): "the name of a tag",
    ("key", "_KeyAnswer"): "the proxy's digest of one",
    ("raw", "Capture"): "of a sample",
}


@pytest.mark.parametrize("record", TOLD, ids=lambda record: type(record).__name__)
def test_it_is_left_out_wherever_the_record_is_spelled_out(record: object) -> None:
    for said in (repr(record), str(record), pretty_repr(record)):
        assert type(record).__name__ in said
        assert CANARY not in said


def test_every_record_with_such_a_field_is_discreet() -> None:
    open_ones = [
        (field.target.id, node.name)
        for module in modules()
        for node in definitions(module)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Struct" for base in node.bases)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id in TELLING
        if re.search("str|bytes", ast.unparse(field.annotation))  # what msgspec holds back is not spelled out
    ]
    assert sorted(open_ones) == sorted(HARMLESS)
