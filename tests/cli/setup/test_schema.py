from __future__ import annotations

import json

from tests.cli.conftest import Cli


def test_the_schema_is_printed_and_nothing_else(cli: Cli) -> None:
    said = cli("schema")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["properties"]["limit"]["type"] == "array"
