"""Marks that each collector leaves for itself"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    marks = op.get_bind().execute(sa.text("SELECT * FROM limit_mark")).mappings().all()
    op.drop_table("limit_mark")
    made = op.create_table(
        "limit_mark",
        sa.Column("limit_name", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("limit_name", "entity", "hour", "shard"),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(made, [{**mark, "shard": 0} for mark in marks])
