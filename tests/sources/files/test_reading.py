from __future__ import annotations

import pytest

from spendtop.sources.files import Format
from spendtop.sources.files.reading import format_of

HEADER = b'"external_ids","occurred_at","time_source","received_at","status","basis"\r\n'


@pytest.mark.parametrize(
    ("line", "held"),
    [
        (HEADER, Format.CSV),
        (b"\xef\xbb\xbf" + HEADER, Format.CSV),
        (HEADER.replace(b'"', b""), Format.CSV),
        (b'{"id":"1","external_ids":{}}', Format.JSONL),
        (b'{"request_id":"1"}', Format.HELICONE),
        (b'{"data":[{"request_id":"1"}],"error":null}', Format.HELICONE),
        (b'[null,{"request_id":"1"}]', Format.HELICONE),
        (b"user,cost\r\n", None),
        (b'{"model":"gpt-4o"}', None),
        (b"[]", None),
        (b"{", None),
        (b'"' + b"x" * 200_000, None),
        (b"SQLite format 3\0", None),
    ],
)
def test_the_first_line_shows_the_format(line: bytes, held: Format | None) -> None:
    assert format_of(line) is held
