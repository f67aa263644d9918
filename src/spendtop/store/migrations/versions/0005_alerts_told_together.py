"""Messages that tell of several alerts"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_OPEN = sa.text("resolved_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "delivery_alert",
        sa.Column("delivery_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "alert_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("delivery_alert_alert", "delivery_alert", ["alert_id"], unique=False)
    op.add_column("delivery", sa.Column("rule", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("gathers_until", sa.BigInteger(), nullable=True))
    op.execute(
        "INSERT INTO delivery_alert (delivery_id, alert_id, joined_at) "
        "SELECT id, alert_id, created_at FROM delivery WHERE alert_id IS NOT NULL"
    )
    # A list of many alerts, as messages were before, says what the worst of them says.
    op.execute(
        "UPDATE delivery SET kind = CASE severity WHEN 'critical' THEN 'exceeded' ELSE 'approaching' END, "
        'payload = replace(payload, \'"kind":"digest"\', '
        'CASE severity WHEN \'critical\' THEN \'"kind":"exceeded"\' ELSE \'"kind":"approaching"\' END) '
        "WHERE kind = 'digest'"
    )
    op.create_index(
        "delivery_told", "delivery", ["channel", "rule", "kind", "gathers_until", "created_at"], unique=False
    )
    op.drop_index("alert_state", "alert")
    op.create_index("alert_state", "alert", ["state", "id"], unique=False)
    op.create_index("alert_ending", "alert", ["window_end"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)
