"""The costs of a day are read from its index, without a look at each total"""

from collections.abc import Sequence

from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.drop_index("day_total_bucket", table_name="day_total")
    op.create_index("day_total_bucket", "day_total", ["dimension", "bucket", "cost_nano"], unique=False)
