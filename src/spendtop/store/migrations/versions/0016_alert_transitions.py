"""How each alert stood from an instant on"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_STANDING = (
    "window_end, state, severity, announced, spoke, used_nano, limit_nano, unpriced, crossed_at, late, falls, "
    "below_since, resolved_at, acked_at, acked_by, snoozed_until, snoozed_by"
)
_AT_FIRST = (
    "window_end, CASE WHEN resolved_at IS NULL THEN state WHEN announced >= 1 OR falls > 0 THEN 'exceeded' "
    "ELSE 'approaching' END, severity, announced, spoke, used_nano, limit_nano, unpriced, "
    "CASE WHEN crossed_at > opened_at THEN opened_at ELSE crossed_at END, late, 0, NULL, NULL, NULL, NULL, NULL, NULL"
)


def upgrade() -> None:
    op.create_table(
        "alert_transition",
        sa.Column("window_end", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("announced", sa.Float(), nullable=False),
        sa.Column("spoke", sa.Integer(), nullable=False),
        sa.Column("used_nano", sa.BigInteger(), nullable=False),
        sa.Column("limit_nano", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.Column("crossed_at", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("falls", sa.Integer(), nullable=False),
        sa.Column("below_since", sa.BigInteger(), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("acked_at", sa.BigInteger(), nullable=True),
        sa.Column("acked_by", sa.Text(), nullable=True),
        sa.Column("snoozed_until", sa.BigInteger(), nullable=True),
        sa.Column("snoozed_by", sa.Text(), nullable=True),
        sa.Column("alert_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "version"),
        sqlite_with_rowid=False,
    )
    op.create_index("alert_transition_at", "alert_transition", ["at"], unique=False)
    # What an alert went through is not known any more, only how it began and how it stands.
    into = f'INSERT INTO alert_transition (alert_id, version, "at", {_STANDING}) SELECT id'
    op.execute(f"{into}, 0, opened_at, {_AT_FIRST} FROM alert WHERE version > 1")
    op.execute(f"{into}, version, CASE WHEN version > 1 THEN updated_at ELSE opened_at END, {_STANDING} FROM alert")
