"""The commands by which requests come from other tools and go to them, by their words."""

from __future__ import annotations

from spendtop.cli.command import FILTER, SPAN, Command, argument

SPAN_OF_URL = (
    argument("--since", metavar="TIME", help="with a URL: from when on (default: the last 30 days)"),
    argument("--until", metavar="TIME", help="with a URL: until when; a date counts whole"),
)

EXCHANGE_COMMANDS: dict[str, Command] = {
    "import": Command(
        "imports.command",
        "Record requests from files: what `spendtop export` wrote, what Cursor, Helicone, Langfuse, LiteLLM and Portkey"
        " export, or any CSV file whose columns say what they are; plain or gzip. Or take over what an older system"
        " recorded. What is known already is not counted again, so that it can be repeated; a collector may go on"
        " meanwhile.",
        "spendtop import requests.csv.gz",
        (
            argument("files", nargs="*", metavar="FILE", help="- is standard input"),
            argument(
                "--format",
                choices=("auto", "csv", "jsonl", "helicone"),
                default="auto",
                help="what the files hold (default: found out)",
            ),
            argument(
                "--from",
                dest="tool",
                choices=("cursor", "langfuse", "litellm", "portkey"),
                help="what wrote the files: Cursor's usage events, Langfuse's observations, LiteLLM's spend logs or"
                " Portkey's logs, as JSON, JSON lines or CSV; with litellm also the proxy's URL, whose key is taken"
                " from LITELLM_MASTER_KEY or asked for",
            ),
            *SPAN_OF_URL,
            argument(
                "--from-old",
                metavar="PATH|URL",
                help="an older system's SQLite file or PostgreSQL (env:NAME takes it from the environment), which is"
                " only read: its tables requests, usage_log, ingest_tokens and llm_usage",
            ),
            argument("--dry-run", action="store_true", help="only say what would be recorded"),
            argument("--strict", action="store_true", help="stop at the first line that cannot be taken"),
        ),
    ),
    "export": Command(
        "exchange.export",
        "Write all requests, or those that a filter selects, as CSV, JSON lines or Parquet, newest first. `spendtop"
        " import` reads the first two.",
        "spendtop export model:gpt-4o --since 2026-11-01 --output november.csv",
        (
            FILTER,
            *SPAN,
            argument(
                "--format",
                choices=("csv", "jsonl", "parquet"),
                help="parquet writes a folder, --output, with one file per UTC day (needs the extra `parquet`)",
            ),
            argument("--csv", action="store_true", help="as CSV (the default)"),
            argument("--jsonl", action="store_true", help="as one JSON object per line"),
            argument(
                "--focus",
                choices=("1.2", "1.4"),
                help="as charges per UTC day in this version of FOCUS, for tools that split bills (CSV)",
            ),
            argument("--output", metavar="FILE", help="a new file, readable by you only; else stdout"),
            argument("--force", action="store_true", help="replace the file"),
            argument(
                "--since-last",
                action="store_true",
                help="with parquet: only the days of which something changed since the last time",
            ),
        ),
    ),
    "mcp": Command(
        "mcp.command",
        "Answer an agent's questions about spend, limits, requests and alerts: a read-only MCP server on standard input"
        " and output. It tells no prompts and responses, and needs no collector.",
        "spendtop mcp",
    ),
}
