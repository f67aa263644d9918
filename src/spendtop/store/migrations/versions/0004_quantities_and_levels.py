"""Quantities by unit, service levels, who said a cost, what of it has no price, and what was not read"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TEXTS = ("quantities", "service_level", "unpriced_units", "reported_by", "inference_geo", "served_model")
_FLAGS = ("level_assumed", "doubtful")


def upgrade() -> None:
    for name in _TEXTS:
        op.add_column("request", sa.Column(name, sa.Text(), nullable=True))
    for name in _FLAGS:
        op.add_column("request", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    is_doubtful = sa.text("doubtful")
    op.create_index(
        "request_doubtful", "request", ["occurred_at"], sqlite_where=is_doubtful, postgresql_where=is_doubtful
    )
    op.add_column("request", sa.Column("probable_twin_of", sa.BigInteger(), nullable=True))
    op.add_column("request", sa.Column("provider_usage", sa.LargeBinary(), nullable=True))
    op.add_column("total", sa.Column("failed", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "remark",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "kind", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reprice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("before_nano", sa.BigInteger(), nullable=False),
        sa.Column("after_nano", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_before", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_after", sa.BigInteger(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "reprice_change",
        sa.Column("reprice_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("request_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.Column("after", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("reprice_id", "request_id"),
        sqlite_with_rowid=False,
    )
