"""Tracking tokens, who gave which field, and what was done about alerts"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("token_token", "token", ["token"], unique=True)
    op.create_index("token_name", "token", ["name"], unique=True)
    op.add_column("request", sa.Column("given_by", sa.Text(), nullable=True))
    op.add_column("request_key", sa.Column("content", sa.LargeBinary(), nullable=True))
    op.add_column("alert", sa.Column("acked_at", sa.BigInteger(), nullable=True))
    op.add_column("alert", sa.Column("acked_by", sa.Text(), nullable=True))
    op.add_column("alert", sa.Column("snoozed_until", sa.BigInteger(), nullable=True))
    op.execute("INSERT INTO meta (name, value) SELECT 'source spaces', 'helicone' WHERE EXISTS (SELECT 1 FROM request)")
