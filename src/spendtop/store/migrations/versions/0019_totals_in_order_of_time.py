"""On SQLite the totals lie in the order in which they came"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_NAMES = (
    "dimension, key, bucket, shard, requests, cost_nano, unpriced, errors, prompt_tokens, completion_tokens, failed"
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_table(
        "total_in_order",
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NAMES.split(", ")[4:]),
        sa.PrimaryKeyConstraint("dimension", "key", "bucket", "shard"),
    )
    op.execute(
        f"INSERT INTO total_in_order ({_NAMES}) SELECT {_NAMES} FROM total ORDER BY dimension, bucket, key, shard"
    )
    op.drop_table("total")
    op.execute("PRAGMA legacy_alter_table=ON")  # else views that somebody made of `total`, which is away, refuse it
    op.rename_table("total_in_order", "total")
    op.execute("PRAGMA legacy_alter_table=OFF")
    op.create_index("total_bucket", "total", ["dimension", "bucket"], unique=False)
