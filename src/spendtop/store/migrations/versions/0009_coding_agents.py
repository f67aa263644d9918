"""How a coding agent's calls are paid, how far its files are read, and a view of usage under a plan"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from spendtop.store.migrations.views import replace_plan_view

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_USAGE = (
    *("id", "timestamp", "occurred_at", "source", "model", "provider", "user_id", "session_id", "session_path"),
    *("properties", "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "cache_write_tokens"),
    *("reasoning_tokens", "quantities", "billing", "output_final", "api_equivalent_usd", "api_equivalent_nanousd"),
)


def upgrade() -> None:
    op.add_column("request", sa.Column("billing", sa.Text(), nullable=True))
    op.add_column("request", sa.Column("output_final", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "agent_file",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("bookmark", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("host", "path"),
    )
    op.create_table(
        "agent_root",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("oldest", sa.BigInteger(), nullable=True),
        sa.Column("left_out", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("host", "agent", "root"),
    )
    replace_plan_view(op.get_bind(), "agent_usage", _USAGE)
