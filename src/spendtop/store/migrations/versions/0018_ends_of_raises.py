"""Until when limits were raised before that was taken back"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("limit_raise", sa.Column("meant_until", sa.BigInteger(), nullable=True))
