"""The views have their columns under the names of API and exports as well"""

from collections.abc import Sequence

from alembic import op

from spendtop.store.migrations.views import replace_view

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_REQUESTS = (
    *("id", "timestamp", "model", "user_id", "cost", "tokens"),
    *("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("provider", "status", "http_status", "session_id", "session_path", "token", "properties"),
    *("latency_ms", "ttft_ms", "basis", "source", "sources", "cached", "verified", "counted"),
    *("quantities", "service_level", "level_assumed", "partial", "unpriced_units", "reported_by", "doubtful"),
    *("probable_twin_of", "inference_geo", "served_model"),
    *("occurred_at", "cost_usd", "cost_nanousd", "total_tokens", "token_name"),
)
_USAGE = (
    *("id", "model", "cost", "tokens", "user_id", "timestamp"),
    *("basis", "partial", "quantities", "service_level"),
    *("occurred_at", "cost_usd", "cost_nanousd", "total_tokens"),
)


def upgrade() -> None:
    replace_view(op.get_bind(), "requests", _REQUESTS)
    replace_view(op.get_bind(), "llm_usage", _USAGE)
