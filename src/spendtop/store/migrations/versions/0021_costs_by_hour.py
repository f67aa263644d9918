"""On SQLite the index of costs has those of an hour together"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":  # to look into each hour of many partitions takes seconds
        return
    op.drop_index("request_cost", "request")
    op.create_index("request_cost", "request", [sa.text("(occurred_at / 3600000000)"), "cost_nano", "id"], unique=False)
