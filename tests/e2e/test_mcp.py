"""The official client asks `spendtop mcp`, in both of its ways of beginning, while nobody collects."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.e2e.processes import command, environment


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_lists_and_asks(tmp_path: Path, mode: str) -> None:
    program, *words = command("mcp")
    server = StdioServerParameters(command=program, args=words, env=environment(tmp_path), cwd=str(tmp_path))
    async with Client(stdio_client(server), mode=mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["spend", "limits", "requests", "alerts"]
        answered = await client.call_tool("spend", {})
        assert answered.is_error and "Nothing is recorded yet" in str(answered.content)
