"""Requests to AWS are signed as Amazon's own example is."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from spendtop.sources.pollers.bedrock.signature import AwsKey


def test_aws_requests_are_signed_as_amazons_example_is() -> None:
    key = AwsKey.of("AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    assert key is not None and "wJalr" not in repr(key)
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    signed = key.sign("example.amazonaws.com", b"", {}, at, service="service", region="us-east-1")
    assert signed["authorization"].endswith(
        "SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )
    assert hashlib.sha256(b"").hexdigest().startswith("e3b0c442")
    temporary = AwsKey.of("ID:SECRET:TOKEN")
    assert temporary is not None
    assert temporary.sign("h", b"", {}, at, service="s", region="r")["x-amz-security-token"] == "TOKEN"
    assert AwsKey.of("no colon") is None
